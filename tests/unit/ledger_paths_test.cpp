// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The account by URL path, and how long blocks live.
#include <gtest/gtest.h>

#include "tests/unit/ledger_fixture.h"
#include "user/ledger/paths.h"

namespace asrtrace::ledger {
namespace {

using Outcome = decode::HttpMark::Outcome;

const PathTotals& total(const std::vector<PathTotals>& paths, std::string_view path) {
    for (const PathTotals& row : paths)
        if (row.path == path) return row;
    ADD_FAILURE() << path;
    return paths.front();
}

TEST(LedgerPaths, NumbersAndIdsAreNoNames) {
    EXPECT_EQ(path_pattern("/users/17/orders/4"), "/users/{id}/orders/{id}");
    EXPECT_EQ(path_pattern("/job/0f8fad5b-d9cb-469f-a165-70867728950e"), "/job/{id}");
    EXPECT_EQ(path_pattern("/blob/9f86d081884c7d659a2feaa0c55ad015"), "/blob/{id}");
    EXPECT_EQ(path_pattern("/v2/facade/"), "/v2/facade/");
    EXPECT_EQ(path_pattern("http://host:80/a/1"), "/a/{id}");
    EXPECT_EQ(path_pattern("http://host"), "/");
    EXPECT_EQ(path_pattern(""), "");
    EXPECT_EQ(path_pattern("*"), "*");
}

TEST(LedgerPaths, WhatAPathLeavesBehindIsItsOwn) {
    Script script;
    for (std::uint64_t i = 1; i <= 30; ++i) {
        const bool leaks = i % 3 == 0;
        script.http_begin(i, 1, leaks ? "/leaky" : "/steady");
        script.alloc(0x1000 * i, 100, leaks ? 2 : 1);
        if (!leaks) script.free(0x1000 * i);
        script.http_done(i);
    }
    script.alloc(0x900000, 7, 3);  // of no request
    const auto rows = script.finish();
    const auto paths = script.ledger.path_totals();
    EXPECT_EQ(total(paths, "/leaky").requests, 10U);
    EXPECT_EQ(total(paths, "/leaky").held_bytes, 1000U);
    EXPECT_EQ(total(paths, "/leaky").held_blocks, 10U);
    EXPECT_EQ(total(paths, "/leaky").body_bytes, 3000U);
    EXPECT_EQ(total(paths, "/leaky").response_bytes, 700U);
    EXPECT_EQ(total(paths, "/steady").requests, 20U);
    EXPECT_EQ(total(paths, "/steady").held_bytes, 0U);
    EXPECT_EQ(total(paths, "/steady").allocated_bytes, 2000U);
    const auto held = script.ledger.site_paths();
    ASSERT_EQ(held.size(), 1U);
    EXPECT_EQ(held[0].stack.value, 2U);
    EXPECT_EQ(paths[held[0].path].path, "/leaky");
    EXPECT_EQ(held[0].held_bytes, rows.at(2).outlived_bytes);
}

TEST(LedgerPaths, BlocksThatGoLaterAreTakenBack) {
    Script script;
    script.http_begin(1, 1, "/a");
    script.alloc(0x1000, 100);
    script.alloc(0x2000, 50);
    script.http_done(1);
    script.http_begin(2, 1, "/b");
    script.free(0x1000);
    // A realloc that fails leaves the block with the request that made it.
    script.at(1, decode::ReallocBegin{0x2000});
    script.at(1, decode::ReallocEnd{.old_address = 0x2000, .failed = true});
    script.http_done(2);
    script.finish();
    const auto paths = script.ledger.path_totals();
    EXPECT_EQ(total(paths, "/a").held_bytes, 50U);
    EXPECT_EQ(total(paths, "/b").held_bytes, 0U);
}

TEST(LedgerPaths, ThereIsABound) {
    Script script;
    for (std::uint64_t i = 1; i <= 5000; ++i) {
        const std::string path = "/p" + std::to_string(i);
        script.http_begin(i, 1, path);
        script.http_done(i);
    }
    script.finish();
    const auto paths = script.ledger.path_totals();
    EXPECT_EQ(paths.size(), 100U);
    EXPECT_EQ(paths.back().path, "[other]");
    EXPECT_EQ(paths.back().requests, 5000U - 98);
}

TEST(LedgerPaths, ExcludedRequestsDoNotCount) {
    Script script(LedgerConfig{.path_exclude = std::regex("^/health")});
    script.http_begin(1, 1, "/healthz");
    script.alloc(0x1000, 10);
    script.http_done(1);
    script.http_begin(2, 1, "/a/health");
    script.http_done(2);
    const auto rows = script.finish();
    EXPECT_EQ(script.ledger.requests_completed(), 1U);
    EXPECT_EQ(script.ledger.requests_excluded(), 1U);
    EXPECT_EQ(script.requests.size(), 1U);
    EXPECT_EQ(total(script.ledger.path_totals(), "/healthz").requests, 0U);
    EXPECT_EQ(rows.at(1).outlived_bytes, 10U);  // what it left behind is there
}

TEST(LedgerPaths, AbortedRequestsAreTheirPaths) {
    Script script;
    script.http_begin(1, 1, "/upload");
    script.http_done(1, 1, Outcome::kAborted);
    script.finish();
    EXPECT_EQ(total(script.ledger.path_totals(), "/upload").aborted, 1U);
    EXPECT_EQ(total(script.ledger.path_totals(), "/upload").requests, 0U);
}

TEST(LedgerPaths, RequestsWithoutPathsHaveNone) {
    Script script;
    script.begin();
    script.alloc(0x1000, 10);
    script.done();
    script.finish();
    EXPECT_TRUE(script.ledger.path_totals().empty());
    EXPECT_TRUE(script.ledger.site_paths().empty());
}

TEST(LedgerLifetimes, WhenBlocksAreFreed) {
    Script script;
    script.begin();
    script.alloc(0x1000, 1);     // same
    script.alloc(0x2000, 20);    // next
    script.alloc(0x3000, 300);   // later
    script.alloc(0x4000, 4000);  // never
    script.free(0x1000);
    script.done();
    script.alloc(0x5000, 50000);  // of no request
    script.begin();
    script.free(0x2000);
    script.done();
    for (std::uint64_t i = 0; i < Lifetimes::kNextRequests; ++i) {
        script.begin();
        script.done();
    }
    script.free(0x3000);
    script.finish();
    const Lifetimes lives = script.ledger.lifetimes();
    EXPECT_EQ(lives.same.bytes, 1U);
    EXPECT_EQ(lives.next.bytes, 20U);
    EXPECT_EQ(lives.later.bytes, 300U);
    EXPECT_EQ(lives.held.bytes, 4000U);
    EXPECT_EQ(lives.held.blocks, 1U);
}

}  // namespace
}  // namespace asrtrace::ledger
