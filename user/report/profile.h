// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Weighed stacks in the files of other viewers.
#pragma once

#include <string>
#include <vector>

#include "user/base/result.h"
#include "user/report/folded.h"

namespace asrtrace::report {

/// speedscope's file format, JSON (speedscope: src/lib/file-format-spec.ts): one sampled profile, a
/// sample a stack, weights in bytes.
std::string speedscope(const ledger::Recording& recording, const std::vector<WeighedStack>& stacks,
                       FlameKind kind);

/// pprof's profile.proto (github.com/google/pprof, proto/profile.proto) behind gzip, as `go tool
/// pprof` reads it: one value a sample, space in bytes. Error: zlib has no memory.
Result<std::string> pprof(const ledger::Recording& recording,
                          const std::vector<WeighedStack>& stacks, FlameKind kind);

}  // namespace asrtrace::report
