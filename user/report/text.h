// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The report for people: what was found first, then the figures behind it, then what it cost and
// what was lost. 100 columns, no control characters but newlines.
#pragma once

#include <string>

#include "user/classify/findings.h"
#include "user/ledger/recording.h"

namespace asrtrace::report {

std::string text(const ledger::Recording& recording, const classify::Analysis& analysis);

}  // namespace asrtrace::report
