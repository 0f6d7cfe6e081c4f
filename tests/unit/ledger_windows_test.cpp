// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Allocations that are seen in windows only: what sites hold comes from the heap's size classes,
// who holds it from the windows' survivors.
#include <gtest/gtest.h>

#include "tests/unit/ledger_fixture.h"

namespace asrtrace::ledger {
namespace {

constexpr std::uint64_t kMillisecond = 1'000'000;

class Windows : public testing::Test {
  protected:
    Windows() {
        heap({});
        script.begin();
        script.done();
    }

    void heap(const std::vector<ClassLevel>& levels) { script.ledger.read_heap(levels, true); }
    void pass(std::uint64_t milliseconds) {
        for (std::uint64_t i = 0; i < milliseconds; i += 50) {
            script.now_ns += 50 * kMillisecond;
            script.ledger.tick(script.now_ns);
        }
    }
    /// A request that leaves a block of each stack behind.
    void request(std::initializer_list<std::pair<decode::StackKey, std::uint64_t>> left) {
        script.begin();
        for (const auto& [stack, size] : left) script.alloc(next += 0x1000, size, stack);
        script.alloc(0x10, 100, 1);
        script.free(0x10);
        script.done();
    }
    void close() { script.ledger.close_window(script.now_ns); }
    void open() { script.ledger.open_window(script.now_ns); }

    Script script;
    std::uint64_t next = 0x100000;
};

TEST_F(Windows, GrowthOfAClassGoesToItsSurvivorsByTheirShare) {
    for (int i = 0; i < 30; ++i) request({{1, 100}});
    for (int i = 0; i < 10; ++i) request({{2, 100}, {3, 1000}});
    pass(1000);
    close();
    // Chunks of 112 bytes hold 100, chunks of 1,008 (up to 1,008) hold 1,000.
    heap({{112, 4000}, {1008, 500}});
    const auto rows = script.finish();
    EXPECT_EQ(rows.at(1).outlived_blocks, 3000U);
    EXPECT_EQ(rows.at(1).outlived_bytes, 300000U);
    EXPECT_EQ(rows.at(2).outlived_blocks, 1000U);
    EXPECT_EQ(rows.at(3).outlived_blocks, 500U);
    EXPECT_EQ(rows.at(3).outlived_bytes, 500000U);
}

TEST_F(Windows, GrowthThatNoWindowSawIsNobodys) {
    request({{1, 100}});
    pass(1000);
    close();
    heap({{112, 50}, {528, 10}});
    const auto rows = script.finish();
    EXPECT_EQ(rows.at(1).outlived_blocks, 50U);
    EXPECT_EQ(rows.at(kUnknownStack.value).outlived_blocks, 10U);
}

TEST_F(Windows, BlocksOfVariousSizesMayBeOfAClassThatNoWindowSaw) {
    request({{1, 100}, {2, 300}, {2, 500}});
    pass(1000);
    close();
    heap({{400, 10}});
    const auto rows = script.finish();
    EXPECT_EQ(rows.at(2).outlived_blocks, 10U);
    EXPECT_EQ(rows.at(1).outlived_blocks, 0U);
}

TEST_F(Windows, AFreeThatNobodySawMakesNoLeak) {
    for (int i = 0; i < 20; ++i) request({{1, 100}});
    pass(1000);
    heap({{112, 20}});
    close();
    heap({});  // all of them were freed between the windows
    const auto rows = script.finish();
    EXPECT_EQ(rows.at(1).outlived_blocks, 0U);
    EXPECT_EQ(rows.at(1).live_blocks, 0U);
}

TEST_F(Windows, YoungBlocksAndThoseOfRunningRequestsAreNoSurvivors) {
    request({{1, 100}});
    script.begin();
    script.alloc(0x20, 100, 2);  // its request still runs when the window ends
    pass(1000);
    script.alloc(0x30, 100, 3, 7);  // of a thread without a request, a moment ago
    close();
    heap({{112, 60}});
    const auto rows = script.finish();
    EXPECT_EQ(rows.at(1).outlived_blocks, 60U);
    EXPECT_EQ(rows.at(2).outlived_blocks, 0U);
    EXPECT_EQ(rows.at(3).outlived_blocks, 0U);
}

TEST_F(Windows, SurvivorsOfSeveralWindowsCountTogether) {
    for (int i = 0; i < 10; ++i) request({{1, 100}});
    pass(1000);
    close();
    pass(20000);
    open();
    for (int i = 0; i < 30; ++i) request({{2, 100}});
    pass(1000);
    close();
    heap({{112, 400}});
    const auto rows = script.finish();
    EXPECT_EQ(rows.at(1).outlived_blocks, 100U);
    EXPECT_EQ(rows.at(2).outlived_blocks, 300U);
}

TEST_F(Windows, ASurvivorThatIsFreedLaterSaysSo) {
    request({{1, 100}});
    pass(1000);
    close();
    open();
    script.free(0x101000);
    script.alloc(0x101000, 200, 5);
    pass(1000);
    close();
    const auto rows = script.finish();
    EXPECT_EQ(rows.at(1).late_freed_blocks, 1U);
}

TEST_F(Windows, WhatNothingPointsToIsTheLeakersOfTheClass) {
    for (int i = 0; i < 10; ++i) request({{1, 100}, {2, 100}});
    pass(1000);
    close();
    std::vector<LostBlock> lost;
    script.lose(lost);
    // Every second block: those of stack 1. And 200 of which no window knows.
    for (std::uint64_t i = 0; i < 10; ++i) lost.push_back({0x101000 + i * 0x2000, 112});
    for (std::uint64_t i = 0; i < 200; ++i) lost.push_back({0x7000000 + i * 0x1000, 112});
    heap({{112, 420}});
    const Unmatched unmatched = script.lose(lost);
    EXPECT_EQ(unmatched.chunks, 200U);
    const auto rows = script.finish();
    EXPECT_EQ(rows.at(1).unreachable_blocks, 210U);
    EXPECT_EQ(rows.at(2).unreachable_blocks, 0U);
}

TEST_F(Windows, WhatWasLostBeforeAWindowIsNobodysLeak) {
    std::vector<LostBlock> lost;
    for (std::uint64_t i = 0; i < 200; ++i) lost.push_back({0x7000000 + i * 0x1000, 112});
    script.lose(lost);  // everything is followed yet
    for (int i = 0; i < 10; ++i) request({{1, 100}});
    pass(1000);
    close();
    for (std::uint64_t i = 0; i < 10; ++i) lost.push_back({0x101000 + i * 0x1000, 112});
    for (std::uint64_t i = 0; i < 50; ++i) lost.push_back({0x8000000 + i * 0x1000, 112});
    heap({{112, 420}});
    script.lose(lost);
    EXPECT_EQ(script.finish().at(1).unreachable_blocks, 60U);
}

TEST_F(Windows, TheOnlyMarkingFindsTheLeakOfWhatGrew) {
    for (int i = 0; i < 10; ++i) request({{1, 100}});
    pass(1000);
    close();
    std::vector<LostBlock> lost;
    for (std::uint64_t i = 0; i < 200; ++i) lost.push_back({0x7000000 + i * 0x1000, 112});
    for (std::uint64_t i = 0; i < 10; ++i) lost.push_back({0x101000 + i * 0x1000, 112});
    heap({{112, 50}});  // more than before: the others were lost before the attach
    script.lose(lost);
    EXPECT_EQ(script.finish().at(1).unreachable_blocks, 50U);
}

TEST_F(Windows, WhatALongWindowSawStaysAndGrowthGoesOnFromThere) {
    heap({{112, 1000}});
    for (int i = 0; i < 50; ++i) request({{1, 100}});
    pass(10000);
    close();
    heap({{112, 1050}});
    pass(1000);
    heap({{112, 1080}});
    const auto rows = script.finish();
    EXPECT_EQ(rows.at(1).outlived_blocks, 80U);
}

TEST_F(Windows, NothingIsToldOfBlocksByPathAnyMore) {
    const auto serve = [&](std::uint64_t id) {
        script.http_begin(id, 1, "/leaky");
        script.alloc(next += 0x1000, 256);
        script.http_done(id);
    };
    for (std::uint64_t id = 1; id <= 10; ++id) serve(id);
    EXPECT_EQ(script.ledger.path_totals().at(1).held_bytes, 2560U);
    pass(10000);
    close();
    for (std::uint64_t id = 11; id <= 300; ++id) serve(id);
    open();
    script.free(0x101000);  // what the first window left behind
    for (std::uint64_t id = 301; id <= 310; ++id) serve(id);
    script.finish();
    const PathTotals leaky = script.ledger.path_totals().at(1);
    EXPECT_EQ(leaky.requests, 310U);
    EXPECT_EQ(leaky.body_bytes, 310U * 300);
    EXPECT_EQ(leaky.held_bytes + leaky.held_blocks + leaky.allocated_bytes, 0U);
    EXPECT_TRUE(script.ledger.site_paths().empty());
    EXPECT_EQ(script.ledger.lifetimes(), Lifetimes{});
}

TEST_F(Windows, ARequestOutsideOfThemLeavesNothingKnown) {
    pass(1000);
    close();
    request({{1, 100}});
    script.finish();
    EXPECT_EQ(script.requests.back().outlived_bytes, 0U);
    EXPECT_EQ(script.requests.back().allocated_bytes, 0U);
}

}  // namespace
}  // namespace asrtrace::ledger
