// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// A leak that the census finds and no site explains: allocations are sampled or not followed at
// all, but every search for blocks that nothing points to finds more of them.
#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "user/base/quantity.h"
#include "user/classify/findings.h"

namespace asrtrace::classify {
namespace {

using ledger::ReachReading;

constexpr std::size_t kFewestMarkings = 2;
constexpr std::size_t kSureSteps = 4;
constexpr std::uint64_t kFewestChunks = 5;
constexpr double kExplained = 0.5;  ///< by sites: then it is their finding

/// Readings at which more requests had ended than at the one before.
std::vector<Point> points_of(const std::vector<ReachReading>& readings) {
    std::vector<Point> points;
    for (const ReachReading& reading : readings) {
        const Point point{static_cast<double>(reading.requests),
                          static_cast<double>(reading.unreachable_bytes)};
        if (points.empty() || point.x > points.back().x) points.push_back(point);
    }
    return points;
}

/// Bytes a request between neighbouring readings; empty if one of them did not rise.
std::vector<double> rates_of(const std::vector<Point>& points) {
    std::vector<double> rates;
    for (std::size_t i = 1; i < points.size(); ++i) {
        const double rise = points[i].y - points[i - 1].y;
        if (rise <= 0) return {};
        rates.push_back(rise / (points[i].x - points[i - 1].x));
    }
    return rates;
}

/// The rise over all requests; its interval from how much the rates differ, but not narrower than a
/// request's share: the one that runs when the heap is read may have leaked or not.
Slope slope_of(const std::vector<Point>& points, const std::vector<double>& rates) {
    const Point& first = points.front();
    const Point& last = points.back();
    Slope slope{(last.y - first.y) / (last.x - first.x), std::nullopt, points.size()};
    if (rates.size() < kSureSteps) return slope;
    double squares = 0;
    for (const double rate : rates) squares += (rate - slope.value) * (rate - slope.value);
    const auto n = static_cast<double>(rates.size());
    const double margin = std::max(student975(n - 1) * std::sqrt(squares / (n - 1) / n),
                                   slope.value / (last.x - first.x));
    slope.ci95 = Interval{slope.value - margin, slope.value + margin};
    return slope;
}

}  // namespace

std::optional<Finding> marked_leak(const Evidence& evidence, double leaked_by_sites) {
    const auto& readings = evidence.recording.reach;
    const std::vector<Point> points = points_of(readings);
    const std::vector<double> rates = rates_of(points);
    if (rates.size() < kFewestMarkings) return std::nullopt;
    const double growth = points.back().y - points.front().y;
    const std::uint64_t chunks =
        readings.back().unreachable_chunks - readings.front().unreachable_chunks;
    if (readings.back().unreachable_chunks < readings.front().unreachable_chunks + kFewestChunks ||
        leaked_by_sites >= kExplained * growth)
        return std::nullopt;
    Finding finding;
    finding.kind = FindingKind::kLeak;
    finding.bytes = growth;
    finding.per_request = slope_of(points, rates);
    finding.confidence = rates.size() >= kSureSteps ? Confidence::kDefinite : Confidence::kProbable;
    finding.evidence.push_back(
        fmt::format("{} more blocks that nothing points to, {} with malloc's overhead, and more at "
                    "each of {} looks",
                    grouped(chunks), bytes(growth), rates.size()));
    finding.advice = evidence.recording.overhead.tier == "full"
                         ? "trace it from its start (asrtrace run): nobody saw these allocated"
                         : "trace with --tier full: it tells who allocates them";
    return finding;
}

}  // namespace asrtrace::classify
