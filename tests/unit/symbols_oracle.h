// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// binutils' addr2line as the second opinion on frames, and when two names mean one function.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "user/symbols/symbolizer.h"

namespace asrtrace::symbols::testing {

struct OracleFrame {
    std::string function;  ///< "??" if it does not know
    std::string place;     ///< base name and line
};
using OracleStack = std::vector<OracleFrame>;

/// addr2line -i -f -C: a stack an address, innermost frame first. Empty if it cannot be run.
std::vector<OracleStack> ask_addr2line(const std::string& path,
                                       const std::vector<std::uint64_t>& addresses);

/// Clone suffixes (.cold, .localalias) do not count; ours is cut where it is too long. `theirs` may
/// lack what we add to names without a linkage name (C, local functions): namespaces and
/// parameters.
bool same_function(std::string_view ours, std::string_view theirs);

/// From the innermost frame to the outermost. Of an inlined function without a linkage name
/// addr2line may say the outer function's name.
bool same_functions(const std::vector<SourceFrame>& ours, const OracleStack& theirs);

}  // namespace asrtrace::symbols::testing
