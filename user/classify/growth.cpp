// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/classify/growth.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace asrtrace::classify {
namespace {

constexpr std::size_t kEndPoints = 3;    ///< whose median is the level at an end
constexpr double kNearlyAll = 0.85;      ///< of the gain: the level has settled
constexpr double kWarmupShare = 0.25;    ///< of the requests
constexpr double kRestedShare = 0.8;     ///< of the requests: settled later, it may not have
constexpr std::size_t kFewestSteps = 4;  ///< rises in the second half that make a slope of it
constexpr double kRestShare = 0.2;       ///< of the requests: is it flat by now?
constexpr double kFlat = 0.15;           ///< of the mean slope
constexpr double kSlower = 0.6;          ///< last third against the one before
constexpr double kDeep = 0.5;            ///< of a level's range: a fall that tells
constexpr double kKneeFit = 0.25;        ///< error of two lines against that of one
constexpr std::size_t kKneeMargin = 3;   ///< points on either side of a knee
constexpr double kNormal99995 = 3.8906;  ///< a knee is one by 99.99 %

double median_level(std::span<const Point> points) {
    std::vector<double> levels;
    for (const Point& point : points) levels.push_back(point.y);
    std::nth_element(levels.begin(),
                     levels.begin() + static_cast<std::ptrdiff_t>(levels.size() / 2), levels.end());
    return levels[levels.size() / 2];
}

/// The level at x, by the straight line between its neighbours.
double level_at(std::span<const Point> points, double x) {
    const auto next = std::partition_point(points.begin(), points.end(),
                                           [&](const Point& point) { return point.x < x; });
    if (next == points.end()) return points.back().y;
    if (next == points.begin() || next->x == x) return next->y;
    const Point& before = *(next - 1);
    return before.y + (next->y - before.y) * (x - before.x) / (next->x - before.x);
}

std::span<const Point> from(std::span<const Point> points, double x) {
    const auto first = std::partition_point(points.begin(), points.end(),
                                            [&](const Point& point) { return point.x < x; });
    return points.subspan(static_cast<std::size_t>(first - points.begin()));
}

bool surely_rises(const std::optional<Slope>& slope) {
    return slope && slope->ci95 && slope->value - kWiden * (slope->value - slope->ci95->lo) > 0;
}

/// Where the level comes within reach of its last value and stays there.
double settled_at(std::span<const Point> points, double first, double gain) {
    double settled = points.back().x;
    for (auto point = points.rbegin(); point != points.rend(); ++point) {
        if (point->y < first + kNearlyAll * gain) return settled;
        settled = point->x;
    }
    return settled;
}

bool settles_early(std::span<const Point> points, const Growth& growth) {
    return growth.settled_at - points.front().x <=
           kWarmupShare * (points.back().x - points.front().x);
}

/// The last point before the level first leaves its first value for good measure.
double begun_at(std::span<const Point> points, double first, double gain) {
    double begun = points.front().x;
    for (const Point& point : points) {
        if (point.y > first + (1 - kNearlyAll) * gain) return begun;
        begun = point.x;
    }
    return begun;
}

/// Each level as the median of itself and its neighbours: a request caught half way does not count.
std::vector<Point> without_spikes(std::span<const Point> points) {
    std::vector<Point> smooth(points.begin(), points.end());
    for (std::size_t i = 1; i + 1 < points.size(); ++i)
        smooth[i].y = median_level(points.subspan(i - 1, 3));
    return smooth;
}

std::optional<Fall> deepest_fall(std::span<const Point> points) {
    const auto [low, high] = std::ranges::minmax(points, {}, &Point::y);
    Fall fall;
    double highest = points.front().y;
    for (const Point& point : points) {
        highest = std::max(highest, point.y);
        if (highest - point.y > fall.from - fall.to) fall = {highest, point.y, point.x};
    }
    if (fall.from == fall.to || fall.from - fall.to < kDeep * (high.y - low.y)) return std::nullopt;
    return fall;
}

std::size_t rising_steps(std::span<const Point> points) {
    std::size_t steps = 0;
    double highest = points.front().y;
    for (const Point& point : points.subspan(1)) {
        if (point.y <= highest) continue;
        highest = point.y;
        ++steps;
    }
    return steps;
}

/// Flat in the last fifth, though the second half, `tail`, rose.
bool rests(std::span<const Point> tail) {
    const double width = tail.back().x - tail.front().x;
    const double late = tail.back().x - 2 * kRestShare * width;
    if (from(tail, late).size() < kKneeMargin) return false;
    return tail.back().y - level_at(tail, late) <
           kFlat * 2 * kRestShare * (tail.back().y - tail.front().y);
}

/// Levels at thirds: where each third adds less than the one before by a constant factor, the sum
/// of the geometric series is the plateau.
std::optional<Forecast> slowing_down(std::span<const Point> points) {
    const double begin = points.front().x;
    const double third = (points.back().x - begin) / 3;
    const double level[4] = {points.front().y, level_at(points, begin + third),
                             level_at(points, begin + 2 * third), points.back().y};
    const double gain[3] = {level[1] - level[0], level[2] - level[1], level[3] - level[2]};
    if (gain[1] <= 0 || gain[0] <= gain[1] || gain[2] >= kSlower * gain[1]) return std::nullopt;
    const double ratio = std::max(gain[2] / gain[1], 1e-3);
    const double left = gain[2] * ratio / (1 - ratio);
    Forecast forecast{level[3] + left, points.back().x};
    const double all = forecast.plateau_bytes - level[0];
    if (left > 0.05 * all)
        forecast.at_request += third * std::log(0.05 * all / left) / std::log(ratio);
    return forecast;
}

struct LineFit {
    double n = 0, x = 0, y = 0, xx = 0, xy = 0, yy = 0;
    void add(const Point& point) {
        n += 1, x += point.x, y += point.y;
        xx += point.x * point.x, xy += point.x * point.y, yy += point.y * point.y;
    }
    /// Sum of squared errors of the best line.
    double error() const {
        const double sxx = xx - x * x / n;
        const double sxy = xy - x * y / n;
        const double syy = yy - y * y / n;
        return std::max(0.0, sxx > 0 ? syy - sxy * sxy / sxx : syy);
    }
};

double line_error(std::span<const Point> points) {
    LineFit fit;
    for (const Point& point : points) fit.add(point);
    return fit.error();
}

/// A level that grows by chance wanders about its line, and two lines fit a walk better than one: a
/// knee is one if the rates on its two sides differ by more than the later side wanders.
bool rates_differ(std::span<const Point> before, std::span<const Point> after) {
    const auto width = [](auto part) { return part.back().x - part.front().x; };
    const auto rate = [&](auto part) { return (part.back().y - part.front().y) / width(part); };
    const double variance =
        walk_variance(after, rate(after)) * (1 / width(before) + 1 / width(after));
    const auto degrees = static_cast<double>(after.size() - 2);
    return std::abs(rate(before) - rate(after)) >
           student_quantile(kNormal99995, degrees) * std::sqrt(variance);
}

}  // namespace

std::size_t warmup_end(std::span<const Point> points) {
    const double half = (points.front().x + points.back().x) / 2;
    const double one = line_error(points);
    double best = kKneeFit * one;
    std::size_t knee = 0;
    for (std::size_t i = kKneeMargin; i + kKneeMargin < points.size() && points[i].x <= half; ++i) {
        const double two = line_error(points.first(i + 1)) + line_error(points.subspan(i));
        if (two >= best) continue;
        best = two;
        knee = i;
    }
    if (knee == 0 || !rates_differ(points.first(knee + 1), points.subspan(knee))) return 0;
    return knee;
}

Growth shape_of_growth(std::span<const Point> points, bool counted, Per per) {
    Growth growth;
    growth.points = points.size();
    if (points.size() < 2) return growth;
    const std::size_t ends = std::clamp<std::size_t>(points.size() / 5, 1, kEndPoints);
    const double first = points.front().y;
    growth.gain = median_level(points.last(ends)) - first;
    growth.fall =
        deepest_fall(counted ? std::vector(points.begin(), points.end()) : without_spikes(points));
    if (growth.gain <= 0) return growth;
    growth.begun_at = begun_at(points, first, growth.gain);
    growth.settled_at = settled_at(points, first, growth.gain);
    const double width = points.back().x - points.front().x;

    const auto tail = from(points, points.front().x + width / 2);
    // The slope last: it is by far the dearest question.
    growth.rises_late = tail.size() >= 2 && rising_steps(tail) >= kFewestSteps && !rests(tail) &&
                        surely_rises(theil_sen(tail));
    if (!growth.rises_late) {
        const bool early = settles_early(points, growth);
        growth.shape = early ? Shape::kWarmup : Shape::kSaturating;
        const bool rested = growth.settled_at - points.front().x <= kRestedShare * width;
        if (!early && rested) growth.forecast = Forecast{first + growth.gain, growth.settled_at};
        return growth;
    }
    if (per == Per::kRequest) growth.forecast = slowing_down(points);
    growth.shape = growth.forecast ? Shape::kSaturating : Shape::kRising;
    return growth;
}

std::optional<Slope> slope_of_growth(std::span<const Point> points, const Growth& growth,
                                     bool counted) {
    if (growth.shape == Shape::kNone || growth.shape == Shape::kWarmup) return std::nullopt;
    const auto slope_of = counted ? mean_rise : theil_sen;
    if (!growth.rises_late) return slope_of(points);
    const auto settled = from(points, growth.settled_at);
    return slope_of(settles_early(points, growth) && settled.size() > kKneeMargin
                        ? settled
                        : points.subspan(warmup_end(points)));
}

Growth growth_of(std::span<const Point> points, bool counted, Per per) {
    Growth growth = shape_of_growth(points, counted, per);
    growth.slope = slope_of_growth(points, growth, counted);
    return growth;
}

}  // namespace asrtrace::classify
