// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// What the evidence does not decide, and how much more of it would.
#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "user/base/quantity.h"
#include "user/classify/findings.h"
#include "user/classify/spread.h"

namespace asrtrace::classify {
namespace {

/// More than this is not asked of anybody.
constexpr double kMostTimes = 20;

/// Requests after which the slope's interval would lie clear of zero. Of the two errors of
/// theil_sen() that of a random walk shrinks slower, with the root of the window, and is counted
/// with. Never less than ten times the fewest, which a warm-up takes, nor than twice what there
/// was, which has not sufficed.
std::uint64_t requests_needed(const Evidence& evidence) {
    const auto points = reading_points(
        evidence.recording, [](const ledger::Reading& reading) { return reading.books.total(); });
    const auto slope = theil_sen(points);
    double times = 2;
    if (slope && slope->ci95 && slope->value > 0) {
        const double half = (slope->ci95->hi - slope->ci95->lo) / 2;
        times = std::clamp(std::pow(kWiden * half / slope->value, 2), 2.0, kMostTimes);
    }
    return std::max<std::uint64_t>(10 * kFewestRequests,
                                   static_cast<std::uint64_t>(times * evidence.requests));
}

/// Growth that consists of what many places hold is no riddle, though it has no single name.
bool explain_spread(const Evidence& evidence, Finding& finding) {
    constexpr double kMostOfGrowth = 0.5;
    const auto spread = spread_of(evidence.recording, evidence.summary.heap);
    if (!spread || spread->bytes < kMostOfGrowth * evidence.anonymous_growth) return false;
    finding.evidence.push_back(fmt::format(
        "{} of blocks from {} places outlived their {}; the largest place holds {} of it",
        bytes(spread->bytes), grouped(spread->places), evidence.unit(),
        percent(spread->largest_share)));
    if (!spread->common_caller.empty())
        finding.evidence.push_back(fmt::format(
            "{} of that is made below {}", percent(spread->caller_share), spread->common_caller));
    return true;
}

}  // namespace

std::optional<Finding> inconclusive(const Evidence& evidence, const std::vector<Finding>& found) {
    Finding finding;
    finding.bytes = evidence.anonymous_growth;
    const bool grew = evidence.anonymous_growth > evidence.material();
    if (lost_share(evidence.recording) > kTooMuchLost) {
        for (const Finding& other : found)
            if (other.kind != FindingKind::kFile)
                finding.bytes = std::max(0.0, finding.bytes - other.bytes);
        finding.evidence.push_back(
            fmt::format("{} of the events were lost: what the sites hold is not known",
                        percent(lost_share(evidence.recording))));
        finding.advice = "trace again with --tier sites: fewer events, fewer losses";
        return finding;
    }
    const auto in_books = [](const Finding& each) { return !each.of_followed; };
    if (!grew || std::ranges::any_of(found, in_books)) return std::nullopt;
    if (evidence.recording.requests_completed < kFewestRequests) {
        finding.evidence.push_back(
            fmt::format("memory grew by {} in {:.0f} {}s: too few to tell a start from a trend",
                        bytes(evidence.anonymous_growth), evidence.requests, evidence.unit()));
        finding.requests_needed = requests_needed(evidence);
        finding.advice = fmt::format("trace at least {} {}s", grouped(*finding.requests_needed),
                                     evidence.unit());
    } else if (evidence.recording.readings.size() < kEnoughReadings) {
        finding.evidence.push_back(
            fmt::format("memory grew by {}, and the heap was read {} times only",
                        bytes(evidence.anonymous_growth), evidence.recording.readings.size()));
        finding.requests_needed = requests_needed(evidence);
        finding.advice =
            fmt::format("trace at least {} {}s; `asrtrace census` says why a heap cannot be read",
                        grouped(*finding.requests_needed), evidence.unit());
    } else if (!evidence.heap_traced) {
        finding.evidence.push_back(
            fmt::format("memory grew by {}; this tier does not see who allocates",
                        bytes(evidence.anonymous_growth)));
        finding.advice = "trace with --tier full";
    } else if (evidence.anonymous_growth > kUnaccountedBytes) {
        finding.evidence.push_back(
            fmt::format("memory grew by {}, and no cause of it is large and lasting enough to name",
                        bytes(evidence.anonymous_growth)));
        finding.requests_needed = requests_needed(evidence);
        const char* const where =
            explain_spread(evidence, finding)
                ? "`asrtrace flamegraph --kind growth` shows these places together"
                : "the books say where it is";
        finding.advice = fmt::format("{}; trace at least {} {}s to see whether it stays", where,
                                     grouped(*finding.requests_needed), evidence.unit());
    } else {
        return std::nullopt;
    }
    return finding;
}

}  // namespace asrtrace::classify
