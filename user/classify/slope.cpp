// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/classify/slope.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>
#include <vector>

namespace asrtrace::classify {
namespace {

constexpr double kNormal975 = 1.959963984540054;
constexpr std::size_t kFewestForInterval = 5;
constexpr double kJump = 10;  ///< times the largest of the other steps

std::vector<double> pair_slopes(std::span<const Point> points) {
    std::vector<double> slopes;
    if (points.empty()) return slopes;
    slopes.reserve(points.size() * (points.size() - 1) / 2);
    for (std::size_t i = 0; i < points.size(); ++i)
        for (std::size_t j = i + 1; j < points.size(); ++j)
            if (points[j].x > points[i].x)
                slopes.push_back((points[j].y - points[i].y) / (points[j].x - points[i].x));
    return slopes;
}

/// Values of which a few ranks are wanted: sorting all pairs would be the dearest part of a report.
class Ranks {
  public:
    /// Not empty.
    explicit Ranks(std::vector<double> values) : values_(std::move(values)) {
        std::nth_element(values_.begin(), middle(), values_.end());
    }
    double median() {
        const double upper = *middle();
        if (values_.size() % 2 == 1) return upper;
        return (*std::max_element(values_.begin(), middle()) + upper) / 2;
    }
    /// The value that sorting would put at `rank`, from 0.
    double at(std::size_t rank) {
        const auto wanted = values_.begin() + static_cast<std::ptrdiff_t>(rank);
        if (wanted < middle()) std::nth_element(values_.begin(), wanted, middle());
        if (wanted > middle()) std::nth_element(middle() + 1, wanted, values_.end());
        return *wanted;
    }
    std::size_t size() const { return values_.size(); }

  private:
    std::vector<double>::iterator middle() {
        return values_.begin() + static_cast<std::ptrdiff_t>(values_.size() / 2);
    }
    std::vector<double> values_;
};

/// Variance of Kendall's S without trend: (n(n-1)(2n+5) - sum of t(t-1)(2t+5) over ties) / 18.
double variance_of_s(std::span<const Point> points) {
    const auto term = [](double n) { return n * (n - 1) * (2 * n + 5) / 18; };
    std::vector<double> values;
    values.reserve(points.size());
    for (const auto& point : points) values.push_back(point.y);
    std::sort(values.begin(), values.end());
    double variance = term(static_cast<double>(values.size()));
    for (auto begin = values.begin(); begin != values.end();) {
        const auto end = std::upper_bound(begin, values.end(), *begin);
        variance -= term(static_cast<double>(end - begin));
        begin = end;
    }
    return std::max(variance, 0.0);
}

/// What each step adds beyond the slope. Jumps far outside the rest count as none.
std::vector<double> steps_of(std::span<const Point> points, double slope) {
    std::vector<double> steps;
    steps.reserve(points.size());
    for (std::size_t i = 1; i < points.size(); ++i)
        steps.push_back(points[i].y - points[i - 1].y - slope * (points[i].x - points[i - 1].x));
    const std::size_t jumps = std::max<std::size_t>(1, steps.size() / 20);
    std::vector<double> sizes;
    sizes.reserve(steps.size());
    for (const double step : steps) sizes.push_back(std::abs(step));
    std::sort(sizes.begin(), sizes.end());
    const double largest_of_rest = sizes[sizes.size() - 1 - jumps];
    for (auto& step : steps)
        if (std::abs(step) > kJump * largest_of_rest) step = 0;
    return steps;
}

/// Long-run variance of the steps: gamma_0 plus twice the autocovariances that are significant, the
/// first and as many positive ones as follow.
double long_run_variance(const std::vector<double>& steps) {
    const auto n = static_cast<double>(steps.size());
    const auto covariance = [&](std::size_t lag) {
        const auto shifted = steps.begin() + static_cast<std::ptrdiff_t>(lag);
        return std::inner_product(shifted, steps.end(), steps.begin(), 0.0) / n;
    };
    const double variance = covariance(0);
    const double significant = kNormal975 / std::sqrt(n) * variance;
    double sum = variance;
    for (std::size_t lag = 1; lag * lag <= steps.size(); ++lag) {
        const double gamma = covariance(lag);
        if (gamma < significant && !(lag == 1 && gamma < -significant)) break;
        sum += 2 * gamma;
        if (gamma < 0) break;
    }
    return std::max(sum, 0.0);
}

double random_walk_half_width(std::span<const Point> points, double slope) {
    const auto steps = static_cast<double>(points.size() - 1);
    const double width = points.back().x - points.front().x;
    return student975(steps - 1) * std::sqrt(1.2 * walk_variance(points, slope) / width);
}

}  // namespace

// By its expansion around the normal one (Abramowitz and Stegun 26.7.5).
double student_quantile(double z, double degrees) {
    const double z3 = z * z * z;
    return z + (z3 + z) / (4 * degrees) +
           (5 * z3 * z * z + 16 * z3 + 3 * z) / (96 * degrees * degrees);
}

double student975(double degrees) {
    return student_quantile(kNormal975, degrees);
}

double walk_variance(std::span<const Point> points, double slope) {
    const auto steps = steps_of(points, slope);
    return static_cast<double>(steps.size()) * long_run_variance(steps) /
           (points.back().x - points.front().x);
}

std::optional<double> median_slope(std::span<const Point> points) {
    auto slopes = pair_slopes(points);
    if (slopes.empty()) return std::nullopt;
    return Ranks(std::move(slopes)).median();
}

std::optional<Slope> theil_sen(std::span<const Point> points) {
    auto pairs_of_points = pair_slopes(points);
    if (pairs_of_points.empty()) return std::nullopt;
    Ranks slopes(std::move(pairs_of_points));
    Slope slope{slopes.median(), std::nullopt, points.size()};
    if (points.size() < kFewestForInterval) return slope;
    const double half_ranks = kNormal975 * std::sqrt(variance_of_s(points)) / 2;
    const auto pairs = static_cast<double>(slopes.size());
    const double lowest = std::max(std::floor(pairs / 2 - half_ranks), 1.0);
    const double highest = std::min(std::ceil(pairs / 2 + half_ranks) + 1, pairs);
    const double half_width = random_walk_half_width(points, slope.value);
    slope.ci95 = Interval{
        std::min(slopes.at(static_cast<std::size_t>(lowest) - 1), slope.value - half_width),
        std::max(slopes.at(static_cast<std::size_t>(highest) - 1), slope.value + half_width)};
    return slope;
}

std::optional<Slope> mean_rise(std::span<const Point> points) {
    auto slope = theil_sen(points);
    if (!slope) return slope;
    slope->value = (points.back().y - points.front().y) / (points.back().x - points.front().x);
    if (slope->ci95)
        slope->ci95 = Interval{std::min(slope->ci95->lo, slope->value),
                               std::max(slope->ci95->hi, slope->value)};
    return slope;
}

}  // namespace asrtrace::classify
