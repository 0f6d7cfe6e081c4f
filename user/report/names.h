// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// How frames and stacks are called. Everything comes back unescaped: the output format escapes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "user/base/path.h"
#include "user/classify/culprit.h"
#include "user/ledger/recording.h"

namespace asrtrace::report {

using classify::culprit_of;
using classify::frames_of;

/// A demangled name for one line of a report: without its arguments, and as symbols::display_name
/// shortens it.
std::string shorten_function(std::string_view function);

/// The function, else "module+0x12ab" (basename), else "[unknown]".
std::string function_of(const ledger::Frame& frame);

/// "plant.cpp:33", or nothing.
std::string location_of(const ledger::Frame& frame);

/// "serve  plant.cpp:33  worker".
std::string place_of(const ledger::Frame& frame);

/// The same in at most `room` columns, harmless on a terminal: the module is
/// left out first, then the function is cut.
std::string place_line(const ledger::Frame& frame, std::size_t room);

/// "[unknown]", "[before attach]", "[truncated]", "[heuristic]": what the stack's flags say.
std::vector<std::string> marks_of(const ledger::Recording& recording, StackId stack);

}  // namespace asrtrace::report
