// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The report as one page for a browser: findings, the books over time, what requests leave behind,
// arenas, flame graphs, sites. Style, scripts and data are in it; it asks nothing of the network,
// and its content policy would not let it.
#pragma once

#include <string>

#include "user/classify/findings.h"
#include "user/ledger/recording.h"

namespace asrtrace::report {

/// The target's names are in it as JSON without a "<", from which the scripts make text nodes; a
/// browser without scripts shows the text report. About 5 MB at most.
std::string html(const ledger::Recording& recording, const classify::Analysis& analysis);

}  // namespace asrtrace::report
