// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// What a recording shows of each rule, with intervals.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "user/classify/findings.h"
#include "user/gate/policy.h"

namespace asrtrace::gate {

struct Measured {
    double value = 0;
    std::optional<Interval> ci95{};
    /// `ci95` widened for the number of comparisons; for what is no estimate both ends are what was
    /// surely seen and the value.
    std::optional<Interval> corrected{};
    std::optional<std::size_t> finding{};  ///< index into Analysis::findings
};

/// Stacks that allocated: each of them could have been taken for a leak.
std::size_t sites_examined(const classify::Analysis& analysis);

/// By what an interval of 95 % is stretched so that all of `comparisons` hold together with 95 %:
/// z(1 - 0.025 / comparisons) / z(0.975) (Bonferroni; the errors taken as normal).
double widening(std::size_t comparisons);

/// The findings that a rate or `plateau` looks at; those that have not the figure are left out.
std::vector<Measured> measured_findings(const classify::Analysis& analysis, Rule rule,
                                        std::size_t comparisons);

/// A level of the process: the median of its values in the second half of the window, with the
/// interval of the median by ranks (sign test); of the peak its value. Nothing below `fewest`
/// readings of the heap or, for PSS, of procfs.
std::optional<Measured> measured_level(const ledger::Recording& recording, Rule rule,
                                       std::size_t fewest, std::size_t comparisons);

/// Function and module to know a finding by in another recording; empty without a stack.
std::string identity(const ledger::Recording& recording, const classify::Finding& finding);

}  // namespace asrtrace::gate
