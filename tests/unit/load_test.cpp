// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// A load: which files, and what is counted of its requests. How it is sent: live.soak.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>

#include "user/load/latency.h"
#include "user/load/plan.h"
#include "user/load/tally.h"

namespace asrtrace::load {
namespace {

namespace fs = std::filesystem;

TEST(LoadLatencies, PercentilesByNearestRankWithinOnePercent) {
    Latencies latencies;
    EXPECT_EQ(latencies.percentile(50), 0);
    for (int i = 1; i <= 1000; ++i) latencies.add(i);
    EXPECT_EQ(latencies.count(), 1000U);
    EXPECT_NEAR(latencies.percentile(50), 500, 5);
    EXPECT_NEAR(latencies.percentile(95), 950, 9.5);
    EXPECT_NEAR(latencies.percentile(99), 990, 9.9);
    EXPECT_LE(latencies.percentile(100), latencies.most());
    EXPECT_EQ(latencies.most(), 1000);
}

TEST(LoadLatencies, TinyOnesAreNoError) {
    Latencies latencies;
    latencies.add(0);
    EXPECT_EQ(latencies.count(), 1U);
    EXPECT_EQ(latencies.percentile(100), 0);
}

class LoadFiles : public testing::Test {
  protected:
    void SetUp() override {
        // Tests of this fixture run at the same time.
        std::string pattern = testing::TempDir() + "load-files-XXXXXX";
        ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
        directory_ = pattern;
        for (const char* name : {"b.wav", "a.wav", "c.txt"})
            std::ofstream(directory_ / name) << "content of " << name;
        std::ofstream(directory_ / "empty.bin");
    }
    void TearDown() override { fs::remove_all(directory_); }

    fs::path directory_;
};

TEST_F(LoadFiles, OneFileOrTheWavsOfADirectory) {
    const auto one = read_uploads("audio=@" + (directory_ / "c.txt").string());
    ASSERT_TRUE(one);
    ASSERT_EQ(one->size(), 1U);
    EXPECT_EQ(one->front().field, "audio");
    EXPECT_EQ(one->front().name, "c.txt");
    EXPECT_EQ(one->front().content, "content of c.txt");
    const auto all = read_uploads("audio=@" + directory_.string());
    ASSERT_TRUE(all);
    ASSERT_EQ(all->size(), 2U);
    EXPECT_EQ(all->at(0).name, "a.wav");
    EXPECT_EQ(all->at(1).name, "b.wav");
}

TEST_F(LoadFiles, WhatCannotBeSentIsNamed) {
    for (const std::string argument : {"audio", "audio=x.wav", "=@x.wav", "audio=@"})
        EXPECT_FALSE(read_uploads(argument)) << argument;
    const auto missing = read_uploads("a=@/nonexistent.wav");
    ASSERT_FALSE(missing);
    EXPECT_NE(missing.error().message.find("/nonexistent.wav"), std::string::npos);
    EXPECT_FALSE(read_uploads("a=@" + (directory_ / "empty.bin").string()));
}

Plan of_uploads(std::size_t count) {
    Plan plan;
    plan.uploads.resize(count);
    return plan;
}

TEST(LoadOrder, CyclesOrDraws) {
    Plan plan = of_uploads(3);
    Order cycle(plan);
    std::vector<std::size_t> seen;
    for (int i = 0; i < 7; ++i) seen.push_back(cycle.next());
    EXPECT_EQ(seen, (std::vector<std::size_t>{0, 1, 2, 0, 1, 2, 0}));
    plan.random = true;
    Order one(plan);
    Order same(plan);
    std::set<std::size_t> drawn;
    for (int i = 0; i < 100; ++i) {
        const std::size_t index = one.next();
        EXPECT_EQ(index, same.next());
        drawn.insert(index);
    }
    EXPECT_EQ(drawn, (std::set<std::size_t>{0, 1, 2}));
}

Outcome outcome(double due, double latency_ms, int status, const std::string& error = {}) {
    return {.due_seconds = due,
            .sent_seconds = due + 0.002,
            .latency_ms = latency_ms,
            .status = status,
            .error = error};
}

TEST(LoadTally, CountsAndSpans) {
    Tally tally;
    tally.early_span = {1, 2};
    tally.late_span = {3, 5};
    // As they end: not in the order in which they were due.
    tally.add(outcome(1, 10, 200));
    tally.add(outcome(0, 5000, 200));
    tally.add(outcome(2, 20, 503, "busy"));
    tally.add(outcome(4, 30, 0, "refused"));
    tally.add(outcome(3, 40, 200));
    EXPECT_EQ(tally.requests, 5U);
    EXPECT_EQ(tally.failed(), 2U);
    EXPECT_EQ(tally.by_status, (std::map<int, std::uint64_t>{{0, 1}, {200, 3}, {503, 1}}));
    EXPECT_EQ(tally.early.count(), 1U) << "[1,2) is half-open";
    EXPECT_EQ(tally.late.count(), 1U);
    EXPECT_EQ(tally.all.most(), 5000);
    EXPECT_EQ(tally.first_error, "HTTP 503: busy");
    EXPECT_EQ(tally.last_error, "no answer: refused");
    EXPECT_EQ(tally.failed_in_a_row, 0U);
    EXPECT_DOUBLE_EQ(tally.mean_rate(), 1);
    EXPECT_NEAR(tally.most_late_ms, 2, 1e-6);
}

TEST(LoadTally, FailuresInARow) {
    Tally tally;
    for (int i = 0; i < 3; ++i) tally.add(outcome(i, 1, 500));
    EXPECT_EQ(tally.failed_in_a_row, 3U);
    tally.add(outcome(3, 1, 200));
    EXPECT_EQ(tally.failed_in_a_row, 0U);
}

}  // namespace
}  // namespace asrtrace::load
