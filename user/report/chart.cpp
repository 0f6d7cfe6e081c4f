// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/report/chart.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "user/base/quantity.h"

namespace asrtrace::report {
namespace {

constexpr std::size_t kChartRows = 8;
constexpr std::size_t kChartColumns = 80;

/// The most of each column's time; of a column without points what was before.
std::vector<double> levels_of(const std::vector<ChartPoint>& points) {
    const double begin = points.front().seconds;
    const double span = std::max(points.back().seconds - begin, 1e-9);
    const std::size_t count = std::min(kChartColumns, points.size());
    std::vector<double> columns(count, -1);
    for (const ChartPoint& point : points) {
        const double place = (point.seconds - begin) / span * static_cast<double>(count);
        double& column = columns[std::min(static_cast<std::size_t>(place), count - 1)];
        column = std::max(column, point.bytes);
    }
    for (std::size_t i = 1; i < count; ++i)
        if (columns[i] < 0) columns[i] = columns[i - 1];
    return columns;
}

}  // namespace

void put_chart(Page& page, const std::vector<ChartPoint>& points) {
    if (points.size() < 2) return;
    const std::vector<double> columns = levels_of(points);
    const double most = *std::max_element(columns.begin(), columns.end());
    if (most <= 0) return;
    for (std::size_t row = kChartRows; row > 0; --row) {
        std::string line = fmt::format("  {:>11} |", row == kChartRows ? bytes(most) : "");
        for (const double column : columns) {
            const auto height = std::lround(column / most * static_cast<double>(kChartRows));
            line += height >= static_cast<long>(row) ? '#' : ' ';
        }
        line.erase(line.find_last_not_of(' ') + 1);
        page.line(line);
    }
    page.line(fmt::format("  {:>11} +{}", "0", std::string(columns.size(), '-')));
    constexpr std::size_t kLastLabel = 3;  // columns
    page.line(fmt::format("  {:>11}  {:<{}}{:.0f} s", "", "0 s",
                          std::max(columns.size(), 3 * kLastLabel) - kLastLabel,
                          points.back().seconds - points.front().seconds));
}

}  // namespace asrtrace::report
