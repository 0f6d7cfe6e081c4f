// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// How frames and stacks are called. Everything comes back unescaped: the output format escapes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "user/ledger/recording.h"

namespace asrtrace::report {

/// A demangled name for one line of a report: without its arguments, and as symbols::display_name
/// shortens it.
std::string shorten_function(std::string_view function);

/// The last component of a path.
std::string_view basename_of(std::string_view path);

/// The function, else "module+0x12ab" (basename), else "[unknown]".
std::string function_of(const ledger::Frame& frame);

/// "plant.cpp:33", or nothing.
std::string location_of(const ledger::Frame& frame);

/// Frames of a stack, leaf first; ids are checked. A stack that is not known has none.
std::vector<const ledger::Frame*> frames_of(const ledger::Recording& recording, StackId stack);

/// "[unknown]", "[before attach]", "[truncated]", "[heuristic]": what the stack's flags say.
std::vector<std::string> marks_of(const ledger::Recording& recording, StackId stack);

/// The frame to name a stack by: the first with a name that is not the allocator's, the C library's
/// or the standard library's; else the first in another file (generated code is in none); null
/// without frames.
const ledger::Frame* culprit_of(const std::vector<const ledger::Frame*>& frames);

}  // namespace asrtrace::report
