// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The verdict on a characterization run, for people and for programs.
#pragma once

#include <string>
#include <vector>

#include "user/soak/verdict.h"

namespace asrtrace::report {

/// What to try next, and how; words in capitals are the reader's to fill in.
struct NextStep {
    std::string text;
    std::vector<std::string> commands;
};
std::vector<NextStep> next_steps(const soak::Verdict& verdict);

/// The windows, the checks, the pattern, the machine's memory in the words of free(1), the next
/// step. The last line is "OVERALL: PASS", "OVERALL: WARN" or "OVERALL: FAIL".
std::string soak_text(const soak::Verdict& verdict, const std::string& name);

/// The schema asrtrace.soak/1; memory in KiB.
std::string soak_json(const soak::Verdict& verdict);

}  // namespace asrtrace::report
