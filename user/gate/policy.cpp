// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/gate/policy.h"

#include <fmt/core.h>

namespace asrtrace::gate {
namespace {

constexpr double kMiB = 1 << 20;

constexpr std::array<RuleInfo, kRules> kInfo{{
    {"leak", Unit::kBytesPerRequest, "leaked bytes per request"},
    {"cache", Unit::kBytesPerRequest, "growth per request of caches without a bound"},
    {"mapped", Unit::kBytesPerRequest, "growth per request of mappings outside of malloc"},
    {"stack", Unit::kBytesPerRequest, "growth per request of thread stacks"},
    {"plateau", Unit::kBytes, "where a cache with a bound comes to rest"},
    {"retained", Unit::kBytes, "free memory that stays resident"},
    {"unexplained", Unit::kPercent, "share of anonymous memory in no book"},
    {"pss", Unit::kBytes, "PSS"},
    {"peak_rss_anon", Unit::kBytes, "highest RssAnon"},
}};

}  // namespace

const RuleInfo& info(Rule rule) {
    return kInfo[static_cast<std::size_t>(rule)];
}

std::optional<Rule> rule_named(std::string_view name) {
    for (std::size_t i = 0; i < kRules; ++i)
        if (name == kInfo[i].name) return static_cast<Rule>(i);
    return std::nullopt;
}

Policy built_in_policy() {
    Policy policy;
    policy.limit(Rule::kLeak).max = 0;
    policy.limit(Rule::kCache).max = 0;
    policy.limit(Rule::kUnexplained).max = 5;
    policy.limit(Rule::kPlateau).over_baseline = {25, 8 * kMiB};
    policy.limit(Rule::kRetained).over_baseline = {25, 8 * kMiB};
    policy.limit(Rule::kPss).over_baseline = {20, 16 * kMiB};
    // One sample of each run, without an interval: of the healthy worker on a busy machine peaks
    // were 49 to 76 MiB.
    policy.limit(Rule::kPeakRssAnon).over_baseline = {50, 32 * kMiB};
    return policy;
}

std::string day_text(const Day& day) {
    return fmt::format("{:04}-{:02}-{:02}", static_cast<int>(day.year()),
                       static_cast<unsigned>(day.month()), static_cast<unsigned>(day.day()));
}

}  // namespace asrtrace::gate
