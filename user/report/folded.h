// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Stacks in their folded form, one line a stack: "root;caller;leaf BYTES", as Brendan Gregg's
// FlameGraph, speedscope and others read it; compared ones "root;caller;leaf BASE NEW", as his
// difffolded.pl writes it.
#pragma once

#include <string>

#include "user/report/flame_stacks.h"

namespace asrtrace::report {

/// Lines in the order of their text, equal ones summed. Semicolons in names become colons.
std::string folded(const Flame& flame);

}  // namespace asrtrace::report
