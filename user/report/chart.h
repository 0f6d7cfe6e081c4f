// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// A level over time, drawn in text: where memory goes up and down, a first and a last figure say
// little.
#pragma once

#include <vector>

#include "user/report/page.h"

namespace asrtrace::report {

struct ChartPoint {
    double seconds = 0;
    double bytes = 0;
};

/// `points` in the order of their times; nothing is drawn of less than two, or of zeros. Each
/// column shows the most of its time.
void put_chart(Page& page, const std::vector<ChartPoint>& points);

}  // namespace asrtrace::report
