// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/classify/keyed.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>

#include "user/classify/slope.h"

namespace asrtrace::classify {
namespace {

constexpr std::uint64_t kFewestValues = 5;
constexpr std::size_t kFewestEpochs = 6;
constexpr double kMostDistinct = 0.8;  ///< of the requests: more, and every input is new
constexpr double kFits = 0.05;         ///< median error against the whole rise
constexpr double kFitsBetter = 0.4;    ///< than over requests
constexpr std::size_t kRecent = 10;    ///< requests: what they brought is in any cache
constexpr std::size_t kFewestOfAKind = 8;
constexpr double kMuchLess = 0.3;

struct Mean {
    double sum = 0;
    std::size_t count = 0;
    void add(std::uint64_t value) { sum += static_cast<double>(value), ++count; }
    double value() const { return count == 0 ? 0 : sum / static_cast<double>(count); }
};

std::optional<InputCost> cost_by(const ledger::Recording& recording, std::size_t covariate) {
    std::map<std::uint64_t, std::size_t> last_seen;
    Mean fresh, repeated;
    const bool windows = recording.overhead.tier == "auto";
    for (std::size_t i = 0; i < recording.requests.size(); ++i) {
        const ledger::Request& request = recording.requests[i];
        // What it left was seen only in a window.
        if (windows && request.allocated_bytes == 0) continue;
        const auto [entry, is_new] = last_seen.try_emplace(request.args[covariate], i);
        // What comes with the first requests comes whatever their input is.
        if (i >= kRecent && is_new) fresh.add(request.outlived_bytes);
        if (i >= kRecent && !is_new && i - entry->second <= kRecent)
            repeated.add(request.outlived_bytes);
        entry->second = i;
    }
    if (fresh.count < kFewestOfAKind || repeated.count < kFewestOfAKind) return std::nullopt;
    if (repeated.value() > kMuchLess * fresh.value()) return std::nullopt;
    return InputCost{covariate, last_seen.size(), fresh.value(), repeated.value()};
}

/// Median distance from the Theil-Sen line, as a share of the rise.
double misfit(const std::vector<Point>& points, double& slope_out) {
    const auto slope = median_slope(points);
    if (!slope) return 1;
    slope_out = *slope;
    std::vector<double> rests;
    rests.reserve(points.size());
    for (const Point& point : points) rests.push_back(point.y - *slope * point.x);
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

/// The epochs that can tell: until the last new value, and as many requests again. A level that is
/// flat long after both have come to rest says nothing.
std::vector<std::size_t> telling_epochs(const std::vector<ledger::Epoch>& epochs,
                                        std::size_t covariate) {
    const std::uint64_t all = epochs.back().distinct_args[covariate];
    const auto last_new = std::find_if(epochs.begin(), epochs.end(), [&](const auto& epoch) {
        return epoch.distinct_args[covariate] == all;
    });
    const auto end = std::partition_point(last_new, epochs.end(), [&](const auto& epoch) {
        return epoch.requests <= 2 * last_new->requests;
    });
    const auto count = static_cast<std::size_t>(end - epochs.begin());
    const std::size_t wanted = std::min(count, kMaxPoints);
    std::vector<std::size_t> chosen;
    for (std::size_t k = 1; k <= wanted; ++k) chosen.push_back(k * count / wanted - 1);
    return chosen;
}

}  // namespace

std::optional<Keyed> keyed_by_input(const std::vector<ledger::Epoch>& epochs,
                                    const std::vector<double>& levels) {
    if (epochs.empty() || levels.size() != epochs.size()) return std::nullopt;
    std::optional<Keyed> best;
    double best_misfit = kFits;
    for (std::size_t k = 0; k < epochs.back().distinct_args.size(); ++k) {
        const std::vector<std::size_t> chosen = telling_epochs(epochs, k);
        const std::uint64_t distinct = epochs.back().distinct_args[k];
        const auto requests = static_cast<double>(epochs[chosen.back()].requests);
        if (chosen.size() < kFewestEpochs || distinct < kFewestValues ||
            static_cast<double>(distinct) > kMostDistinct * requests)
            continue;
        std::vector<Point> by_value{{0, 0}}, by_request{{0, 0}};
        for (const std::size_t i : chosen) {
            by_value.push_back({static_cast<double>(epochs[i].distinct_args[k]), levels[i]});
            by_request.push_back({static_cast<double>(epochs[i].requests), levels[i]});
        }
        double slope = 0, unused = 0;
        const double fit = misfit(by_value, slope);
        if (slope <= 0 || fit > best_misfit || fit > kFitsBetter * misfit(by_request, unused))
            continue;
        best_misfit = fit;
        best = Keyed{k, distinct, slope};
    }
    return best;
}

std::optional<InputCost> new_inputs_cost(const ledger::Recording& recording) {
    std::optional<InputCost> best;
    for (std::size_t covariate = 0; covariate < std::tuple_size_v<decltype(ledger::Request::args)>;
         ++covariate) {
        const auto cost = cost_by(recording, covariate);
        if (cost && (!best || cost->repeated_bytes * best->new_bytes <
                                  best->repeated_bytes * cost->new_bytes))
            best = cost;
    }
    return best;
}

}  // namespace asrtrace::classify
