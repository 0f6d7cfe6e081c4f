// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// What the scripts of the HTML page draw from.
#pragma once

#include <cstddef>
#include <string>

#include "user/classify/findings.h"
#include "user/ledger/recording.h"

namespace asrtrace::report {

// What keeps a page small; beyond, the smallest are added up.
constexpr std::size_t kMaxPageSites = 1000;        ///< of each kind, with a curve
constexpr std::size_t kMaxPageFlameStacks = 5000;  ///< of each kind of flame graph
constexpr std::size_t kMaxPageFindings = 200;
constexpr std::size_t kMaxPageSamples = 400;  ///< procfs readings, evenly spread

/// JSON in ASCII, without "<", ">" and "&", so that it may stand inside of a script element.
/// Frames and stacks are listed once and named by index, stacks root first.
std::string html_data(const ledger::Recording& recording, const classify::Analysis& analysis);

}  // namespace asrtrace::report
