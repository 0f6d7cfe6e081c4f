// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Requests that were seen on sockets: whose memory events are whose.
#include <gtest/gtest.h>

#include "tests/unit/ledger_fixture.h"

namespace asrtrace::ledger {
namespace {

using Outcome = decode::HttpMark::Outcome;

TEST(LedgerHttp, ARequestIsAsLongAsTheSocketSaw) {
    Script script;
    script.http_begin(7);
    script.alloc(0x1000, 40);
    script.http_done(7);
    script.finish();
    ASSERT_EQ(script.requests.size(), 1U);
    EXPECT_EQ(script.requests[0].external_id, 7U);
    EXPECT_EQ(script.requests[0].begin_ns, 500U);
    EXPECT_EQ(script.requests[0].end_ns, 3000U);
    EXPECT_EQ(script.requests[0].status, 200);
    EXPECT_EQ(script.requests[0].args[0], 300U);
    EXPECT_EQ(script.requests[0].allocated_bytes, 40U);
    EXPECT_EQ(script.ledger.requests_completed(), 1U);
}

TEST(LedgerHttp, AThreadWithSeveralInFlightWorksForNobodyInParticular) {
    Script script;
    script.http_begin(1, 5);
    script.alloc(0x1000, 10, 1, 5);
    script.http_begin(2, 5);
    script.alloc(0x2000, 20, 2, 5);  // whose?
    script.alloc(0x3000, 30, 3, 9);  // a pool thread's: whose?
    script.http_done(1, 5);
    script.alloc(0x4000, 40, 4, 5);  // of the second
    script.http_done(2, 5);
    script.finish();
    EXPECT_EQ(script.ledger.events_attributed(), 2U);
    EXPECT_EQ(script.ledger.events_unattributed(), 2U);
    EXPECT_EQ(script.requests[0].allocated_bytes, 10U);
    EXPECT_EQ(script.requests[1].allocated_bytes, 40U);
}

TEST(LedgerHttp, AThreadACConnectionIsAThreadARequest) {
    Script script;
    script.http_begin(1, 5);
    script.http_begin(2, 6);
    script.alloc(0x1000, 10, 1, 5);
    script.alloc(0x2000, 20, 2, 6);
    script.http_done(2, 6);
    script.http_done(1, 5);
    script.finish();
    EXPECT_EQ(script.requests[0].allocated_bytes, 20U);
    EXPECT_EQ(script.requests[1].allocated_bytes, 10U);
}

TEST(LedgerHttp, WhoeverGoesOnWithAConnectionWorksForItsRequest) {
    Script script;
    script.http_begin(1, 5);
    script.http_begin(2, 5);
    script.http_moved(1, 6);
    script.alloc(0x1000, 10, 1, 6);
    script.alloc(0x2000, 20, 2, 5);
    script.http_done(1, 6);
    script.http_done(2, 5);
    script.finish();
    EXPECT_EQ(script.requests[0].allocated_bytes, 10U);
    EXPECT_EQ(script.requests[1].allocated_bytes, 20U);
}

TEST(LedgerHttp, WhatWasNotServedDoesNotCount) {
    Script script;
    script.http_begin(1);
    script.alloc(0x1000, 10);
    script.http_done(1, 1, Outcome::kAborted);
    script.http_begin(2);
    script.http_done(2, 1, Outcome::kConfused);
    script.http_done(3);
    const auto rows = script.finish();
    EXPECT_EQ(script.ledger.requests_completed(), 0U);
    EXPECT_EQ(script.ledger.requests_aborted(), 1U);
    EXPECT_EQ(script.ledger.requests_unknown(), 2U);
    EXPECT_EQ(rows.at(1).outlived_bytes, 10U);
}

TEST(LedgerHttp, AProcessThatEndsTakesItsRequestsAlong) {
    Script script(LedgerConfig{.follow = true});
    script.fork(1);
    script.process = 1;
    script.http_begin(1, 5);
    script.http_begin(2, 5);
    script.exit(true, 5);
    script.process = 0;
    script.http_done(1, 5);
    EXPECT_EQ(script.ledger.in_flight(), 0U);
    EXPECT_EQ(script.ledger.requests_unknown(), 3U);
    script.finish();
}

}  // namespace
}  // namespace asrtrace::ledger
