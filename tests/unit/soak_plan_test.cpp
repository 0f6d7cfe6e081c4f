// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Where the windows lie, and what lacks for a verdict.
#include <gtest/gtest.h>

#include <string>

#include "tests/unit/soak_fixture.h"

namespace asrtrace::soak {
namespace {

void expect_windows(const Plan& plan, const std::array<std::array<std::int64_t, 2>, 4>& bounds) {
    const auto windows = windows_of(plan);
    for (std::size_t i = 0; i < kWindows; ++i) {
        EXPECT_EQ(windows[i].begin, bounds[i][0]) << windows[i].name;
        EXPECT_EQ(windows[i].end, bounds[i][1]) << windows[i].name;
    }
}

TEST(SoakPlan, WindowsScaleWithTheirPhase) {
    expect_windows({}, {{{180, 300}, {600, 900}, {3600, 3900}, {4500, 4800}}});
    expect_windows({.scale = *parse_scale("1/20")}, {{{9, 15}, {30, 45}, {180, 195}, {225, 240}}});
    expect_windows({.scale = *parse_scale("0.05")}, {{{9, 15}, {30, 45}, {180, 195}, {225, 240}}});
    expect_windows({.baseline = 100, .load = 1200, .recovery = 90},
                   {{{60, 100}, {200, 300}, {1200, 1300}, {1360, 1390}}});
    // 4.5 to 7.5, 15 to 22.5, 90 to 97.5, 112.5 to 120: whole seconds from the next one on.
    expect_windows({.scale = *parse_scale("1/40")}, {{{5, 8}, {15, 23}, {90, 98}, {113, 120}}});
    EXPECT_EQ(Plan{}.seconds(), 4800);
}

TEST(SoakPlan, ScalesAreFractionsUpToOne) {
    for (const char* good : {"1", "1/20", "3/4", "0.05", "1.0", "1/1000000", "0.000001"})
        EXPECT_TRUE(parse_scale(good)) << good;
    for (const char* bad : {"", "0", "2", "1/0", "0/5", "2/1", "-1", "1/-2", "1/", "/2", "1.", "x",
                            "1/2/3", "1.5", "0.0000001", "1/1000001", "1e-2", " 1"})
        EXPECT_FALSE(parse_scale(bad)) << bad;
}

TEST(SoakPlan, TheSampleScalesDownToASecond) {
    EXPECT_EQ((Plan{.sample = 40, .scale = *parse_scale("1/20")}).step(), 2);
    EXPECT_EQ((Plan{.sample = 5, .scale = *parse_scale("1/20")}).step(), 1);
    EXPECT_FALSE(Plan{}.step());
}

/// The reason for which there is no verdict; the empty text if there is one.
std::string lacking(const std::vector<Row>& rows, const Plan& plan = {}) {
    const auto verdict = judge(rows, plan);
    return verdict ? "" : verdict.error().message;
}

TEST(SoakPlan, AGapIsNamed) {
    auto rows = rows_of({});
    rows.erase(rows.begin() + 101, rows.begin() + 103);
    EXPECT_EQ(lacking(rows), "") << "15 s without a row are three steps";
    rows.erase(rows.begin() + 101);
    const auto message = lacking(rows);
    EXPECT_NE(message.find("gap: no row between 500 s and 520 s (lines 102 and 103)"),
              std::string::npos)
        << message;
    EXPECT_EQ(lacking(rows, {.sample = 7}), "") << "21 s were allowed";
}

TEST(SoakPlan, AShortFileIsNamed) {
    EXPECT_NE(lacking({}).find("short"), std::string::npos);
    auto rows = rows_of({});
    rows.resize(rows.size() - 2);
    EXPECT_EQ(lacking(rows), "") << "the last row at 4785 s";
    rows.pop_back();
    EXPECT_NE(lacking(rows).find("short: the last row is at 4780 s of 4800 s;"), std::string::npos)
        << lacking(rows);
    rows.resize(500);
    EXPECT_NE(lacking(rows).find("no rows in window late [3600,3900), recovery [4500,4800)"),
              std::string::npos)
        << lacking(rows);
}

TEST(SoakPlan, AWindowWithoutRowsIsNamed) {
    const Plan plan{.baseline = 200};
    EXPECT_EQ(lacking(rows_of({}, plan, 160), plan), "") << "a row at 160 s";
    const auto message = lacking(rows_of({}, plan, 240), plan);
    EXPECT_NE(message.find("no rows in window baseline [120,200)"), std::string::npos) << message;
}

}  // namespace
}  // namespace asrtrace::soak
