// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Why memory grew in a characterization run, which its thresholds cannot say: from the findings of
// the trace.
#pragma once

#include <string>
#include <vector>

#include "user/classify/findings.h"
#include "user/ledger/recording.h"
#include "user/soak/verdict.h"

namespace asrtrace::report {

/// Sentences, the conclusion first. `rate`: requests a second.
std::vector<std::string> soak_why(const soak::Verdict& verdict, const ledger::Recording& recording,
                                  const classify::Analysis& analysis, double rate);

}  // namespace asrtrace::report
