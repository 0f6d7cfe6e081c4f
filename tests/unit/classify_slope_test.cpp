// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Slopes of series whose truth is known.
#include "user/classify/slope.h"

#include <gtest/gtest.h>

#include <functional>
#include <random>
#include <vector>

namespace asrtrace::classify {
namespace {

using Level = std::function<double(int)>;

std::vector<Point> series(int points, double step, const Level& level) {
    std::vector<Point> out{{0, 0}};
    for (int i = 1; i <= points; ++i) out.push_back({i * step, level(i)});
    return out;
}

TEST(Slope, AnExactLeakIsExact) {
    const auto slope = theil_sen(series(40, 10, [](int i) { return 4096.0 * 10 * i; }));
    ASSERT_TRUE(slope && slope->ci95);
    EXPECT_DOUBLE_EQ(slope->value, 4096);
    EXPECT_DOUBLE_EQ(slope->ci95->lo, 4096);
    EXPECT_DOUBLE_EQ(slope->ci95->hi, 4096);
    EXPECT_TRUE(slope->rises());
}

TEST(Slope, AWarmUpInFrontOfALeakDoesNotHideIt) {
    const auto slope =
        theil_sen(series(40, 10, [](int i) { return 30e6 * (i > 1 ? 1 : 0) + 1000.0 * i; }));
    ASSERT_TRUE(slope && slope->ci95);
    EXPECT_NEAR(slope->value, 100, 1);
    EXPECT_TRUE(slope->rises());
}

TEST(Slope, ARequestsOwnBufferDoesNotRise) {
    std::mt19937 random(1);
    const auto slope =
        theil_sen(series(60, 10, [&](int) { return static_cast<double>(random() % 3) * 1e6; }));
    ASSERT_TRUE(slope && slope->ci95);
    EXPECT_TRUE(slope->ci95->contains(0));
    EXPECT_NEAR(slope->value, 0, 500);
}

TEST(Slope, ABoundedCacheIsFlatOnceItIsFull) {
    const auto slope = theil_sen(series(60, 10, [](int i) { return std::min(i, 12) * 1e6; }));
    ASSERT_TRUE(slope && slope->ci95);
    EXPECT_EQ(slope->value, 0);
    EXPECT_TRUE(slope->ci95->contains(0));
}

TEST(Slope, EqualLevelsAndFewPoints) {
    const auto flat = theil_sen(series(20, 1, [](int) { return 0; }));
    ASSERT_TRUE(flat && flat->ci95);
    EXPECT_EQ(flat->value, 0);
    EXPECT_EQ(flat->ci95->hi, 0);
    EXPECT_FALSE(theil_sen({}).has_value());
    const std::vector<Point> one{{1, 1}};
    EXPECT_FALSE(theil_sen(one).has_value());
    const std::vector<Point> upright{{1, 1}, {1, 2}, {1, 3}};
    EXPECT_FALSE(theil_sen(upright).has_value());
    const std::vector<Point> two{{0, 0}, {10, 50}};
    ASSERT_TRUE(theil_sen(two).has_value());
    EXPECT_DOUBLE_EQ(theil_sen(two)->value, 5);
    EXPECT_FALSE(theil_sen(two)->ci95.has_value()) << "two points prove nothing";
    EXPECT_FALSE(theil_sen(two)->rises());
}

/// How often the interval holds the truth of 1,000 bytes a request, over 400 series.
double coverage(int points, const std::function<Level(std::mt19937_64&)>& make) {
    std::mt19937_64 random(static_cast<std::uint64_t>(points));
    int held = 0;
    constexpr int kRuns = 400;
    for (int run = 0; run < kRuns; ++run) {
        const auto slope = theil_sen(series(points, 10, make(random)));
        held += slope && slope->ci95 && slope->ci95->contains(1000) ? 1 : 0;
    }
    return static_cast<double>(held) / kRuns;
}

TEST(Slope, IntervalsHoldTheTruthWhereEachLevelErrsByItself) {
    for (const int points : {6, 12, 40, 99})
        EXPECT_GE(coverage(points,
                           [](std::mt19937_64& random) {
                               return [&](int i) {
                                   return 1e4 * i + std::normal_distribution<>(0, 3000)(random);
                               };
                           }),
                  0.94)
            << points;
}

TEST(Slope, IntervalsHoldTheTruthWhereLeaksVaryFromRequestToRequest) {
    for (const int points : {6, 12, 40, 99})
        EXPECT_GE(coverage(points,
                           [](std::mt19937_64& random) {
                               return [&random, level = 0.0](int) mutable {
                                   for (int k = 0; k < 10; ++k)
                                       level += std::exponential_distribution<>(1e-3)(random);
                                   return level;
                               };
                           }),
                  0.89)
            << points;
}

TEST(Slope, IntervalsHoldTheTruthOfRareLeaks) {
    for (const int points : {12, 40, 99})
        EXPECT_GE(coverage(points,
                           [](std::mt19937_64& random) {
                               return [&random, level = 0.0](int) mutable {
                                   for (int k = 0; k < 10; ++k)
                                       level += std::bernoulli_distribution(0.1)(random) ? 1e4 : 0;
                                   return level;
                               };
                           }),
                  0.88)
            << points;
}

TEST(Slope, NothingIsRarelyTakenForGrowth) {
    std::mt19937_64 random(3);
    int wrong = 0;
    for (int run = 0; run < 400; ++run) {
        double level = 0;
        const auto slope = theil_sen(series(
            40, 10, [&](int) { return level += std::normal_distribution<>(0, 1e5)(random); }));
        wrong += slope->rises() ? 1 : 0;
    }
    EXPECT_LE(wrong, 20) << "a level that wanders without drift";
}

}  // namespace
}  // namespace asrtrace::classify
