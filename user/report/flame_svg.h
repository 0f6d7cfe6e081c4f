// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// A flame graph as one SVG file: no network, everything from the target escaped, coloured by module
// and function so that the same name always has the same colour; of a comparison by what changed:
// red for more, blue for less.
#pragma once

#include <string>

#include "user/report/flame_stacks.h"

namespace asrtrace::report {

/// In a browser: click or Enter zooms, Escape resets, "/" searches (a regular expression, or plain
/// text where it is none) and the matched share is shown, arrows walk the boxes, light and dark.
/// A compared box is as wide as the larger of its two sides, so that what vanished shows, too.
/// There must be stacks.
std::string flame_svg(const Flame& flame);

}  // namespace asrtrace::report
