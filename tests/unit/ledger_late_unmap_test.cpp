// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Unmappings that are told behind the call, when another thread may have the range already.
#include <gtest/gtest.h>

#include "tests/unit/ledger_fixture.h"

namespace asrtrace::ledger {
namespace {

struct LateScript : Script {
    void unmapped(std::uint32_t tid, std::uint64_t address, std::uint64_t length) {
        at(tid, decode::Unmap{address, length});
    }
    void remapped(std::uint32_t tid, std::uint64_t from, std::uint64_t old_length, std::uint64_t to,
                  std::uint64_t new_length) {
        at(tid, decode::Remap{.old_address = from,
                              .old_length = old_length,
                              .new_length = new_length,
                              .new_address = to,
                              .end = true,
                              .alone = true});
    }
    void expect_bytes(std::uint64_t mapped, std::uint64_t unmapped) {
        EXPECT_EQ(counts.mapped_bytes, mapped);
        EXPECT_EQ(counts.unmapped_bytes, unmapped);
        EXPECT_EQ(ledger.mapped_bytes(), mapped - unmapped);
    }
};

TEST(LedgerLateUnmap, InOrderItIsAnUnmapping) {
    LateScript script;
    script.map(kBase, 10 * kPage);
    script.unmapped(1, kBase + 2 * kPage, 3 * kPage - 1);
    EXPECT_EQ(script.finish(SiteKind::kMapped).at(1).live_bytes, 7 * kPage);
    script.expect_bytes(10 * kPage, 3 * kPage);
    EXPECT_EQ(script.counts.calls.at("munmap"), 1U);
}

TEST(LedgerLateUnmap, BehindTheNextOwnersMappingItLeavesThatAlone) {
    LateScript script;
    script.map(kBase, 4 * kPage, 1, 1);
    script.map(kBase, 4 * kPage, 2, 2);
    script.unmapped(1, kBase, 4 * kPage);
    const auto rows = script.finish(SiteKind::kMapped);
    EXPECT_EQ(rows.at(1).live_bytes, 0U);
    EXPECT_EQ(rows.at(2).live_bytes, 4 * kPage);
    script.expect_bytes(8 * kPage, 4 * kPage);
}

TEST(LedgerLateUnmap, OnlyWhatWasGivenAwayIsOwed) {
    LateScript script;
    script.map(kBase, 10 * kPage, 1, 1);
    script.map(kBase + 3 * kPage, 2 * kPage, 2, 2);  // in the middle of what 1 has unmapped
    script.unmapped(1, kBase, 10 * kPage);
    const auto rows = script.finish(SiteKind::kMapped);
    EXPECT_EQ(rows.at(1).live_bytes, 0U);
    EXPECT_EQ(rows.at(2).live_bytes, 2 * kPage);
    script.expect_bytes(12 * kPage, 10 * kPage);
}

TEST(LedgerLateUnmap, TheNextOwnersOwnUnmappingIsNotTheLateOne) {
    LateScript script;
    script.map(kBase, kPage, 1, 1);
    script.map(kBase, kPage, 2, 2);
    script.unmapped(2, kBase, kPage);
    script.map(kBase, kPage, 3, 3);
    script.unmapped(1, kBase, kPage);
    const auto rows = script.finish(SiteKind::kMapped);
    EXPECT_EQ(rows.at(2).live_bytes, 0U);
    EXPECT_EQ(rows.at(3).live_bytes, kPage);
    script.expect_bytes(3 * kPage, 2 * kPage);
}

TEST(LedgerLateUnmap, TwoMayBeLateForOneRange) {
    LateScript script;
    script.map(kBase, 2 * kPage, 1, 1);
    script.map(kBase, 2 * kPage, 2, 2);
    script.map(kBase, 2 * kPage, 3, 3);
    script.unmapped(1, kBase, 2 * kPage);
    script.unmapped(2, kBase, 2 * kPage);
    EXPECT_EQ(script.finish(SiteKind::kMapped).at(3).live_bytes, 2 * kPage);
    script.expect_bytes(6 * kPage, 4 * kPage);
}

TEST(LedgerLateUnmap, ALateMoveTakesTheMappingAlong) {
    LateScript script;
    script.map(kBase, 2 * kPage, 1, 1);
    script.map(kBase, kPage, 2, 2);  // 1's mapping has moved away
    script.remapped(1, kBase, 2 * kPage, kBase + 100 * kPage, 3 * kPage);
    const auto rows = script.finish(SiteKind::kMapped);
    EXPECT_EQ(rows.at(1).live_bytes, 3 * kPage);
    EXPECT_EQ(rows.at(2).live_bytes, kPage);
    script.expect_bytes(4 * kPage, 0);
}

TEST(LedgerLateUnmap, AMoveMayLandWhereAnUnmappingIsLate) {
    LateScript script;
    script.map(kBase, 2 * kPage, 1, 1);
    script.map(kBase + 10 * kPage, 2 * kPage, 2, 2);
    script.remapped(1, kBase, 2 * kPage, kBase + 10 * kPage, 2 * kPage);
    script.unmapped(2, kBase + 10 * kPage, 2 * kPage);
    const auto rows = script.finish(SiteKind::kMapped);
    EXPECT_EQ(rows.at(1).live_bytes, 2 * kPage);
    EXPECT_EQ(rows.at(2).live_bytes, 0U);
    script.expect_bytes(4 * kPage, 2 * kPage);
}

TEST(LedgerLateUnmap, WhatIsReplacedIsOwedByNobody) {
    LateScript script;
    script.map(kBase, kPage, 1, 1);
    script.at(2, decode::Map{.address = kBase,
                             .length = kPage,
                             .stack = 2,
                             .map_flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED});
    script.unmapped(1, kBase, kPage);
    EXPECT_EQ(script.finish(SiteKind::kMapped).at(2).live_bytes, 0U);
    script.expect_bytes(2 * kPage, 2 * kPage);
}

TEST(LedgerLateUnmap, DebtsAreForgiven) {
    LateScript script;
    script.map(kBase, kPage, 1, 1);
    script.map(kBase, kPage, 2, 2);  // how the first one went was never seen
    script.now_ns += 2'000'000'000;
    script.unmapped(3, kBase, kPage);
    EXPECT_EQ(script.finish(SiteKind::kMapped).at(2).live_bytes, 0U);
    script.expect_bytes(2 * kPage, 2 * kPage);
}

TEST(LedgerLateUnmap, AMappingThatTheSeedHasAlreadyOwesNothing) {
    LateScript script;
    MapsEntry seed;
    seed.begin = kBase;
    seed.end = kBase + 4 * kPage;
    script.ledger.seed_mappings({seed}, script.now_ns, script.now_ns + 1500);
    script.map(kBase, 4 * kPage);  // a microsecond in
    script.unmapped(2, kBase, 4 * kPage);
    EXPECT_EQ(script.finish(SiteKind::kMapped).at(1).live_bytes, 0U);
    EXPECT_EQ(script.ledger.mapped_bytes(), 0U);
}

}  // namespace
}  // namespace asrtrace::ledger
