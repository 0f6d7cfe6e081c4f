// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The target and followed children in one ledger.
#include <gtest/gtest.h>

#include "tests/unit/ledger_fixture.h"

namespace asrtrace::ledger {
namespace {

Script following() {
    return Script({.follow = true});
}

TEST(LedgerProcesses, BlocksAtOneAddressAreTwo) {
    Script script = following();
    script.alloc(0x1000, 10, 1);
    script.fork(1);
    script.process = 1;
    script.alloc(0x1000, 30, 2);
    script.process = 0;
    script.free(0x1000);
    const auto rows = script.finish();
    EXPECT_EQ(rows.at(1).live_bytes, 0U);
    EXPECT_EQ(rows.at(2).live_bytes, 30U);
    EXPECT_EQ(script.counts.freed_bytes, 10U);
    EXPECT_EQ(script.ledger.missed_frees(), 0U);
}

TEST(LedgerProcesses, AnInheritedBlockIsFreedInTheChildOnly) {
    Script script = following();
    script.alloc(0x1000, 10, 1);
    script.fork(1);
    script.process = 1;
    script.free(0x1000);
    EXPECT_EQ(script.finish().at(1).live_bytes, 10U);
    EXPECT_EQ(script.counts.freed_blocks, 0U);
    EXPECT_EQ(script.counts.freed_unknown_blocks, 1U);
}

TEST(LedgerProcesses, ReallocMovesWithinItsProcess) {
    Script script = following();
    script.alloc(0x1000, 10, 1);
    script.fork(1);
    script.process = 1;
    script.alloc(0x1000, 20, 2, 5);
    script.at(5, decode::ReallocBegin{0x1000});
    script.at(5,
              decode::ReallocEnd{.old_address = 0x1000, .address = 0x2000, .size = 25, .stack = 2});
    script.process = 0;
    script.free(0x2000);  // another process's
    const auto rows = script.finish();
    EXPECT_EQ(rows.at(1).live_bytes, 10U);
    EXPECT_EQ(rows.at(2).live_bytes, 25U);
    EXPECT_EQ(script.counts.freed_unknown_blocks, 1U);
}

TEST(LedgerProcesses, WhatAChildHoldsGoesWithIt) {
    Script script = following();
    script.alloc(0x1000, 10, 1);
    script.fork(1);
    script.fork(2);
    script.process = 1;
    script.alloc(0x1000, 20, 2);
    script.alloc(0x3000, 5, 2);
    script.map(0x700000, 0x2000, 3);
    script.process = 2;
    script.alloc(0x1000, 40, 4);
    script.process = 1;
    script.exit(false, 9);
    script.exit(true);
    script.exit(true);  // two threads may both see that nobody is left
    const auto heap = script.finish();
    EXPECT_EQ(heap.at(1).live_bytes, 10U);
    EXPECT_EQ(heap.at(2).live_bytes, 0U);
    EXPECT_EQ(heap.at(4).live_bytes, 40U);
    EXPECT_EQ(script.counts.ended_blocks, 2U);
    EXPECT_EQ(script.counts.ended_bytes, 25U);
    EXPECT_EQ(script.counts.freed_blocks, 0U);
}

TEST(LedgerProcesses, MappingsOfAChildGoWithIt) {
    Script script = following();
    script.map(0x700000, 0x3000, 1);
    script.fork(1);
    script.process = 1;
    script.map(0x700000, 0x2000, 2);
    script.exit(true);
    const auto mapped = script.finish(SiteKind::kMapped);
    EXPECT_EQ(mapped.at(1).live_bytes, 0x3000U);
    EXPECT_EQ(mapped.at(2).live_bytes, 0U);
}

TEST(LedgerProcesses, ExecDropsWhatTheProgramHeld) {
    Script script = following();
    script.fork(1);
    script.process = 1;
    script.alloc(0x1000, 20, 1);
    script.exec();
    script.alloc(0x1000, 30, 2);
    const auto rows = script.finish();
    EXPECT_EQ(rows.at(1).live_bytes, 0U);
    EXPECT_EQ(rows.at(2).live_bytes, 30U);
    EXPECT_EQ(script.counts.ended_blocks, 1U);
    EXPECT_EQ(script.ledger.missed_frees(), 0U);
}

TEST(LedgerProcesses, TheLastOnesBlocksStay) {
    Script script = following();
    script.alloc(0x1000, 10, 1);
    script.fork(1);
    script.exit(true);  // the target ends first
    script.process = 1;
    script.alloc(0x1000, 20, 2);
    script.exit(true, 2);
    const auto rows = script.finish();
    EXPECT_EQ(rows.at(1).live_bytes, 0U);
    EXPECT_EQ(rows.at(2).live_bytes, 20U);
    EXPECT_EQ(script.counts.ended_blocks, 1U);
}

TEST(LedgerProcesses, AChildWhoseBirthWasLostEnds) {
    Script script = following();
    script.process = 1;
    script.alloc(0x1000, 20, 1);
    script.exit(true, 2);
    EXPECT_EQ(script.finish().at(1).live_bytes, 0U);
    EXPECT_EQ(script.counts.ended_blocks, 1U);
}

TEST(LedgerProcesses, RequestsOfTwoProcessesDoNotMeet) {
    Script script = following();
    script.fork(1);
    script.begin(1, 7);
    script.process = 1;
    script.begin(2, 7);
    script.alloc(0x1000, 20, 1, 3);  // a pool thread of the child: its only request
    script.process = 0;
    script.alloc(0x1000, 10, 2, 4);
    script.done(4, 7);
    script.process = 1;
    script.done(3, 7);
    script.finish();
    ASSERT_EQ(script.requests.size(), 2U);
    EXPECT_EQ(script.requests[0].tid, 1U);
    EXPECT_EQ(script.requests[0].allocated_bytes, 10U);
    EXPECT_EQ(script.requests[1].tid, 2U);
    EXPECT_EQ(script.requests[1].allocated_bytes, 20U);
    EXPECT_EQ(script.ledger.requests_unknown(), 0U);
    EXPECT_EQ(script.ledger.events_unattributed(), 0U);
}

TEST(LedgerProcesses, ARequestEndsWithItsProcess) {
    Script script = following();
    script.fork(1);
    script.begin(1);
    script.process = 1;
    script.begin(2);
    script.exit(true, 2);
    script.process = 0;
    script.alloc(0x1000, 10, 1, 9);  // the target's is the only one again
    script.done(1);
    script.finish();
    ASSERT_EQ(script.requests.size(), 1U);
    EXPECT_EQ(script.requests[0].allocated_bytes, 10U);
    EXPECT_EQ(script.ledger.requests_unknown(), 1U);
}

TEST(LedgerProcesses, AnIntervalIsEverybodys) {
    Script script({.interval_ns = 1'000'000'000, .follow = true});
    script.fork(1);
    script.alloc(0x1000, 10, 1);
    script.process = 1;
    script.alloc(0x1000, 20, 2);
    script.exit(true);
    script.now_ns += 1'000'000'000;
    script.process = 0;
    script.alloc(0x2000, 5, 1);
    script.finish();
    ASSERT_EQ(script.requests.size(), 1U);
    EXPECT_EQ(script.requests[0].allocated_bytes, 30U);
}

TEST(LedgerProcesses, ReadingsOfTheHeapAreTheTargets) {
    Script script = following();
    script.fork(1);
    script.begin(1);
    script.alloc(0x1000, 10, 1);
    script.done(1);
    script.process = 1;
    script.begin(2);
    script.alloc(0x2000, 20, 2, 2);
    script.done(2);
    const auto blocks = script.ledger.outlived_blocks();
    ASSERT_EQ(blocks.size(), 1U);
    EXPECT_EQ(blocks[0], std::pair(std::uint64_t{0x1000}, std::uint64_t{10}));
    EXPECT_EQ(script.lose({{0x2000, 32}}).chunks, 1U);
}

TEST(LedgerProcesses, WhatChildrenHoldOfASiteIsCountedApart) {
    Script script = following();
    script.fork(1);
    script.begin(1);
    script.alloc(0x1000, 10, 1);
    script.done(1);
    script.process = 1;
    script.begin(2);
    for (const std::uint64_t address : {0x1000UL, 0x2000UL, 0x3000UL})
        script.alloc(address, 20, 1, 2);
    script.done(2);
    script.free(0x2000, 2);
    script.alloc(0x4000, 20, 1, 2);  // its request has not ended
    const auto row = script.finish().at(1);
    EXPECT_EQ(row.outlived_blocks, 3U);
    EXPECT_EQ(row.followed_blocks, 2U);
    EXPECT_EQ(row.followed_bytes, 40U);
}

TEST(LedgerProcesses, NothingIsLeftOfAChildThatHasEnded) {
    Script script = following();
    script.fork(1);
    script.process = 1;
    script.begin(2);
    script.alloc(0x1000, 20, 1, 2);
    script.done(2);
    script.exit(true, 2);
    const auto row = script.finish().at(1);
    EXPECT_EQ(row.outlived_blocks, 0U);
    EXPECT_EQ(row.followed_blocks, 0U);
}

}  // namespace
}  // namespace asrtrace::ledger
