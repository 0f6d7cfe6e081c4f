// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include <gtest/gtest.h>

#include "tests/unit/ledger_fixture.h"

namespace asrtrace::ledger {
namespace {

TEST(LedgerFaults, ASampleStandsForAsMuchAsItsOwnMeanSays) {
    Script script({.fault_mean_bytes = 64 << 10});
    script.at(1, decode::Fault{.stack = 1, .pages = 1});
    script.at(1, decode::Fault{.stack = 2, .pages = 1, .mean_shift = 4});
    script.at(1, decode::Fault{.stack = 3, .pages = 512, .mean_shift = 4});
    const auto touched = script.finish(SiteKind::kFault);
    // Sampled with a probability of 1 - exp(-bytes / mean).
    EXPECT_NEAR(static_cast<double>(touched.at(1).allocated_bytes), 67'600, 100);
    EXPECT_NEAR(static_cast<double>(touched.at(2).allocated_bytes), 1'050'626, 1000);
    EXPECT_NEAR(static_cast<double>(touched.at(3).allocated_bytes), 2'425'000, 2000);
}

TEST(LedgerMappings, PartialUnmapLeavesTheRest) {
    Script script;
    script.map(kBase, 10 * kPage);
    script.unmap(kBase + 2 * kPage, 3 * kPage);
    const auto rows = script.finish(SiteKind::kMapped);
    EXPECT_EQ(rows.at(1).live_bytes, 7 * kPage);
    EXPECT_EQ(script.counts.mapped_bytes, 10 * kPage);
    EXPECT_EQ(script.counts.unmapped_bytes, 3 * kPage);
}

TEST(LedgerMappings, UnmapCountsWhatWasMappedNotHoles) {
    Script script;
    script.map(kBase, kPage, 1);
    script.map(kBase + 4 * kPage, kPage, 2);
    script.unmap(kBase, 8 * kPage);
    script.finish(SiteKind::kMapped);
    EXPECT_EQ(script.counts.unmapped_bytes, 2 * kPage);
}

TEST(LedgerMappings, AFailedUnmapChangesNothing) {
    Script script;
    script.map(kBase, 4 * kPage);
    script.unmap(kBase, 4 * kPage, false);
    const auto rows = script.finish(SiteKind::kMapped);
    EXPECT_EQ(rows.at(1).live_bytes, 4 * kPage);
    EXPECT_EQ(script.counts.unmapped_bytes, 0U);
}

TEST(LedgerMappings, FixedMapReplaces) {
    Script script;
    script.map(kBase, 4 * kPage, 1);
    script.map(kBase + kPage, kPage, 2);
    const auto rows = script.finish(SiteKind::kMapped);
    EXPECT_EQ(rows.at(1).live_bytes, 3 * kPage);
    EXPECT_EQ(rows.at(2).live_bytes, kPage);
    EXPECT_EQ(script.counts.unmapped_bytes, kPage);
}

TEST(LedgerMappings, RemapMovesAndGrows) {
    Script script;
    script.map(kBase, 2 * kPage);
    const decode::Remap begin{
        .old_address = kBase, .old_length = 2 * kPage, .new_length = 5 * kPage};
    decode::Remap end = begin;
    end.end = true;
    end.new_address = kBase + 100 * kPage;
    script.at(1, begin);
    script.at(1, end);
    const auto rows = script.finish(SiteKind::kMapped);
    EXPECT_EQ(rows.at(1).live_bytes, 5 * kPage);
    EXPECT_EQ(script.counts.mapped_bytes, 5 * kPage);
    EXPECT_EQ(script.counts.unmapped_bytes, 0U);
}

TEST(LedgerMappings, BrkIsExactToTheByte) {
    Script script;
    script.at(1, decode::Brk{.old_brk = 0x5000, .brk = 0x7123, .stack = 1});
    script.at(1, decode::Brk{.old_brk = 0x7123, .brk = 0x6000, .stack = 1});
    const auto rows = script.finish(SiteKind::kMapped);
    EXPECT_EQ(script.counts.brk_grown_bytes, 0x2123U);
    EXPECT_EQ(script.counts.brk_shrunk_bytes, 0x1123U);
    EXPECT_EQ(rows.at(1).live_bytes, 0x1000U);
}

TEST(LedgerMappings, EventsFromBeforeTheSeedAreInItAlready) {
    Script script;
    MapsEntry seed;
    seed.begin = kBase;
    seed.end = kBase + 4 * kPage;
    script.ledger.seed_mappings({seed}, script.now_ns + 1500, script.now_ns + 1500);
    script.map(kBase, 4 * kPage);  // a microsecond in: before the seed
    script.unmap(kBase, 4 * kPage);
    script.finish(SiteKind::kMapped);
    EXPECT_EQ(script.counts.mapped_bytes, 0U);
    EXPECT_EQ(script.counts.unmapped_bytes, 4 * kPage);
}

}  // namespace
}  // namespace asrtrace::ledger
