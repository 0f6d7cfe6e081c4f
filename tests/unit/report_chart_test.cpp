// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// A level over time, drawn in text.
#include <gtest/gtest.h>

#include "user/report/chart.h"

namespace asrtrace::report {
namespace {

std::string drawn(const std::vector<ChartPoint>& points) {
    Page page;
    put_chart(page, points);
    return page.take();
}

TEST(ReportChart, ASawtooth) {
    std::vector<ChartPoint> points;
    for (int i = 0; i < 8; ++i) points.push_back({100.0 + i, 1000.0 * (1 + i % 4)});
    EXPECT_EQ(drawn(points),
              "      4,000 B |   #   #\n"
              "              |   #   #\n"
              "              |  ##  ##\n"
              "              |  ##  ##\n"
              "              | ### ###\n"
              "              | ### ###\n"
              "              |########\n"
              "              |########\n"
              "            0 +--------\n"
              "               0 s   7 s\n");
}

TEST(ReportChart, ManyPointsShowTheirPeaks) {
    std::vector<ChartPoint> points(1000);
    for (std::size_t i = 0; i < points.size(); ++i)
        points[i] = {static_cast<double>(i), i == 500 ? 100.0 : 10.0};
    const std::string text = drawn(points);
    EXPECT_EQ(text.find('#'), text.rfind('#', text.find('\n'))) << "one column reaches the top";
    for (std::size_t at = 0; at < text.size(); at = text.find('\n', at) + 1)
        EXPECT_LE(text.find('\n', at) - at, kPageColumns);
}

TEST(ReportChart, NothingToDraw) {
    EXPECT_EQ(drawn({}), "");
    EXPECT_EQ(drawn({{0, 5}}), "");
    EXPECT_EQ(drawn({{0, 0}, {1, 0}}), "");
    EXPECT_NE(drawn({{3, 5}, {3, 5}}), "") << "no time between them";
}

}  // namespace
}  // namespace asrtrace::report
