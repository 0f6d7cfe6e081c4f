// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// What a recording may show and still pass: limits by class, the evidence that is asked for, and
// what is known and tolerated until some day. docs/policy.md tells the keys.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "user/base/result.h"

namespace asrtrace::gate {

/// Rates first, by finding; then levels of the whole process.
enum class Rule : std::uint8_t {
    kLeak,         ///< bytes per request, each culprit
    kCache,        ///< the same of caches that grow with every request
    kMapped,       ///< bytes per request of anonymous mappings that are not malloc's
    kStack,        ///< bytes per request of thread stacks
    kPlateau,      ///< bytes at which a cache with a bound is expected to rest
    kRetained,     ///< bytes that are free and resident, in the second half of the window
    kUnexplained,  ///< percent of the anonymous memory that no book holds
    kPss,          ///< bytes, in the second half of the window
    kPeakRssAnon,  ///< bytes, highest sample
};
constexpr std::size_t kRules = 9;

enum class Unit : std::uint8_t { kBytesPerRequest, kBytes, kPercent };

struct RuleInfo {
    const char* name;  ///< its key in a policy file and in JSON
    Unit unit;
    const char* meaning;
};
const RuleInfo& info(Rule rule);
std::optional<Rule> rule_named(std::string_view name);

/// More than the baseline: only what exceeds it by both counts.
struct Allowance {
    double percent = 0;
    double floor = 0;  ///< in the rule's unit
};

struct Limit {
    std::optional<double> max{};  ///< in the rule's unit
    std::optional<Allowance> over_baseline{};
    bool given() const { return max || over_baseline; }
};

/// Below this nothing is decided.
struct EvidenceAsked {
    std::uint64_t requests = 100;
    std::uint64_t readings = 3;  ///< of the heap or of procfs within the second half
    double lost_events = 0.001;  ///< share of all events
    std::uint64_t attach_failures = 0;
    bool sampling = false;  ///< whether tiers sites and auto are enough to find no leak
};

using Day = std::chrono::year_month_day;

/// A finding whose stacks all have such a frame is tolerated. Patterns are those of the shell
/// (fnmatch); an empty one fits everything, not both are empty.
struct Suppression {
    std::string function, module;
    std::string reason;
    Day expires{};  ///< the last day on which it counts
};

struct Policy {
    std::array<Limit, kRules> limits{};
    EvidenceAsked evidence;
    std::vector<Suppression> suppressions;
    const Limit& limit(Rule rule) const { return limits[static_cast<std::size_t>(rule)]; }
    Limit& limit(Rule rule) { return limits[static_cast<std::size_t>(rule)]; }
};

/// No leak and no unbounded cache, at most 5 % unexplained; over a baseline at most a quarter and
/// 8 MiB more retained and plateau, a fifth and 16 MiB more of peak RssAnon and PSS.
Policy built_in_policy();

/// The policy in TOML; a limit that it gives replaces the built-in one whole. Errors name the key
/// and the line: bad syntax, unknown keys, a baseline's percentage without its floor, a suppression
/// without reason or day, no limit at all.
Result<Policy> parse_policy(const std::string& toml, const std::string& name);

std::string day_text(const Day& day);  ///< "2027-01-31"

}  // namespace asrtrace::gate
