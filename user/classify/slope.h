// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// How fast a level rises with requests, robustly: a warm-up, a full cache or a request caught half
// way through do not pass for growth, as long as they are the smaller part of the window.
#pragma once

#include <cstddef>
#include <optional>
#include <span>

#include "user/base/interval.h"

namespace asrtrace::classify {

struct Point {
    double x = 0;  ///< requests completed
    double y = 0;  ///< bytes
};

struct Slope {
    double value = 0;              ///< bytes a request
    std::optional<Interval> ci95;  ///< nothing below 5 points: no ranks to take it from
    std::size_t points = 0;
    bool rises() const { return ci95 && ci95->lo > 0; }
};

/// More points than this are thinned by the caller: pairs grow with the square.
constexpr std::size_t kMaxPoints = 100;

/// The median of the slopes of all pairs of points (Theil 1950; Sen, JASA 63 (1968) 1379). The
/// interval holds two: Sen's, from the variance of Kendall's S with ties in y corrected for
/// (Kendall 1975), which is right if each level errs by itself (a request caught half way); and
/// that of a random walk with drift, which is right if what is left behind varies from request to
/// request, so that errors pile up: slope +- t sqrt(6/5 n q) / (x_n - x_0), where q is the long-run
/// variance of the n steps (gamma_0 + 2 gamma_k over significant autocovariances; Newey and West,
/// Econometrica 55 (1987) 703) and 6/5 what a line through all points costs over its two ends
/// (Durlauf and Phillips, Econometrica 56 (1988) 1333). One step in twenty, at least one, may be a
/// jump far outside the rest, as in a warm-up: it is left out of q.
/// `points` in the order of x; pairs with equal x are left out. Nothing if no two x differ.
std::optional<Slope> theil_sen(std::span<const Point> points);

/// The slope of theil_sen alone.
std::optional<double> median_slope(std::span<const Point> points);

/// Variance that a level gains with each unit of x on its walk about a line of that slope; none if
/// it only varies about the line. At least three points.
double walk_variance(std::span<const Point> points, double slope);

/// Student's quantile that belongs to `z`, one of the normal distribution; and the 97.5 % one.
double student_quantile(double z, double degrees);
double student975(double degrees);

/// The rise between the first and the last point over all requests between them: what one request
/// leaves behind on average, however unevenly. For levels that are counted, not measured. The
/// interval is that of theil_sen, stretched to hold the value.
std::optional<Slope> mean_rise(std::span<const Point> points);

}  // namespace asrtrace::classify
