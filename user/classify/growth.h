// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// What kind of growth a level over requests shows: none, a warm-up, one that comes to rest, or one
// that goes on.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "user/classify/slope.h"

namespace asrtrace::classify {

enum class Shape : std::uint8_t {
    kNone,        ///< no more at the end than at the beginning
    kWarmup,      ///< grew in the first quarter of the requests and is flat since
    kSaturating,  ///< grew later than that and is flat, or slows down
    kRising,      ///< still grows at the end
};

struct Forecast {
    double plateau_bytes = 0;
    double at_request = 0;  ///< where 95 % of the growth is reached
};

/// A level that came down by half of its range or more.
struct Fall {
    double from = 0, to = 0;  ///< bytes
    double at_request = 0;    ///< where it was lowest
};

struct Growth {
    Shape shape = Shape::kNone;
    double gain = 0;                   ///< last level less first
    double begun_at = 0;               ///< requests before which hardly any of the gain was there
    double settled_at = 0;             ///< requests after which nearly all of the gain was there
    bool rises_late = false;           ///< in the second half
    std::optional<Slope> slope;        ///< of what follows the warm-up; nothing if nothing does
    std::optional<Forecast> forecast;  ///< none if it cannot be told whether it goes on
    std::optional<Fall> fall;          ///< the deepest, if there is any: what grew may go again
    std::size_t points = 0;
};

/// From a 95 % interval to the 99.9 % that makes a rise: the quantiles of the normal distribution.
constexpr double kWiden = 3.2905 / 1.9600;

/// What x counts. As many intervals go by while a program has less to do: growth that slows down
/// over them may slow down for want of work.
enum class Per : std::uint8_t { kRequest, kInterval };

/// `points` in the order of x. The levels at the ends are medians of some points, so that a request
/// caught half way does not count. A slope is a rise only if its interval, widened to 99.9 %, lies
/// above zero: many levels are looked at, few may be wrong.
/// `counted` levels are exact: their slope is the mean rise. Of others a single point is no fall.
Growth growth_of(std::span<const Point> points, bool counted = false, Per per = Per::kRequest);

/// The same without its slope, which takes most of the time; and that slope.
Growth shape_of_growth(std::span<const Point> points, bool counted, Per per);
std::optional<Slope> slope_of_growth(std::span<const Point> points, const Growth& growth,
                                     bool counted);

/// Index of the point where a warm-up ends: the knee of the two straight lines that fit the points
/// best (least squares, joined at the knee), if they fit far better than one and their rates differ
/// by more than chance; else 0. Looked for in the first half.
std::size_t warmup_end(std::span<const Point> points);

}  // namespace asrtrace::classify
