// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include <gtest/gtest.h>

#include <random>

#include "tests/unit/ledger_fixture.h"

namespace asrtrace::ledger {
namespace {

TEST(LedgerBlocks, LiveIsWhatWasNotFreed) {
    Script script;
    script.alloc(0x1000, 100);
    script.alloc(0x2000, 50, 2);
    script.free(0x1000);
    const auto rows = script.finish();
    EXPECT_EQ(rows.at(1).live_bytes, 0U);
    EXPECT_EQ(rows.at(1).freed_bytes, 100U);
    EXPECT_EQ(rows.at(2).live_bytes, 50U);
    EXPECT_EQ(script.counts.allocated_bytes, 150U);
    EXPECT_EQ(script.counts.freed_blocks, 1U);
}

TEST(LedgerBlocks, AFailedCallIsNoAllocation) {
    Script script;
    script.alloc(0, 1ULL << 50);
    script.finish();
    EXPECT_EQ(script.counts.failed_allocations, 1U);
    EXPECT_EQ(script.counts.allocated_blocks, 0U);
}

TEST(LedgerBlocks, ReallocMovesABlock) {
    Script script;
    script.alloc(0x1000, 100);
    script.at(1, decode::ReallocBegin{0x1000});
    script.at(
        1, decode::ReallocEnd{.old_address = 0x1000, .address = 0x3000, .size = 300, .stack = 2});
    const auto rows = script.finish();
    EXPECT_EQ(rows.at(1).live_bytes, 0U);
    EXPECT_EQ(rows.at(2).live_bytes, 300U);
    EXPECT_EQ(script.counts.freed_blocks, 1U);
}

TEST(LedgerBlocks, AFailedReallocKeepsTheOldBlock) {
    Script script;
    script.alloc(0x1000, 100);
    script.at(1, decode::ReallocBegin{0x1000});
    script.at(1, decode::ReallocEnd{.old_address = 0x1000, .size = 1ULL << 60, .failed = true});
    script.free(0x1000);
    const auto rows = script.finish();
    EXPECT_EQ(rows.at(1).live_blocks, 0U);
    EXPECT_EQ(script.counts.freed_unknown_blocks, 0U);
    EXPECT_EQ(script.counts.failed_allocations, 1U);
}

TEST(LedgerBlocks, AReallocWhoseEndWasLostGaveItsBlockToAnother) {
    Script script;
    script.alloc(0x1000, 100);
    script.alloc(0x5000, 30, 2);
    script.at(1, decode::ReallocBegin{0x1000});
    script.alloc(0x1000, 70, 3, 2);              // it had moved by then
    script.at(1, decode::ReallocBegin{0x5000});  // so this is another call
    script.at(1,
              decode::ReallocEnd{.old_address = 0x5000, .address = 0x5000, .size = 40, .stack = 2});
    script.free(0x1000, 2);
    const auto rows = script.finish();
    EXPECT_EQ(rows.at(1).live_bytes, 0U);
    EXPECT_EQ(rows.at(2).live_bytes, 40U);
    EXPECT_EQ(rows.at(3).live_bytes, 0U);
    EXPECT_EQ(rows.at(3).freed_bytes, 70U);
    EXPECT_EQ(script.ledger.missed_frees(), 1U);
    EXPECT_EQ(script.counts.freed_unknown_blocks, 0U);
    EXPECT_EQ(
        script.counts.allocated_blocks,
        script.counts.freed_blocks + script.ledger.missed_frees() + script.ledger.live_blocks());
}

TEST(LedgerBlocks, AnotherThreadMayGetTheAddressDuringARealloc) {
    Script script;
    script.alloc(0x1000, 100, 1, 1);
    script.at(1, decode::ReallocBegin{0x1000});
    script.alloc(0x1000, 70, 2, 2);
    script.at(
        1, decode::ReallocEnd{.old_address = 0x1000, .address = 0x5000, .size = 200, .stack = 3});
    const auto rows = script.finish();
    EXPECT_EQ(rows.at(1).live_blocks, 0U);
    EXPECT_EQ(rows.at(2).live_bytes, 70U);
    EXPECT_EQ(rows.at(3).live_bytes, 200U);
    EXPECT_EQ(script.ledger.missed_frees(), 0U);
}

TEST(LedgerBlocks, ReallocOfAMappedBlockUnmapsOnTheWay) {
    Script script;
    script.alloc(0x100000, 200'000);
    script.at(1, decode::ReallocBegin{0x100000});
    script.map(0x7f0000000000, 400'000, 3);
    script.unmap(0x100000, 200'000);
    script.at(1,
              decode::ReallocEnd{
                  .old_address = 0x100000, .address = 0x7f0000000010, .size = 390'000, .stack = 2});
    const auto rows = script.finish();
    EXPECT_EQ(rows.at(1).live_blocks, 0U);
    EXPECT_EQ(rows.at(3).live_bytes, 390'000U);  // the third stack seen
    EXPECT_EQ(script.counts.freed_bytes, 200'000U);
}

TEST(LedgerBlocks, ReallocToZeroFrees) {
    Script script;
    script.alloc(0x1000, 100);
    script.at(1, decode::ReallocBegin{0x1000});
    script.at(1, decode::ReallocEnd{.old_address = 0x1000});
    const auto rows = script.finish();
    EXPECT_EQ(rows.at(1).live_blocks, 0U);
    EXPECT_EQ(script.counts.freed_bytes, 100U);
    EXPECT_EQ(script.counts.failed_allocations, 0U);
}

TEST(LedgerBlocks, ACallWhoseEndWasLostIsTakenBack) {
    Script script;
    script.alloc(0x1000, 100);
    script.at(1, decode::ReallocBegin{0x1000});
    const auto rows = script.finish();
    EXPECT_EQ(rows.at(1).live_bytes, 100U);
}

TEST(LedgerBlocks, ATakenAddressIsACountedMissedFree) {
    Script script;
    script.alloc(0x1000, 100, 1);
    script.alloc(0x1000, 60, 2);
    const auto rows = script.finish();
    EXPECT_EQ(script.ledger.missed_frees(), 1U);
    EXPECT_EQ(rows.at(1).live_blocks, 0U);
    EXPECT_EQ(rows.at(2).live_bytes, 60U);
}

TEST(LedgerBlocks, SampledBlocksStandForAllOfTheirSize) {
    // Blocks of 1,000 bytes at a mean of 10,000: each is seen with probability 1 - exp(-0.1).
    constexpr std::uint64_t kMean = 10'000;
    constexpr int kBlocks = 200'000;
    Script script({.sample_mean_bytes = kMean});
    std::mt19937_64 random(7);
    std::exponential_distribution<double> distance(1.0 / kMean);
    double left = distance(random);
    for (int i = 0; i < kBlocks; ++i) {
        left -= 1000;
        if (left > 0) continue;
        left = distance(random);
        script.at(1, decode::Alloc{.address = 0x1000 + 16ULL * static_cast<std::uint64_t>(i),
                                   .size = 1000,
                                   .stack = 1,
                                   .sampling = decode::Sampling::kByMean});
    }
    const auto rows = script.finish();
    ASSERT_TRUE(script.counts.allocated_bytes_estimate.has_value());
    const Estimate estimate = *script.counts.allocated_bytes_estimate;
    EXPECT_TRUE(estimate.ci95.contains(1000.0 * kBlocks))
        << estimate.ci95.lo << " to " << estimate.ci95.hi;
    EXPECT_NEAR(static_cast<double>(rows.at(1).live_bytes), 1000.0 * kBlocks,
                0.05 * 1000 * kBlocks);
}

TEST(LedgerBlocks, TotalsBalanceInARandomHistory) {
    Script script;
    std::mt19937_64 random(11);
    std::map<std::uint64_t, std::uint64_t> truth;
    std::uint64_t next = 0x10000;
    for (int i = 0; i < 20'000; ++i) {
        if (truth.empty() || random() % 5 < 3) {
            const std::uint64_t size = random() % 5000;
            script.alloc(next, size, 1 + random() % 9);
            truth[next] = size;
            next += 16;
        } else {
            auto victim = truth.lower_bound(0x10000 + random() % (next - 0x10000));
            if (victim == truth.end()) victim = truth.begin();
            script.free(victim->first);
            truth.erase(victim);
        }
    }
    std::uint64_t live = 0;
    for (const auto& [address, size] : truth) live += size;
    std::uint64_t rows_live = 0;
    for (const auto& [stack, row] : script.finish()) rows_live += row.live_bytes;
    EXPECT_EQ(rows_live, live);
    EXPECT_EQ(script.counts.allocated_bytes - script.counts.freed_bytes, live);
    EXPECT_EQ(script.ledger.live_blocks(), truth.size());
}

}  // namespace
}  // namespace asrtrace::ledger
