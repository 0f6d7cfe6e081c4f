// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// An estimate with its 95 % interval.
#pragma once

namespace asrtrace {

struct Interval {
    double lo = 0;
    double hi = 0;
    bool contains(double value) const { return lo <= value && value <= hi; }
};

struct Estimate {
    double value = 0;
    Interval ci95;
};

}  // namespace asrtrace
