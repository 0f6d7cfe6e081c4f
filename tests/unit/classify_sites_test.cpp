// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Verdicts over allocation sites: leaks, caches, warm-ups.
#include "tests/unit/classify_fixture.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>

namespace asrtrace::classify {
namespace {

TEST(Findings, ALeakThatNothingPointsToIsDefinite) {
    auto recording = quiet();
    add_site(
        recording, [](std::uint64_t requests) { return requests; }, 0.9);
    mark(recording);
    const auto leak = only(recording);
    EXPECT_EQ(leak.kind, FindingKind::kLeak);
    EXPECT_EQ(leak.confidence, Confidence::kDefinite);
    EXPECT_DOUBLE_EQ(leak.per_request->value, kBlockBytes);
    EXPECT_EQ(leak.stacks, std::vector{StackId(1)});
}

TEST(Findings, OfASiteThatAlsoKeepsBlocksTheLeakIsWhatIsLost) {
    for (const double lost : {0.55, 0.1}) {
        auto recording = quiet();
        grow_heap(recording);
        add_site(
            recording, [](std::uint64_t requests) { return requests; }, lost);
        mark(recording);
        const auto findings = analyze(recording).findings;
        ASSERT_EQ(findings.size(), 2U);
        const bool leak_first = findings[0].kind == FindingKind::kLeak;
        const Finding& leak = findings[leak_first ? 0 : 1];
        const Finding& cache = findings[leak_first ? 1 : 0];
        EXPECT_EQ(leak.kind, FindingKind::kLeak);
        EXPECT_EQ(leak.confidence, lost > 0.5 ? Confidence::kDefinite : Confidence::kProbable);
        EXPECT_NEAR(leak.per_request->value, lost * kBlockBytes, 1e-6);
        EXPECT_DOUBLE_EQ(leak.per_request->ci95->hi, kBlockBytes) << "stale words may hide more";
        EXPECT_NEAR(leak.bytes, lost * 300 * kBlockBytes, 1);
        EXPECT_EQ(cache.subkind, "unbounded");
        EXPECT_EQ(cache.confidence, Confidence::kProbable);
        EXPECT_NEAR(cache.per_request->value, (1 - lost) * kBlockBytes, 1e-6);
        EXPECT_NEAR(cache.bytes, (1 - lost) * 300 * kBlockBytes, 1);
    }
}

TEST(Findings, StaleWordsThatPointToAFewMakeNoCache) {
    auto recording = quiet();
    add_site(
        recording, [](std::uint64_t requests) { return requests; }, 0.85);
    mark(recording);
    const auto leak = only(recording);
    EXPECT_DOUBLE_EQ(leak.bytes, 300 * kBlockBytes);
    EXPECT_DOUBLE_EQ(leak.per_request->value, kBlockBytes);
    EXPECT_NEAR(leak.per_request->ci95->lo, 850, 1e-6);
}

TEST(Findings, ALeakWithinAPartOfTheWindowHasNoRateThatMayBeZero) {
    auto recording = quiet();
    add_site(
        recording,
        [](std::uint64_t requests) { return requests < 230 ? 0 : (requests - 230) * 40; }, 1);
    mark(recording);
    const auto late = only(recording);
    EXPECT_EQ(late.kind, FindingKind::kLeak);
    EXPECT_EQ(late.confidence, Confidence::kDefinite);
    EXPECT_FALSE(late.per_request);
    EXPECT_EQ(late.advice, "free what this stack allocates");
    EXPECT_TRUE(says(late, "before request 235")) << late.evidence.back();

    recording = quiet();
    add_site(
        recording, [](std::uint64_t requests) { return std::min<std::uint64_t>(requests, 180); },
        1);
    mark(recording);
    const auto ended = only(recording);
    EXPECT_EQ(ended.kind, FindingKind::kLeak);
    EXPECT_EQ(ended.advice, "free what this stack allocates") << "no need to restart";
    EXPECT_TRUE(says(ended, "after request 155"));
}

TEST(Findings, WhatCameAfterTheLastMarkingIsAsLostAsTheRest) {
    auto recording = quiet();
    add_site(
        recording, [](std::uint64_t requests) { return requests; }, 0.5);
    recording.reach.push_back({.t_ns = kEpochs * 500, .requests = 150});
    const auto leak = only(recording);
    EXPECT_EQ(leak.confidence, Confidence::kDefinite);
    EXPECT_DOUBLE_EQ(leak.per_request->value, kBlockBytes);
}

TEST(Findings, ALeakWithoutMarkingIsProbable) {
    auto recording = quiet();
    add_site(recording, [](std::uint64_t requests) { return requests; });
    const auto leak = only(recording);
    EXPECT_EQ(leak.kind, FindingKind::kLeak);
    EXPECT_EQ(leak.confidence, Confidence::kProbable);
}

TEST(Findings, AFewBigBlocksThatNothingPointsToAreNoCacheAtRest) {
    auto recording = quiet();
    add_site(
        recording, [](std::uint64_t requests) { return requests / 80 * 50; }, 1);
    for (auto& sites : recording.site_epochs)
        for (SiteEpoch& site : sites) {
            site.outlived_blocks = site.live_blocks /= 50;
            site.unreachable_blocks = std::min<std::uint64_t>(site.unreachable_blocks / 50, 2);
            site.unreachable_bytes = site.unreachable_blocks * 50 * kBlockBytes;
        }
    mark(recording);
    const auto leak = only(recording);
    EXPECT_EQ(leak.kind, FindingKind::kLeak);
    EXPECT_EQ(leak.confidence, Confidence::kProbable);
    recording.site_epochs.back().back().unreachable_blocks = 0;
    const auto cache = only(recording);
    EXPECT_EQ(cache.kind, FindingKind::kCache);
    EXPECT_EQ(cache.confidence, Confidence::kPossible) << "a rest after three blocks tells nothing";
    EXPECT_FALSE(cache.forecast);
}

TEST(Findings, ARestAfterAFewStepsMayBeChance) {
    for (const std::uint64_t step : {20UL, 4UL}) {
        auto recording = quiet();
        grow_heap(recording, 5 * kBlockBytes);
        recording.overhead.tier = "sites";
        mark(recording);
        add_site(recording, [step](std::uint64_t requests) {
            return std::min<std::uint64_t>(requests, 220) / step * step * 5;
        });
        const auto cache = only(recording);
        EXPECT_EQ(cache.subkind, "bounded");
        EXPECT_EQ(cache.confidence, step == 20 ? Confidence::kPossible : Confidence::kDefinite);
        EXPECT_EQ(cache.forecast.has_value(), step != 20);
        recording.overhead.tier = "full";
        EXPECT_EQ(only(recording).confidence, cache.confidence);
    }
}

/// An array that doubles when it is full frees its old block, and rests until it is full again.
TEST(Findings, AnArrayThatDoublesDoesNotComeToRest) {
    auto recording = quiet();
    mark(recording);
    add_site(recording, [](std::uint64_t requests) { return std::bit_floor(requests) * 10; });
    for (std::size_t i = 1; i < kEpochs; ++i) {
        auto& now = recording.site_epochs[i].back();
        const auto& before = recording.site_epochs[i - 1].back();
        now.late_freed_blocks = now.outlived_bytes > before.outlived_bytes ? 1 : 0;
    }
    for (const std::uint64_t last : {210UL, 300UL}) {
        auto begin = recording;
        begin.requests_completed = last;
        begin.epochs.resize(last / kRequestsPerEpoch);
        begin.site_epochs.resize(begin.epochs.size());
        begin.readings.resize(begin.epochs.size());
        EXPECT_EQ(only(begin).confidence, Confidence::kPossible) << last;
        EXPECT_FALSE(only(begin).forecast);
    }
}

TEST(Findings, SlowerGrowthOverIntervalsHasNoForecast) {
    const auto slower = [](std::uint64_t n) {
        const auto x = static_cast<double>(n);
        return static_cast<std::uint64_t>(1000 * (1 - std::exp(-x / 150)));
    };
    const auto full = [](std::uint64_t n) { return std::min<std::uint64_t>(n, 150); };
    for (const auto source : {ledger::RequestSource::kUsdt, ledger::RequestSource::kEvery}) {
        const bool by_request = source == ledger::RequestSource::kUsdt;
        auto recording = quiet();
        recording.request_source = source;
        mark(recording);
        auto resting = recording;
        add_site(recording, slower);
        EXPECT_EQ(only(recording).forecast.has_value(), by_request);
        add_site(resting, full);
        EXPECT_EQ(only(resting).confidence,
                  by_request ? Confidence::kDefinite : Confidence::kProbable);
    }
}

TEST(Findings, AFewStepsMakeNoKindOfCache) {
    for (const std::uint64_t step : {33UL, 5UL}) {
        auto recording = quiet();
        grow_heap(recording);
        mark(recording);
        add_site(recording, [step](std::uint64_t requests) { return requests / step * step; });
        EXPECT_EQ(only(recording).confidence,
                  step == 33 ? Confidence::kPossible : Confidence::kDefinite);
        recording.overhead.tier = "sites";
        const auto cache = only(recording);
        EXPECT_EQ(cache.kind, FindingKind::kCache);
        EXPECT_EQ(cache.confidence, step == 33 ? Confidence::kPossible : Confidence::kDefinite);
    }
}

TEST(Findings, WhatWasFreedAfterAllIsNoDefiniteLeak) {
    auto recording = quiet();
    add_site(
        recording, [](std::uint64_t requests) { return requests; }, 0.9);
    recording.site_epochs.back().back().retracted_blocks = 30;
    mark(recording);
    EXPECT_NE(only(recording).confidence, Confidence::kDefinite);
}

TEST(Findings, AGapBetweenCensusesIsNoStandstill) {
    auto recording = quiet();
    recording.overhead.tier = "auto";
    add_site(
        recording,
        [](std::uint64_t requests) {
            const bool between = requests > 50 && requests < kEpochs * kRequestsPerEpoch;
            return between ? 50 : requests;
        },
        0.9);
    mark(recording);
    const auto leak = only(recording);
    EXPECT_EQ(leak.kind, FindingKind::kLeak);
    EXPECT_DOUBLE_EQ(leak.per_request->value, kBlockBytes);
}

TEST(Findings, WhatIsPointedToIsACache) {
    auto recording = quiet();
    add_site(recording, [](std::uint64_t requests) { return requests; });
    mark(recording);
    const auto cache = only(recording);
    EXPECT_EQ(cache.kind, FindingKind::kCache);
    EXPECT_EQ(cache.subkind, "unbounded");
    EXPECT_DOUBLE_EQ(cache.per_request->value, kBlockBytes);
}

TEST(Findings, ACacheThatEvictsIsBounded) {
    auto recording = quiet();
    add_site(
        recording, [](std::uint64_t requests) { return std::min<std::uint64_t>(requests, 60); }, 0,
        4);
    mark(recording);
    EXPECT_EQ(only(recording).subkind, "bounded");
}

TEST(Findings, WhatReplacesOlderBlocksIsNoGrowth) {
    auto recording = quiet();
    add_site(
        recording, [](std::uint64_t requests) { return std::min<std::uint64_t>(requests, 150); }, 0,
        4);
    mark(recording);
    recording.counts.freed_unknown_blocks = 150;
    EXPECT_TRUE(analyze(recording).findings.empty());
    grow(recording, &ledger::Books::heap_live, [](std::uint64_t requests) {
        return (50 << 20) + std::min<std::uint64_t>(requests, 150) * kBlockBytes;
    });
    EXPECT_EQ(only(recording).subkind, "bounded") << "the heap holds more, indeed";
}

/// Each request adds a block of a FIFO that was full before the attach, and frees an older one.
Recording full_fifo() {
    auto recording = quiet();
    add_site(recording, [](std::uint64_t requests) { return requests; });
    recording.counts.freed_unknown_blocks = recording.requests_completed;
    return recording;
}

/// All that its sites hold is followed children's.
void give_to_children(Recording& recording) {
    for (auto& epoch : recording.site_epochs)
        for (SiteEpoch& site : epoch) {
            site.followed_bytes = site.outlived_bytes;
            site.followed_blocks = site.outlived_blocks;
        }
}

TEST(Findings, OfFollowedChildrenNobodyKnowsWhatIsPointedTo) {
    auto recording = quiet();
    add_site(recording, [](std::uint64_t requests) { return requests; });
    mark(recording);
    recording.counts.freed_unknown_blocks = 300;
    EXPECT_TRUE(analyze(recording).findings.empty()) << "of the target: it replaces older ones";
    give_to_children(recording);
    const auto leak = only(recording);
    EXPECT_EQ(leak.kind, FindingKind::kLeak);
    EXPECT_EQ(leak.confidence, Confidence::kProbable);
    EXPECT_TRUE(says(leak, "followed children hold them"));
    EXPECT_FALSE(says(leak, "still points"));
    EXPECT_EQ(unaccounted_growth(recording, {leak}), 0);
    grow_heap(recording, 10'000);
    EXPECT_GT(unaccounted_growth(recording, {leak}), 2'900'000) << "it is in no book";

    recording = quiet();
    add_site(
        recording, [](std::uint64_t requests) { return requests; }, 0, 2);
    mark(recording);
    give_to_children(recording);
    const auto cache = only(recording);
    EXPECT_EQ(cache.kind, FindingKind::kCache);
    EXPECT_EQ(cache.confidence, Confidence::kProbable);
    EXPECT_TRUE(says(cache, "followed children hold them"));
}

TEST(Findings, WhatTheTargetHoldsOfASiteIsJudgedApartFromItsChildrens) {
    auto recording = quiet();
    add_site(recording, [](std::uint64_t requests) { return 4 * requests; });
    for (auto& epoch : recording.site_epochs)
        for (SiteEpoch& site : epoch) {
            site.followed_bytes = site.outlived_bytes / 4;
            site.followed_blocks = site.outlived_blocks / 4;
        }
    SiteEpoch& last = recording.site_epochs.back().back();
    last.unreachable_blocks = 900;
    last.unreachable_bytes = 900 * kBlockBytes;
    mark(recording);
    const auto findings = analyze(recording).findings;
    ASSERT_EQ(findings.size(), 2U);
    EXPECT_EQ(findings[0].kind, FindingKind::kLeak);
    EXPECT_EQ(findings[0].confidence, Confidence::kDefinite);
    EXPECT_DOUBLE_EQ(findings[0].bytes, 900 * kBlockBytes);
    EXPECT_EQ(findings[1].kind, FindingKind::kLeak);
    EXPECT_EQ(findings[1].confidence, Confidence::kProbable);
    EXPECT_DOUBLE_EQ(findings[1].bytes, 300 * kBlockBytes);
    EXPECT_TRUE(findings[1].of_followed);
}

TEST(Findings, AFifoWhoseBlocksOutliveTheWindowDoesNotGrow) {
    auto recording = full_fifo();
    EXPECT_TRUE(analyze(recording).findings.empty()) << "not looked at whether it leaks";
    mark(recording);
    EXPECT_TRUE(analyze(recording).findings.empty());
    auto shared_out = recording;
    shared_out.overhead.tier = "auto";
    EXPECT_EQ(only(shared_out).kind, FindingKind::kCache) << "a share of what a census found";
    grow_heap(recording);
    EXPECT_EQ(only(recording).confidence, Confidence::kDefinite) << "the heap holds more, indeed";
}

TEST(Findings, SampledGrowthThatTheHeapDoesNotShowIsPossibleAtMost) {
    auto recording = full_fifo();
    recording.overhead.tier = "sites";
    recording.counts.freed_unknown_blocks = 0;  // such frees are not counted there
    mark(recording);
    EXPECT_EQ(only(recording).confidence, Confidence::kPossible);
    EXPECT_EQ(only(recording).advice.find("did not stop"), std::string::npos);
    grow_heap(recording);
    EXPECT_EQ(only(recording).confidence, Confidence::kDefinite);
}

TEST(Findings, ACacheByInputIsKeyed) {
    auto recording = quiet();
    add_site(recording,
             [](std::uint64_t requests) { return std::min<std::uint64_t>(requests / 2, 120) * 2; });
    mark(recording);
    const auto cache = only(recording);
    EXPECT_EQ(cache.kind, FindingKind::kCache);
    EXPECT_EQ(cache.subkind, "keyed");
}

TEST(Findings, WhatCameWithTheFirstRequestsIsAWarmup) {
    auto recording = quiet();
    add_site(recording,
             [](std::uint64_t requests) { return std::min<std::uint64_t>(requests, 40) * 100; });
    mark(recording);
    EXPECT_EQ(only(recording).kind, FindingKind::kWarmup);
}

TEST(Findings, WhatNothingPointsToSinceTheFirstRequestsIsALeakThatCameOnce) {
    auto recording = quiet();
    add_site(
        recording,
        [](std::uint64_t requests) { return std::min<std::uint64_t>(requests, 40) * 100; }, 1);
    mark(recording);
    const auto leak = only(recording);
    EXPECT_EQ(leak.kind, FindingKind::kLeak);
    EXPECT_EQ(leak.subkind, "once");
    EXPECT_EQ(leak.confidence, Confidence::kProbable);
    EXPECT_FALSE(leak.per_request);
    EXPECT_FALSE(endless(leak));
    EXPECT_TRUE(says(leak, "after request 35"));
}

}  // namespace
}  // namespace asrtrace::classify
