// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// What malloc_trim gives back, what is unreachable, and readings of a heap that changes.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>

#include "tests/live/heap_target_process.h"
#include "user/heap/heap_reader.h"
#include "user/heap/process_memory.h"

namespace asrtrace::heap {
namespace {

CensusOptions with(bool stop, bool reach) {
    CensusOptions options;
    options.stop = stop;
    options.reach = reach;
    return options;
}

class Trim : public testing::TestWithParam<const char*> {};

TEST_P(Trim, IsPredictedWithinOnePercent) {
    TargetProcess target({program("heap_target"), GetParam(), fresh_seed()});
    ASSERT_GT(target.pid(), 0);
    target.ask("free");
    const CensusOutcome outcome = HeapReader(target.pid(), with(true, false)).take();
    ASSERT_TRUE(outcome.census) << outcome.failure.reason;
    const auto released = static_cast<double>(target.ask("trim").at("released"));
    const auto predicted = static_cast<double>(outcome.census->totals.releasable);
    std::printf("%s: predicted %.0f, released %.0f\n", GetParam(), predicted, released);
    EXPECT_GT(released, 1 << 20);
    EXPECT_NEAR(predicted, released, 0.01 * released);
    EXPECT_GE(outcome.census->totals.resident_free, outcome.census->totals.releasable);
}

INSTANTIATE_TEST_SUITE_P(Kinds, Trim,
                         testing::Values("single", "threads", "noncontiguous", "foreign",
                                         "aligned"));

class Leaks : public testing::TestWithParam<bool> {};

TEST_P(Leaks, AreFoundAndNothingElse) {
    TargetProcess target({program("heap_target"), "leaks", fresh_seed()});
    ASSERT_GT(target.pid(), 0);
    const auto info = target.ask("info");
    const CensusOutcome outcome = HeapReader(target.pid(), with(GetParam(), true)).take();
    ASSERT_TRUE(outcome.census && outcome.census->reach) << outcome.failure.reason;
    const Reach& reach = *outcome.census->reach;
    std::printf("planted %lu bytes, unreachable %lu in %zu chunks\n",
                static_cast<unsigned long>(info.at("planted")),
                static_cast<unsigned long>(reach.unreachable_bytes), reach.leaked.size());
    std::uint64_t found = 0;
    char line[64];
    for (std::size_t i = 0; i < reach.leaked.size(); ++i) {
        // Each answer is a search through all blocks of the target: ask about every 16th.
        if (i % 16 != 0) continue;
        std::snprintf(line, sizeof(line), "alive %lx",
                      static_cast<unsigned long>(reach.leaked[i].address));
        EXPECT_EQ(target.ask(line).at("yes"), 0U) << line;
        std::snprintf(line, sizeof(line), "planted %lx",
                      static_cast<unsigned long>(reach.leaked[i].address));
        found += target.ask(line).at("yes");
    }
    EXPECT_GE(found * 100, reach.leaked.size() / 16 * 98);
    EXPECT_GE(reach.unreachable_bytes * 100, info.at("planted") * 98);
    EXPECT_LE(reach.unreachable_bytes, info.at("planted") + 100000);
    ASSERT_FALSE(reach.holders.empty());
}

INSTANTIATE_TEST_SUITE_P(Ways, Leaks, testing::Values(true, false),
                         [](const auto& way) { return way.param ? "stopped" : "running"; });

/// The head of a list that grows is newer than the chunks that a reading knows: through it alone is
/// the list reached.
class GrowingList : public testing::TestWithParam<const char*> {};

TEST_P(GrowingList, IsNoLeak) {
    TargetProcess target({program("heap_target"), GetParam(), fresh_seed()});
    ASSERT_GT(target.pid(), 0);
    ::usleep(500000);
    HeapReader reader(target.pid(), with(false, true));
    unsigned taken = 0;
    for (int attempt = 0; attempt < 6; ++attempt) {
        const CensusOutcome outcome = reader.take();
        if (!outcome.census || !outcome.census->reach) continue;
        ++taken;
        // A node between malloc and the store of its address is in a register, which is not read.
        EXPECT_LE(outcome.census->reach->leaked.size(), 2U);
    }
    EXPECT_GE(taken, 3U);
}

INSTANTIATE_TEST_SUITE_P(Kinds, GrowingList,
                         testing::Values("prepends_arena", "prepends_heap", "prepends_mapped"),
                         [](const auto& kind) { return std::string(kind.param); });

/// What is held in a way that a walk through the heap does not meet, or no longer.
class Held : public testing::TestWithParam<std::tuple<const char*, bool>> {};

TEST_P(Held, IsNoLeak) {
    const auto [kind, stop] = GetParam();
    TargetProcess target({program("heap_target"), kind, fresh_seed()});
    ASSERT_GT(target.pid(), 0);
    ::usleep(300000);
    HeapReader reader(target.pid(), with(stop, true));
    int wrong = 0;
    for (int attempt = 0; attempt < 5; ++attempt) {
        const CensusOutcome outcome = reader.take();
        ASSERT_TRUE(outcome.census && outcome.census->reach) << outcome.failure.reason;
        if (outcome.census->reach->leaked.size() > 2) ++wrong;
    }
    // A reader that loses its CPU at the wrong moment loses the queue: one in a hundred.
    EXPECT_LE(wrong, std::string(kind) == "queue" && !stop ? 2 : 0);
}

INSTANTIATE_TEST_SUITE_P(Ways, Held,
                         testing::Combine(testing::Values("queue", "epoll", "constants", "tagged"),
                                          testing::Bool()),
                         [](const auto& way) {
                             return std::string(std::get<0>(way.param)) +
                                    (std::get<1>(way.param) ? "_stopped" : "_running");
                         });

TEST(Mutation, PublishedReadingsArePlausible) {
    TargetProcess target({program("heap_target"), "churn", fresh_seed()});
    ASSERT_GT(target.pid(), 0);
    ::usleep(500000);  // its tables fill up first
    const auto exact = [&target] {
        const CensusOutcome stopped = HeapReader(target.pid(), with(true, false)).take();
        EXPECT_TRUE(stopped.census) << stopped.failure.reason;
        return stopped.census ? static_cast<double>(stopped.census->totals.in_use) : 0;
    };
    double low = exact(), high = low;
    std::vector<std::uint64_t> read;
    unsigned published = 0, rejected = 0;
    for (int i = 0; i < 8; ++i) {
        const CensusOutcome outcome = HeapReader(target.pid(), with(false, false)).take();
        rejected += outcome.census ? outcome.census->rejected : outcome.failure.rejected;
        if (!outcome.census) {
            EXPECT_FALSE(outcome.failure.reason.empty());
            continue;
        }
        ++published;
        const CensusTotals& t = outcome.census->totals;
        read.push_back(t.in_use);
        EXPECT_EQ(t.in_use + t.free, t.system + t.mmapped_bytes);
    }
    const double last = exact();
    low = std::min(low, last);
    high = std::max(high, last);
    for (std::uint64_t in_use : read) {
        EXPECT_GT(static_cast<double>(in_use), 0.9 * low);
        EXPECT_LT(static_cast<double>(in_use), 1.1 * high);
    }
    std::printf("published %u of 8, rejected readings %u\n", published, rejected);
    EXPECT_GE(published, 4U);
}

TEST(Residency, BothWaysOfReadingAgree) {
    TargetProcess target({program("heap_target"), "threads", fresh_seed()});
    ASSERT_GT(target.pid(), 0);
    target.ask("free");
    auto scan = ProcessMemory::open(target.pid());
    auto decode = ProcessMemory::open(target.pid());
    ASSERT_TRUE(scan.ok() && decode.ok());
    (*decode)->forbid_pagemap_scan();
    const auto maps = read_maps(target.pid());
    ASSERT_TRUE(maps.ok());
    const auto a = Residency::read(**scan, *maps);
    const auto b = Residency::read(**decode, *maps);
    ASSERT_TRUE(a.ok() && b.ok());
    EXPECT_EQ(a->anonymous_bytes(0, ~0ULL), b->anonymous_bytes(0, ~0ULL));
}

TEST(Books, AddUpToTheMemoryOfMalloc) {
    TargetProcess target({program("heap_target"), "threads", fresh_seed()});
    ASSERT_GT(target.pid(), 0);
    target.ask("free");
    const CensusOutcome outcome = HeapReader(target.pid(), with(true, false)).take();
    ASSERT_TRUE(outcome.census) << outcome.failure.reason;
    auto memory = ProcessMemory::open(target.pid());
    const auto maps = read_maps(target.pid());
    const auto residency = Residency::read(**memory, *maps);
    std::uint64_t resident = 0;
    for (const MallocRange& range : outcome.census->ranges) {
        EXPECT_EQ(range.resident, residency->anonymous_bytes(range.begin, range.end));
        EXPECT_EQ(find_mapping(*maps, range.begin), find_mapping(*maps, range.end - 1));
        resident += range.resident;
    }
    const HeapBooks& books = outcome.census->books;
    EXPECT_EQ(books.live + books.retained + books.overhead, resident);
}

TEST(Reading, IsAskedForBlocks) {
    TargetProcess target({program("heap_target"), "threads", fresh_seed()});
    ASSERT_GT(target.pid(), 0);
    HeapReader reader(target.pid(), with(true, false));
    EXPECT_EQ(reader.live_bytes_at(std::vector<std::uint64_t>{16}).at(0), 0U);
    const CensusOutcome first = reader.take();
    ASSERT_TRUE(first.census) << first.failure.reason;
    std::vector<std::uint64_t> addresses;
    std::uint64_t bytes = 0;
    reader.visit_live([&](std::uint64_t address, std::uint64_t chunk) {
        addresses.push_back(address);
        bytes += chunk;
    });
    EXPECT_EQ(addresses.size(), first.census->totals.live_chunks);
    EXPECT_LE(bytes, first.census->totals.live);
    const auto sum = [&] {
        std::uint64_t all = 0;
        for (std::uint64_t chunk : reader.live_bytes_at(addresses)) all += chunk;
        return all;
    };
    EXPECT_EQ(sum(), bytes);
    EXPECT_EQ(reader.thread_stacks().size(), 8U);
    // Half of the blocks are freed: the next reading of the same object knows.
    target.ask("free");
    const CensusOutcome second = reader.take();
    ASSERT_TRUE(second.census) << second.failure.reason;
    EXPECT_LT(sum(), bytes / 2);
    EXPECT_EQ(sum(), bytes - (first.census->totals.live - second.census->totals.live));
    reader.forget();
    EXPECT_EQ(sum(), 0U);
}

TEST(Reading, SurvivesAnExec) {
    // The shell has a heap at one place, the program that it becomes at another.
    TargetProcess target(
        {"/bin/sh", "-c",
         "echo ready=1; read line; exec " + program("heap_target_static_stripped") + " single 7"});
    ASSERT_GT(target.pid(), 0);
    HeapReader reader(target.pid(), with(true, false));
    const CensusOutcome shell = reader.take();
    ASSERT_TRUE(shell.census) << shell.failure.reason;
    target.ask("go");
    const CensusOutcome after = reader.take();
    ASSERT_TRUE(after.census) << after.failure.reason;
    EXPECT_NE(shell.census->libc, after.census->libc);
    EXPECT_EQ(after.census->totals.system, target.ask("info").at("arena"));
}

TEST(Reading, LeavesNoPagesBehind) {
    TargetProcess target({program("heap_target"), "aligned", fresh_seed()});
    ASSERT_GT(target.pid(), 0);
    auto memory = ProcessMemory::open(target.pid());
    const auto anonymous = [&] {
        const auto maps = read_maps(target.pid());
        std::uint64_t sum = 0;
        const auto residency = Residency::read(**memory, *maps);
        for (const PageRange& range : residency->ranges()) {
            sum += range.end - range.begin;
        }
        return sum;
    };
    const std::uint64_t before = anonymous();
    for (bool stop : {true, false}) {
        ASSERT_TRUE(HeapReader(target.pid(), with(stop, true)).take().census);
    }
    EXPECT_EQ(anonymous(), before);
}

}  // namespace
}  // namespace asrtrace::heap
