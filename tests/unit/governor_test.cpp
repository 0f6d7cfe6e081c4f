// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The budget over simulated hours: a target of some load, whose probes cost what they cost.
#include "tools/asrtrace/governor.h"

#include <gtest/gtest.h>

#include <vector>

#include "tools/asrtrace/fault_sampling.h"
#include "tools/asrtrace/heap_schedule.h"

namespace asrtrace {
namespace {

TEST(FaultSampling, FewFaultsAreLeftAlone) {
    constexpr std::uint64_t kMean = 64 << 10;
    EXPECT_EQ(fault_shift_for(0, 1, kMean), 0U);
    EXPECT_EQ(fault_shift_for(128 * kMean, 1, kMean), 0U);
    EXPECT_EQ(fault_shift_for(129 * kMean, 1, kMean), 1U);
    EXPECT_EQ(fault_shift_for(129 * kMean, 8, kMean), 1U);
    EXPECT_EQ(fault_shift_for(2000 * kMean, 1, kMean), 4U) << "125 samples a second";
    EXPECT_EQ(fault_shift_for(400 * kMean, 0.1, kMean), 4U) << "25 samples a second";
    EXPECT_EQ(fault_shift_for(16 * kMean, 0, kMean), 0U);
    EXPECT_EQ(fault_shift_for(17 * kMean, 0, kMean), 1U);
    EXPECT_EQ(fault_shift_for(1e18, 1, kMean), kMostFaultShift);
}

TEST(HeapSchedule, ALongRunIsReadLessOften) {
    constexpr std::uint64_t kSecond = 1'000'000'000;
    const auto pause_after = [](std::uint64_t age, std::uint64_t cpu_ns) {
        HeapSchedule schedule(kSecond);
        const std::uint64_t now = kSecond + age;
        schedule.reading_took(now, cpu_ns);
        std::uint64_t pause = 0;
        while (!schedule.due(now + pause, 0)) pause += kSecond / 100;
        return static_cast<double>(pause) / static_cast<double>(kSecond);
    };
    EXPECT_DOUBLE_EQ(pause_after(0, 0), 0.4);
    EXPECT_DOUBLE_EQ(pause_after(20 * kSecond, 0), 0.4);
    EXPECT_DOUBLE_EQ(pause_after(100 * kSecond, 0), 2);
    EXPECT_DOUBLE_EQ(pause_after(100 * kSecond, kSecond), 25);
    EXPECT_DOUBLE_EQ(pause_after(100'000 * kSecond, 0), 10);
}

TEST(HeapSchedule, WhoWaitsIsNotKeptWaiting) {
    constexpr std::uint64_t kNow = 100'000'000'000;
    HeapSchedule schedule(0);
    schedule.reading_took(kNow, 0);
    schedule.reach_took(kNow, 0);
    EXPECT_FALSE(schedule.due(kNow, 0));
    EXPECT_FALSE(schedule.reach_due(kNow));
    schedule.hurry();
    EXPECT_TRUE(schedule.due(kNow, 3)) << "though requests are under way";
    EXPECT_TRUE(schedule.reach_due(kNow));
}

constexpr std::uint64_t kStep = 100'000'000;

/// A target that uses `own` of a CPU, and `price` times as much for probes while they are in.
class Simulation {
  public:
    explicit Simulation(double budget = 0.02, bool reopens = true, std::uint64_t seed = 1)
        : governor(budget, reopens, 0, seed) {
        governor.opened({});
    }

    void run(double seconds) {
        const auto steps = static_cast<int>(seconds * 10);
        for (int i = 0; i < steps; ++i) {
            now.now_ns += kStep;
            // A loop that does nothing but allocate gets less done: the CPU is only one.
            const double wanted = own * (1 + (open ? price : 0));
            const double scale = std::min(1.0, 1 / wanted);
            now.target_seconds += 0.1 * wanted * scale;
            now.probe_seconds += open ? 0.1 * own * price * scale : 0;
            open_seconds += open ? 0.1 : 0;
            own_seconds += 0.1 * own * scale;
            switch (governor.advance(now)) {
                case Governor::Order::kNone:
                    break;
                case Governor::Order::kOpen:
                    opened_at.push_back(seconds_now());
                    if (!refused.empty()) {
                        governor.not_opened(now, refused);
                        break;
                    }
                    open = true;
                    governor.opened(now);
                    break;
                case Governor::Order::kClose:
                    open = false;
                    closed_at.push_back(seconds_now());
                    break;
            }
        }
    }

    double seconds_now() const { return static_cast<double>(now.now_ns) * 1e-9; }
    double share() const { return now.probe_seconds / own_seconds; }

    Governor governor;
    Usage now;
    double own = 0.3, price = 0.5;
    bool open = true;
    std::string refused;  ///< why the kernel takes no probes
    double open_seconds = 0, own_seconds = 0;
    std::vector<double> opened_at, closed_at;
};

TEST(Governor, WhatFitsIsDoneAllTheTime) {
    Simulation target;
    target.price = 0.015;
    target.run(600);
    EXPECT_EQ(target.governor.mode(), Governor::Mode::kFull);
    EXPECT_TRUE(target.closed_at.empty());
    EXPECT_TRUE(target.governor.take_news().empty());
}

TEST(Governor, WindowsThatCannotBeOpenedAreTriedLessAndLess) {
    Simulation target;
    target.run(60);
    ASSERT_FALSE(target.open);
    target.governor.take_news();
    target.opened_at.clear();
    target.refused = "malloc: out of memory";
    target.run(3600);
    EXPECT_STREQ(target.governor.mode_name(), "watch");
    EXPECT_GE(target.opened_at.size(), 5U);
    EXPECT_LE(target.opened_at.size(), 10U);
    const auto news = target.governor.take_news();
    ASSERT_EQ(news.size(), 1U) << "each reason once";
    EXPECT_NE(news[0].find(": allocations cannot be followed for now: malloc: out of memory"),
              std::string::npos)
        << news[0];
    target.refused.clear();
    target.run(3600);
    EXPECT_EQ(target.governor.mode(), Governor::Mode::kWindows) << "it is possible again";
    EXPECT_GT(target.open_seconds, 30);
}

TEST(Governor, AFirstWindowThatCannotBeOpened) {
    for (const bool reopens : {true, false}) {
        Simulation target(0.02, reopens);
        target.governor.not_opened({}, "malloc: no");
        target.open = false;
        target.run(600);
        EXPECT_EQ(target.opened_at.empty(), !reopens);
    }
}

TEST(Governor, WindowsKeepTheBudgetAndTakeAtMostATwentiethOfTheTime) {
    for (const double price : {0.05, 0.5, 1.0, 2.0}) {
        Simulation target;
        target.price = price;
        target.run(20000);
        EXPECT_EQ(target.governor.mode(), Governor::Mode::kWindows) << price;
        EXPECT_LT(target.share(), 0.0055) << price << ": a quarter of the budget";
        EXPECT_LT(target.open_seconds / target.seconds_now(), 0.055) << price;
        EXPECT_GT(target.opened_at.size(), 20000 / 20 * 0.02 / price / 3) << price;
        EXPECT_EQ(target.governor.take_news().size(), 1U);
    }
}

TEST(Governor, WindowsAreOfRandomPhase) {
    Simulation target;
    target.run(10'000);
    ASSERT_GT(target.opened_at.size(), 50U);
    double least = 1e9, most = 0;
    for (std::size_t i = 1; i < target.opened_at.size(); ++i) {
        const double pause = target.opened_at[i] - target.closed_at[i];
        least = std::min(least, pause);
        most = std::max(most, pause);
    }
    EXPECT_GT(most, 2 * least);
}

TEST(Governor, ATightLoopIsLeftAloneAtOnceAndTriedAgainSeldom) {
    Simulation target;
    target.own = 1;
    target.price = 200;
    target.run(3600);
    ASSERT_FALSE(target.closed_at.empty());
    EXPECT_LE(target.closed_at.front(), 0.2);
    EXPECT_EQ(target.governor.mode(), Governor::Mode::kWatch);
    EXPECT_LT(target.opened_at.size(), 20U);
    EXPECT_LT(target.share(), 0.01);
    const auto news = target.governor.take_news();
    ASSERT_EQ(news.size(), 1U);
    EXPECT_NE(news[0].find("stepped down to watch"), std::string::npos) << news[0];
}

TEST(Governor, StepsDownWithinTwoSecondsWhenTheRateRises) {
    for (const double price : {0.3, 200.0}) {
        Simulation target;
        target.price = 0.01;
        target.run(60);
        ASSERT_EQ(target.governor.mode(), Governor::Mode::kFull);
        target.price = price;
        target.run(2);
        EXPECT_FALSE(target.open) << price;
        EXPECT_EQ(target.governor.mode(),
                  price > 3 ? Governor::Mode::kWatch : Governor::Mode::kWindows);
        EXPECT_EQ(target.governor.take_news().size(), 1U);
    }
}

TEST(Governor, ATimedRunThatWasInterruptedIsNoReasonToStepDown) {
    Simulation target(10);
    target.own = 0.06;
    target.price = 0.15;
    target.now.probe_seconds = 0.2;  // by the mean of a few runs; the target itself used 0.007
    target.run(0.1);
    target.now.probe_seconds -= 0.2;
    target.run(60);
    EXPECT_EQ(target.governor.mode(), Governor::Mode::kFull);
    EXPECT_TRUE(target.closed_at.empty());
}

TEST(Governor, ComesBackWhenTheRateFalls) {
    Simulation target;
    target.own = 0.9;
    target.price = 100;
    target.run(10);
    ASSERT_EQ(target.governor.mode(), Governor::Mode::kWatch);
    target.own = 0.3;
    target.price = 0.01;
    target.run(600);
    EXPECT_EQ(target.governor.mode(), Governor::Mode::kFull);
}

TEST(Governor, WithoutQuickProbesThereAreNoWindows) {
    Simulation target(0.02, false);
    target.run(1000);
    EXPECT_EQ(target.governor.mode(), Governor::Mode::kWatch);
    EXPECT_TRUE(target.opened_at.empty());
    EXPECT_NE(target.governor.take_news().at(0).find("for good"), std::string::npos);
}

TEST(Governor, AnIdleTargetIsFollowedUntilItWorks) {
    Simulation target;
    target.own = 1e-5;
    target.run(100);
    EXPECT_TRUE(target.open);
    target.own = 0.5;
    target.run(3);
    EXPECT_FALSE(target.open);
}

}  // namespace
}  // namespace asrtrace
