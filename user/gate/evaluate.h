// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The gate: a recording against a policy. Pure: what day it is comes in, nothing is read or
// written, and the same input gives the same verdict.
//
// It fails only on what is sure: the lower end of an interval, widened for the number of stacks
// that were looked at, lies above the limit. Evidence too thin to have seen a violation gives no
// pass either.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "user/gate/measure.h"
#include "user/gate/policy.h"

namespace asrtrace::gate {

/// In the order of severity. A failure outweighs thin evidence elsewhere.
enum class Verdict : std::uint8_t { kUnchecked, kPass, kWarn, kInconclusive, kFail };
const char* verdict_name(Verdict verdict);  ///< "PASS"; kUnchecked is "UNCHECKED"

/// One rule, of a rate one finding, against one limit.
struct Check {
    Rule rule = Rule::kLeak;
    Verdict verdict = Verdict::kUnchecked;
    std::optional<double> limit{};     ///< in the rule's unit
    bool relative = false;             ///< the limit is that of the baseline with its allowance
    std::optional<double> baseline{};  ///< what the baseline showed, upper end
    std::optional<Measured> measured{};
    std::string reason{};  ///< of a verdict that the figures do not explain by themselves
};

struct Tolerated {
    std::size_t finding = 0;
    std::size_t suppression = 0;  ///< index into Policy::suppressions
};

struct Outcome {
    Verdict verdict = Verdict::kUnchecked;
    std::vector<Check> checks;
    std::vector<Tolerated> suppressed;
    std::vector<std::size_t> expired;  ///< suppressions that count no more
    std::vector<std::size_t> idle;     ///< that are valid and fit nothing
    std::size_t sites = 0;             ///< that rates were compared for
    std::size_t levels = 0;
};

struct Subject {
    const ledger::Recording& recording;
    const classify::Analysis& analysis;
};

Outcome evaluate(const Subject& subject, const Subject* baseline, const Policy& policy,
                 const Day& today);

}  // namespace asrtrace::gate
