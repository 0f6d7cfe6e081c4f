// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include <gtest/gtest.h>

#include "tests/unit/ledger_fixture.h"

namespace asrtrace::ledger {
namespace {

TEST(LedgerRequests, WhatARequestLeavesBehindOutlivesIt) {
    Script script;
    for (std::uint64_t i = 0; i < 10; ++i) {
        script.begin();
        script.alloc(0x100000 + 64 * i, 40, 1);
        script.alloc(0x200000, 1000, 2);
        script.free(0x200000);
        script.done();
    }
    const auto rows = script.finish();
    EXPECT_EQ(rows.at(1).outlived_bytes, 400U);
    EXPECT_EQ(rows.at(2).outlived_bytes, 0U);
    ASSERT_EQ(script.requests.size(), 10U);
    EXPECT_EQ(script.requests[3].outlived_bytes, 40U);
    EXPECT_EQ(script.requests[3].allocated_bytes, 1040U);
    EXPECT_EQ(script.requests[3].events, 3U);
}

TEST(LedgerRequests, AFreeOfALaterRequestTakesItBack) {
    Script script;
    script.begin();
    script.alloc(0x1000, 40);
    script.done();
    script.begin();
    script.free(0x1000);
    script.done();
    EXPECT_EQ(script.finish().at(1).outlived_bytes, 0U);
}

TEST(LedgerRequests, AnEventBelongsToItsThreadsRequest) {
    Script script;
    script.begin(1);
    script.begin(2);
    script.alloc(0x1000, 10, 1, 1);
    script.alloc(0x2000, 20, 2, 2);
    script.alloc(0x3000, 30, 3, 9);  // two in flight: nobody's
    script.done(1);
    script.done(2);
    script.finish();
    ASSERT_EQ(script.requests.size(), 2U);
    EXPECT_EQ(script.requests[0].allocated_bytes, 10U);
    EXPECT_EQ(script.requests[1].allocated_bytes, 20U);
    EXPECT_EQ(script.ledger.events_attributed(), 2U);
    EXPECT_EQ(script.ledger.events_unattributed(), 1U);
}

TEST(LedgerRequests, APoolThreadWorksForTheOnlyOneInFlight) {
    Script script;
    script.begin(1);
    script.alloc(0x1000, 10, 1, 7);
    script.done(1);
    script.finish();
    EXPECT_EQ(script.requests.at(0).allocated_bytes, 10U);
}

TEST(LedgerRequests, AnotherThreadMayEndWhatOneBegan) {
    Script script;
    script.begin(1, 77);
    script.begin(2, 78);
    script.done(3, 77);
    script.done(2, 78);
    script.finish();
    ASSERT_EQ(script.requests.size(), 2U);
    EXPECT_EQ(script.requests[0].external_id, 77U);
    EXPECT_EQ(script.ledger.requests_unknown(), 0U);
}

TEST(LedgerRequests, AnAbandonedRequestIsCountedAndItsBlocksAreKept) {
    Script script;
    script.begin(1);
    script.alloc(0x1000, 10);
    script.begin(1);
    script.done(1);
    script.done(1);
    const auto rows = script.finish();
    EXPECT_EQ(script.ledger.requests_completed(), 1U);
    EXPECT_EQ(script.ledger.requests_unknown(), 2U);
    EXPECT_EQ(rows.at(1).live_bytes, 10U);
}

TEST(LedgerRequests, AThreadThatEndsAbandonsItsRequest) {
    Script script;
    for (std::uint64_t i = 1; i <= 10; ++i) {
        const auto tid = static_cast<std::uint32_t>(10 + i);
        script.begin(tid);
        script.alloc(0x1000 * i, 10, 1, tid);
        if (i != 4) script.done(tid);  // an exception went past it
        script.exit(false, tid);
        EXPECT_EQ(script.ledger.in_flight(), 0U);
    }
    const auto attributed = script.ledger.events_attributed();
    script.alloc(0x20000, 10, 2, 14);  // of a thread with the same number
    EXPECT_EQ(script.ledger.events_attributed(), attributed);
    script.finish();
    EXPECT_EQ(script.ledger.requests_completed(), 9U);
    EXPECT_EQ(script.ledger.requests_unknown(), 1U);
}

TEST(LedgerRequests, WhatASocketBroughtOutlivesTheThreadThatReadIt) {
    Script script;
    script.http_begin(1, 11);
    script.exit(false, 11);
    EXPECT_EQ(script.ledger.in_flight(), 1U);
    script.http_begin(2, 12);
    script.alloc(0x1000, 10, 1, 11);  // a later thread's, of the same number
    EXPECT_EQ(script.ledger.events_attributed(), 0U);
    script.http_moved(1, 13);
    script.http_done(1, 13);
    script.http_done(2, 12);
    EXPECT_EQ(script.ledger.in_flight(), 0U);
    EXPECT_EQ(script.ledger.requests_completed(), 2U);
    EXPECT_EQ(script.ledger.requests_unknown(), 0U);
}

/// What it mapped and allocated has outlived it when another epoch has passed.
TEST(LedgerRequests, WhatAnAbandonedRequestLeftOutlivesIt) {
    const auto left_after = [](auto abandon) {
        Script script({.follow = true, .epoch_ns = 1'000'000, .idle_epoch_ns = 1'000'000});
        script.fork(1);
        script.process = 1;
        script.begin(7);
        script.alloc(0x1000, 10, 1, 7);
        script.map(kBase, 2 * kPage, 2, 7);
        abandon(script);
        for (int i = 0; i < 3; ++i) script.ledger.tick(script.now_ns += 2'000'000);
        return script.finish(SiteKind::kMapped).at(2).outlived_bytes;
    };
    EXPECT_EQ(left_after([](Script& script) { script.exit(false, 7); }), 2 * kPage);
    EXPECT_EQ(left_after([](Script& script) { script.begin(7); }), 2 * kPage);
}

TEST(LedgerRequests, ACohortForgetsMappingsThatAreGone) {
    Mappings mapped;
    LiveBlocks live;
    Cohort cohort;
    for (std::uint64_t i = 0; i < 100'000; ++i) {
        const std::uint64_t begin = kBase + i % 2 * kPage;
        mapped.cut(begin, begin + kPage);
        mapped.insert({.begin = begin, .end = begin + kPage, .serial = i});
        cohort.add(MappingName{begin, begin + kPage, i}, mapped);
    }
    EXPECT_LE(cohort.mappings.size(), 8192U);
    Cohort orphans;
    orphans.add(cohort, live, mapped);
    std::size_t found = 0;
    for (const MappingName& name : orphans.mappings)
        mapped.each_piece(name, [&](const Region&) { ++found; });
    EXPECT_EQ(found, 2U);
}

TEST(LedgerRequests, IntervalsStandInForRequests) {
    Script script({.interval_ns = 1'000'000'000});
    for (std::uint64_t i = 0; i < 10; ++i) {
        script.now_ns = i * 1'000'000'000 + 500'000'000;
        script.alloc(0x1000 + 64 * i, 8);
    }
    script.now_ns = 10'000'000'000;
    const auto rows = script.finish();
    EXPECT_EQ(script.ledger.requests_completed(), 10U);
    EXPECT_EQ(rows.at(1).outlived_bytes, 80U);
}

TEST(LedgerRequests, BlocksOfNoRequestOutliveAfterAnotherEpoch) {
    Script script({.epoch_ns = 1'000'000, .idle_epoch_ns = 1'000'000});
    script.alloc(0x1000, 10);
    script.ledger.tick(script.now_ns += 2'000'000);
    script.ledger.tick(script.now_ns += 2'000'000);
    EXPECT_EQ(script.finish().at(1).outlived_bytes, 10U);
}

TEST(LedgerRequests, SameEventsSameRecords) {
    const auto run = [] {
        Script script({.epoch_ns = 3000});
        for (std::uint32_t i = 0; i < 500; ++i) {
            script.begin(1 + i % 3);
            script.alloc(0x1000 + 32 * i, i, 1 + i % 5, 1 + i % 3);
            if (i % 2 == 0) script.free(0x1000 + 32 * i, 2);
            script.done(1 + i % 3);
        }
        std::vector<std::uint64_t> values;
        for (const auto& [stack, row] : script.finish()) {
            values.insert(values.end(), {stack, row.live_bytes, row.outlived_bytes});
        }
        return values;
    };
    EXPECT_EQ(run(), run());
}

TEST(LedgerRequests, WhatALaterReadingFindsIsNoLeak) {
    const std::vector<LostBlock> three{{0x1000, 112}, {0x2000, 112}, {0x3000, 112}};
    const std::vector<LostBlock> one{{0x2000, 112}};
    const auto unreachable_after = [&](bool late) {
        Script script;
        script.begin();
        for (const std::uint64_t address : {0x1000UL, 0x2000UL, 0x3000UL})
            script.alloc(address, 100);
        script.done();
        script.lose(three);
        script.lose(one, late ? script.ledger.serial() : 0);
        const auto rows = script.finish();
        EXPECT_EQ(rows.at(1).retracted_blocks, 0U);
        return rows.at(1).unreachable_blocks;
    };
    EXPECT_EQ(unreachable_after(true), 1U);
    EXPECT_EQ(unreachable_after(false), 3U) << "it began before they were there";
}

TEST(LedgerRequests, BlocksThatNothingPointsTo) {
    Script script;
    script.begin();
    script.alloc(0x1000, 100);
    script.alloc(0x2000, 100);
    script.alloc(0x3000, 100);
    script.done();
    script.begin();
    script.alloc(0x4000, 100);
    const std::uint64_t serial = script.ledger.serial();
    script.free(0x3000);
    script.alloc(0x3000, 100);  // another block at the place of one that was seen
    const std::vector<LostBlock> lost{
        {0x1000, 112}, {0x2000, 112}, {0x3000, 112}, {0x4000, 112}, {0x9000, 48}};
    const Unmatched unmatched = script.lose(lost, serial);
    EXPECT_EQ(unmatched.chunks, 1U) << "0x9000 was never seen";
    EXPECT_EQ(unmatched.bytes, 48U);
    script.lose(lost, serial);  // a second look counts nothing twice
    script.free(0x2000);        // its pointer was hidden
    script.done();
    const auto rows = script.finish();
    EXPECT_EQ(rows.at(1).unreachable_blocks, 1U) << "0x4000's request still ran";
    EXPECT_EQ(rows.at(1).unreachable_bytes, 100U);
    EXPECT_EQ(rows.at(1).retracted_blocks, 1U);
    EXPECT_EQ(rows.at(1).late_freed_blocks, 2U);
}

TEST(LedgerRequests, DifferentCovariatesAreCounted) {
    Script script;
    for (std::uint64_t i = 0; i < 10; ++i) {
        script.at(1, decode::RequestMark{.done = false, .id = i + 1, .args = {i % 3, 7}});
        script.done(1, i + 1);
    }
    script.ledger.finish(script.now_ns + 1000);
    const auto epochs = script.ledger.take_output().epochs;
    EXPECT_EQ(epochs.back().epoch.distinct_args, (std::array<std::uint64_t, 2>{3, 1}));
}

}  // namespace
}  // namespace asrtrace::ledger
