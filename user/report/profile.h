// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Weighed stacks in the files of other viewers.
#pragma once

#include <string>

#include "user/base/result.h"
#include "user/report/flame_stacks.h"

namespace asrtrace::report {

/// speedscope's file format, JSON (speedscope: src/lib/file-format-spec.ts): one sampled profile, a
/// sample a stack, weights in bytes. It knows no negative weights: of a comparison there are two
/// profiles, what grew and what shrank.
std::string speedscope(const Flame& flame);

/// pprof's profile.proto (github.com/google/pprof, proto/profile.proto) behind gzip, as `go tool
/// pprof` reads it: one value a sample, space in bytes; of a comparison the change, as `-diff_base`
/// makes it. Error: zlib has no memory.
Result<std::string> pprof(const Flame& flame);

}  // namespace asrtrace::report
