// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/classify/growth.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <random>
#include <vector>

#include "user/classify/keyed.h"

namespace asrtrace::classify {
namespace {

constexpr double kRequests = 300;
constexpr std::size_t kPoints = 60;

std::vector<Point> levels(const std::function<double(double)>& level) {
    std::vector<Point> points{{0, level(0)}};
    for (std::size_t i = 1; i <= kPoints; ++i) {
        const double x = kRequests * static_cast<double>(i) / static_cast<double>(kPoints);
        points.push_back({x, level(x)});
    }
    return points;
}

Growth growth_over(const std::function<double(double)>& level) {
    return growth_of(levels(level));
}

TEST(Growth, AStraightLineRises) {
    const auto growth = growth_over([](double x) { return 100 * x; });
    EXPECT_EQ(growth.shape, Shape::kRising);
    EXPECT_DOUBLE_EQ(growth.slope->value, 100);
}

TEST(Growth, EveryTenthRequestRises) {
    const auto growth = growth_over([](double x) { return 640 * std::floor(x / 10); });
    EXPECT_EQ(growth.shape, Shape::kRising);
    EXPECT_NEAR(growth.slope->value, 64, 3);
}

TEST(Growth, AFlatLevelAndAFallingOneDoNot) {
    EXPECT_EQ(growth_over([](double) { return 5000; }).shape, Shape::kNone);
    EXPECT_EQ(growth_over([](double x) { return 5000 - x; }).shape, Shape::kNone);
}

TEST(Growth, WhatComesFirstAndStaysIsAWarmup) {
    const auto growth = growth_over([](double x) { return std::min(x, 50.0) * 1000; });
    EXPECT_EQ(growth.shape, Shape::kWarmup);
    EXPECT_NEAR(growth.settled_at, 45, 6);
}

TEST(Growth, AFullCacheHasComeToRest) {
    for (const double full_at : {100.0, 150.0, 220.0, 235.0}) {
        const auto growth = growth_over([&](double x) { return std::min(x, full_at) * 1000; });
        EXPECT_EQ(growth.shape, Shape::kSaturating) << full_at;
        ASSERT_TRUE(growth.forecast);
        EXPECT_NEAR(growth.forecast->plateau_bytes, full_at * 1000, 1000);
    }
}

TEST(Growth, AFillingCacheSlowsDownAndItsPlateauIsForeseen) {
    const auto growth = growth_over([](double x) { return 1e6 * (1 - std::exp(-x / 120)); });
    EXPECT_EQ(growth.shape, Shape::kSaturating);
    ASSERT_TRUE(growth.forecast);
    EXPECT_NEAR(growth.forecast->plateau_bytes, 1e6, 1e4);
    EXPECT_NEAR(growth.forecast->at_request, 120 * std::log(20), 15);
}

TEST(Growth, ALeakBehindAWarmupHasTheSlopeOfTheLeak) {
    const auto growth = growth_over(
        [](double x) { return std::min(x, 40.0) * 5000 + std::max(0.0, x - 40) * 100; });
    EXPECT_EQ(growth.shape, Shape::kRising);
    EXPECT_NEAR(growth.slope->value, 100, 5);
}

TEST(Growth, AFallByHalfIsTold) {
    const auto purged = growth_over([](double x) { return std::fmod(x, 160) * 10; });
    ASSERT_TRUE(purged.fall);
    EXPECT_NEAR(purged.fall->from, 1500, 100);
    EXPECT_NEAR(purged.fall->to, 0, 100);
    EXPECT_NEAR(purged.fall->at_request, 162, 5);
    const auto spike = growth_over([](double x) { return x == 150 ? 1e6 : 10 * x; });
    EXPECT_FALSE(spike.fall) << "a request caught half way";
    EXPECT_FALSE(growth_over([](double x) { return 10 * x; }).fall);
}

TEST(Growth, KnowsWhenItBegan) {
    EXPECT_NEAR(growth_over([](double x) { return std::max(0.0, x - 200); }).begun_at, 210, 6);
    EXPECT_NEAR(growth_over([](double x) { return x; }).begun_at, 45, 6);
}

TEST(Growth, ACountedLevelRisesByItsMean) {
    std::mt19937 random(7);
    std::bernoulli_distribution one_of_four(0.25);
    std::vector<Point> points{{0, 0}};
    points.reserve(1 + static_cast<std::size_t>(kRequests));
    double level = 0;
    for (double x = 1; x <= kRequests; ++x) {
        if (one_of_four(random)) level += 4000;
        points.push_back({x, level});
    }
    EXPECT_DOUBLE_EQ(growth_of(points, true).slope->value, level / kRequests);
}

/// A request in four leaks, by chance; the first ones more often.
std::vector<Point> leaks_by_chance(std::mt19937& random, double early, double first_requests) {
    std::uniform_real_distribution<double> unit;
    double leaked = 0;
    double served = 0;
    return levels([&](double x) {
        for (; served < x; ++served)
            if (unit(random) < (served < first_requests ? early : 0.25)) leaked += 1000;
        return leaked;
    });
}

TEST(Growth, ALevelThatWandersHasNoWarmup) {
    std::mt19937 random(1);
    int knees = 0;
    for (int i = 0; i < 2000; ++i) knees += warmup_end(leaks_by_chance(random, 0.25, 0)) != 0;
    EXPECT_LT(knees, 20);
}

TEST(Growth, AWarmupEndsHoweverTheLeakBehindItWanders) {
    std::mt19937 random(2);
    int right = 0;
    for (int i = 0; i < 2000; ++i) {
        const auto points = leaks_by_chance(random, 1, 60);
        right += std::abs(points[warmup_end(points)].x - 60) <= 15;
    }
    EXPECT_GT(right, 1900);
}

TEST(Growth, AWarmupEndsHoweverTheLevelBehindItVaries) {
    std::mt19937 random(3);
    std::normal_distribution<double> noise(0, 20'000);
    int right = 0;
    for (int i = 0; i < 500; ++i) {
        const auto points = levels([&](double x) {
            return std::min(x, 60.0) * 10'000 + std::max(0.0, x - 60) * 1000 + noise(random);
        });
        right += std::abs(points[warmup_end(points)].x - 60) <= 15;
    }
    EXPECT_GT(right, 475);
}

TEST(Growth, WhatComesWithTheFirstRequestIsNotInTheRate) {
    const auto growth =
        growth_of(levels([](double x) { return x == 0 ? 0 : 90'000 + 16 * x; }), true);
    EXPECT_EQ(growth.shape, Shape::kRising);
    ASSERT_TRUE(growth.slope);
    EXPECT_NEAR(growth.slope->value, 16, 0.1);
    EXPECT_LT(growth.slope->ci95->hi, 17);
}

TEST(Growth, NoiseAroundALevelIsNoRise) {
    std::mt19937 random(20'241'121);
    std::uniform_real_distribution<double> noise(0, 1e6);
    int rising = 0;
    for (int run = 0; run < 300; ++run)
        rising += growth_over([&](double) { return noise(random); }).shape == Shape::kRising;
    EXPECT_LE(rising, 1);
}

std::vector<ledger::Epoch> epochs_with(
    const std::function<std::uint64_t(std::uint64_t)>& distinct) {
    std::vector<ledger::Epoch> epochs;
    for (std::uint64_t i = 1; i <= kPoints; ++i) {
        ledger::Epoch epoch{.end_ns = i * 1'000'000, .requests = 5 * i, .in_flight = 0};
        epoch.distinct_args = {distinct(epoch.requests), 1};
        epochs.push_back(epoch);
    }
    return epochs;
}

std::uint64_t of_forty(std::uint64_t requests) {
    return static_cast<std::uint64_t>(40 * (1 - std::exp(-static_cast<double>(requests) / 40)));
}

TEST(Keyed, FollowsNewInputs) {
    const auto epochs = epochs_with(of_forty);
    std::vector<double> levels;
    for (const auto& epoch : epochs)
        levels.push_back(3.0 * static_cast<double>(epoch.distinct_args[0]));
    const auto keyed = keyed_by_input(epochs, levels);
    ASSERT_TRUE(keyed);
    EXPECT_EQ(keyed->covariate, 0U);
    EXPECT_NEAR(keyed->blocks_per_value, 3, 1e-9);
}

TEST(Keyed, ALeakIsNotAndAnInputThatIsAlwaysNewCannotTell) {
    std::vector<double> levels;
    for (std::uint64_t i = 1; i <= kPoints; ++i) levels.push_back(5.0 * static_cast<double>(i));
    EXPECT_FALSE(keyed_by_input(epochs_with(of_forty), levels));
    EXPECT_FALSE(keyed_by_input(epochs_with([](std::uint64_t n) { return n; }), levels));
}

}  // namespace
}  // namespace asrtrace::classify
