// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/classify/keyed.h"

#include <algorithm>
#include <cmath>

#include "user/classify/slope.h"

namespace asrtrace::classify {
namespace {

constexpr std::uint64_t kFewestValues = 5;
constexpr double kMostDistinct = 0.8;  ///< of the requests: more, and every input is new
constexpr double kFits = 0.05;         ///< median error against the whole rise
constexpr double kFitsBetter = 0.4;    ///< than over requests

/// Median distance from the Theil-Sen line, as a share of the rise.
double misfit(const std::vector<Point>& points, double& slope_out) {
    const auto slope = theil_sen(points);
    if (!slope) return 1;
    slope_out = slope->value;
    std::vector<double> rests;
    for (const Point& point : points) rests.push_back(point.y - slope->value * point.x);
    const auto middle = rests.begin() + static_cast<std::ptrdiff_t>(rests.size() / 2);
    std::nth_element(rests.begin(), middle, rests.end());
    const double offset = *middle;
    for (double& rest : rests) rest = std::abs(rest - offset);
    // Nearly all points must be on the line: the median would not see a bend.
    const auto high = rests.begin() + static_cast<std::ptrdiff_t>(rests.size() * 9 / 10);
    std::nth_element(rests.begin(), high, rests.end());
    const double rise = points.back().y - points.front().y;
    return rise > 0 ? *high / rise : 1;
}

std::vector<std::size_t> evenly(std::size_t count) {
    const std::size_t wanted = std::min(count, kMaxPoints);
    std::vector<std::size_t> chosen;
    for (std::size_t k = 1; k <= wanted; ++k) chosen.push_back(k * count / wanted - 1);
    return chosen;
}

}  // namespace

std::optional<Keyed> keyed_by_input(const std::vector<ledger::Epoch>& epochs,
                                    const std::vector<double>& levels) {
    if (epochs.empty() || levels.size() != epochs.size()) return std::nullopt;
    const std::vector<std::size_t> chosen = evenly(epochs.size());
    const auto over = [&](auto x_of) {
        std::vector<Point> points{{0, 0}};
        for (const std::size_t i : chosen)
            points.push_back({static_cast<double>(x_of(epochs[i])), levels[i]});
        return points;
    };
    double unused = 0;
    const double by_requests =
        misfit(over([](const ledger::Epoch& epoch) { return epoch.requests; }), unused);
    std::optional<Keyed> best;
    double best_misfit = std::min(kFits, kFitsBetter * by_requests);
    for (std::size_t k = 0; k < epochs.back().distinct_args.size(); ++k) {
        const std::uint64_t distinct = epochs.back().distinct_args[k];
        const auto requests = static_cast<double>(epochs.back().requests);
        if (distinct < kFewestValues || static_cast<double>(distinct) > kMostDistinct * requests)
            continue;
        double slope = 0;
        const double by_values =
            misfit(over([k](const ledger::Epoch& epoch) { return epoch.distinct_args[k]; }), slope);
        if (slope <= 0 || by_values > best_misfit) continue;
        best_misfit = by_values;
        best = Keyed{k, distinct, slope};
    }
    return best;
}

}  // namespace asrtrace::classify
