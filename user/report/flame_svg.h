// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// A flame graph as one SVG file: no network, everything from the target escaped, coloured by module
// and function so that the same name always has the same colour.
#pragma once

#include <string>
#include <vector>

#include "user/report/folded.h"

namespace asrtrace::report {

/// In a browser: click or Enter zooms, Escape resets, "/" searches (a regular expression, or plain
/// text where it is none) and the matched share is shown, arrows walk the boxes, light and dark.
/// `stacks` must not be empty.
std::string flame_svg(const ledger::Recording& recording, const std::vector<WeighedStack>& stacks,
                      FlameKind kind);

}  // namespace asrtrace::report
