// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Verdicts over recordings whose truth is known.
#include "user/classify/findings.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <functional>

namespace asrtrace::classify {
namespace {

using ledger::Reading;
using ledger::Recording;
using ledger::SiteEpoch;
using ledger::SiteKind;

constexpr std::uint64_t kEpochs = 60;
constexpr std::uint64_t kRequestsPerEpoch = 5;
constexpr std::uint64_t kBlockBytes = 1000;

/// 300 requests, a heap of 50 MiB that was read after each epoch and does not grow.
Recording quiet() {
    Recording recording;
    recording.overhead.tier = "full";
    recording.request_source = ledger::RequestSource::kUsdt;
    recording.requests_completed = kEpochs * kRequestsPerEpoch;
    recording.stacks.resize(4);
    for (std::uint64_t i = 0; i < kEpochs; ++i) {
        ledger::Epoch epoch{.end_ns = (i + 1) * 1000, .requests = (i + 1) * kRequestsPerEpoch};
        epoch.distinct_args = {std::min<std::uint64_t>(epoch.requests / 2, 120), 1};
        recording.epochs.push_back(epoch);
        Reading reading;
        reading.t_ns = i * 1000 + 500;
        reading.requests = i * kRequestsPerEpoch;
        reading.books.heap_live = 50 << 20;
        reading.arenas = 1;
        reading.mmap_threshold = 128 << 10;
        recording.readings.push_back(reading);
    }
    recording.site_epochs.resize(kEpochs);
    return recording;
}

/// A site that holds `blocks(requests)` blocks.
void add_site(Recording& recording, const std::function<std::uint64_t(std::uint64_t)>& blocks,
              double unreachable = 0, std::uint64_t freed_an_epoch = 0) {
    for (std::uint64_t i = 0; i < recording.epochs.size(); ++i) {
        SiteEpoch site;
        site.stack = StackId(1);
        site.live_blocks = site.outlived_blocks = blocks((i + 1) * kRequestsPerEpoch);
        site.live_bytes = site.outlived_bytes = site.outlived_blocks * kBlockBytes;
        site.freed_blocks = site.late_freed_blocks = freed_an_epoch;
        if (i + 1 == recording.epochs.size()) {
            site.unreachable_blocks =
                static_cast<std::uint64_t>(unreachable * static_cast<double>(site.outlived_blocks));
            site.unreachable_bytes = site.unreachable_blocks * kBlockBytes;
        }
        recording.site_epochs[i].push_back(site);
    }
}

/// The heap grows by as much as add_site() with one block a request.
void grow_heap(Recording& recording, std::uint64_t bytes_per_request = kBlockBytes) {
    for (Reading& reading : recording.readings)
        reading.books.heap_live = (50 << 20) + reading.requests * bytes_per_request;
}

void mark(Recording& recording) {
    recording.reach.push_back({.t_ns = kEpochs * 1000, .requests = recording.requests_completed});
}

/// A chunk of so many bytes is lost in each request; 40 were before.
void mark_six_times(Recording& recording, std::uint64_t chunk_bytes) {
    for (std::uint64_t i = 0; i <= 5; ++i)
        recording.reach.push_back({.t_ns = i * 10'000,
                                   .requests = i * 50,
                                   .unreachable_bytes = 4000 + i * 50 * chunk_bytes,
                                   .unreachable_chunks = 40 + i * 50});
}

void grow(Recording& recording, std::uint64_t ledger::Books::*book,
          const std::function<std::uint64_t(std::uint64_t)>& bytes) {
    for (Reading& reading : recording.readings) reading.books.*book = bytes(reading.requests);
}

Finding only(const Recording& recording) {
    const auto findings = analyze(recording).findings;
    EXPECT_EQ(findings.size(), 1U);
    return findings.empty() ? Finding{} : findings.front();
}

bool says(const Finding& finding, std::string_view words) {
    return std::ranges::any_of(finding.evidence, [&](const std::string& line) {
        return line.find(words) != std::string::npos;
    });
}

TEST(Findings, NothingGrows) {
    auto recording = quiet();
    mark(recording);
    EXPECT_TRUE(analyze(recording).findings.empty());
}

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

TEST(Findings, ALeakThatNoSiteExplainsIsFoundByMarking) {
    auto recording = quiet();
    recording.overhead.tier = "sites";
    mark_six_times(recording, 112);
    const auto leak = only(recording);
    EXPECT_EQ(leak.kind, FindingKind::kLeak);
    EXPECT_EQ(leak.confidence, Confidence::kDefinite);
    EXPECT_DOUBLE_EQ(leak.per_request->value, 112);
    EXPECT_TRUE(leak.stacks.empty());
    auto sampled = recording;
    add_site(
        sampled, [](std::uint64_t requests) { return requests * 70; }, 1);
    const auto located = only(sampled);
    EXPECT_DOUBLE_EQ(located.per_request->value, 112) << "not what some samples stand for";
    EXPECT_EQ(located.stacks, std::vector{StackId(1)});
    recording.reach[3].unreachable_bytes = recording.reach[2].unreachable_bytes;
    EXPECT_TRUE(analyze(recording).findings.empty()) << "it does not rise each time";
}

TEST(Findings, ALeakThatMarkingFindsIsKnownToARequest) {
    auto recording = quiet();
    recording.overhead.tier = "sites";
    mark_six_times(recording, 1000);
    const auto leak = only(recording);
    ASSERT_TRUE(leak.per_request && leak.per_request->ci95);
    EXPECT_DOUBLE_EQ(leak.per_request->ci95->lo, 996) << "rates that do not differ";
    EXPECT_DOUBLE_EQ(leak.per_request->ci95->hi, 1004);
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

TEST(Findings, RetentionHasACause) {
    const auto rising = [](std::uint64_t requests) { return requests * 100'000; };
    const auto subkind = [&](const std::function<void(Reading&)>& change) {
        auto recording = quiet();
        grow(recording, &ledger::Books::heap_retained, rising);
        for (Reading& reading : recording.readings) {
            reading.retained_main = reading.books.heap_retained;
            change(reading);
        }
        const auto finding = only(recording);
        EXPECT_EQ(finding.kind, FindingKind::kRetention);
        EXPECT_DOUBLE_EQ(finding.per_request->value, 100'000);
        return finding.subkind;
    };
    EXPECT_EQ(subkind([](Reading&) {}), "fragmentation");
    EXPECT_EQ(subkind([](Reading& r) { r.retained_top = r.books.heap_retained; }), "top");
    EXPECT_EQ(subkind([](Reading& r) { r.retained_tcache = r.books.heap_retained; }), "tcache");
    EXPECT_EQ(subkind([](Reading& r) {
                  r.arenas = 1 + r.requests / 20;
                  r.retained_main = 0;
              }),
              "arenas");
    EXPECT_EQ(subkind([](Reading& r) {
                  r.retained_large = r.books.heap_retained;
                  if (r.requests > 0) r.mmap_threshold = 4 << 20;
              }),
              "threshold");
}

/// A batch of 30 MiB is in use for 60 requests, and free for the next 60.
TEST(Findings, RetentionThatComesAndGoesIsNotDefinite) {
    const auto batch = [](std::uint64_t requests) {
        return requests / 60 % 2 == 1 ? 30ULL << 20 : 0;
    };
    auto recording = quiet();
    recording.readings.resize(46);  // it ends while the batch is free
    grow(recording, &ledger::Books::heap_retained, batch);
    grow(recording, &ledger::Books::heap_live,
         [&](std::uint64_t requests) { return (50 << 20) + (30 << 20) - batch(requests); });
    auto retention = only(recording);
    EXPECT_EQ(retention.kind, FindingKind::kRetention);
    EXPECT_EQ(retention.confidence, Confidence::kProbable);
    EXPECT_TRUE(says(retention, "fell from 30.0 MiB to 0 B at request 120"));
    EXPECT_TRUE(says(retention, "in use before"));

    for (Reading& reading : recording.readings)
        reading.books.heap_retained = batch(std::min<std::uint64_t>(reading.requests, 60));
    retention = only(recording);
    EXPECT_FALSE(says(retention, "fell")) << "it came once and stays";
}

/// Remedies and what they would save, of many arenas that keep 10 MB: 4 of them in large chunks, 3
/// in tops.
std::vector<std::pair<classify::Remedy, double>> savings_of_arenas(std::uint64_t mmap_threshold) {
    auto recording = quiet();
    grow(recording, &ledger::Books::heap_retained,
         [](std::uint64_t requests) { return requests * 100'000; });
    for (Reading& reading : recording.readings) {
        reading.arenas = 1 + reading.requests / 20;
        reading.mmap_threshold = mmap_threshold;
        reading.retained_large = 4'000'000;
        reading.retained_top = 3'000'000;
        reading.releasable = 6'000'000;
    }
    const auto finding = only(recording);
    EXPECT_EQ(finding.subkind, "arenas");
    EXPECT_NE(finding.advice.find("MALLOC_ARENA_MAX=2"), std::string::npos);
    std::vector<std::pair<classify::Remedy, double>> savings;
    for (const auto& saving : finding.savings) savings.emplace_back(saving.remedy, saving.bytes);
    return savings;
}

TEST(Findings, WhatArenasKeepOfBlocksThatWereMappedOnceHasAFigure) {
    using Savings = std::vector<std::pair<classify::Remedy, double>>;
    EXPECT_EQ(savings_of_arenas(4 << 20),
              (Savings{{classify::Remedy::kTrim, 6e6}, {classify::Remedy::kMmapThreshold, 7e6}}));
    EXPECT_EQ(savings_of_arenas(128 << 10), (Savings{{classify::Remedy::kTrim, 6e6}}))
        << "blocks are mapped as ever";
}

TEST(Findings, OtherBooksThatGrow) {
    const auto rising = [](std::uint64_t requests) { return requests * 100'000; };
    auto recording = quiet();
    grow(recording, &ledger::Books::anon_mapped, rising);
    EXPECT_EQ(only(recording).kind, FindingKind::kMapped);
    recording = quiet();
    grow(recording, &ledger::Books::stack, rising);
    EXPECT_EQ(only(recording).kind, FindingKind::kStack);
}

TEST(Findings, WhatWasPurgedWithinTheWindowMayBePurgedAgain) {
    const auto purged = [](std::uint64_t requests) { return requests % 120; };
    auto recording = quiet();
    recording.epochs.resize(47);
    recording.site_epochs.resize(47);
    recording.readings.resize(47);
    recording.requests_completed = 235;
    auto mapped = recording;
    mark(recording);
    add_site(recording, purged);
    const auto cache = only(recording);
    EXPECT_EQ(cache.confidence, Confidence::kPossible);
    EXPECT_TRUE(says(cache, "fell from 112.3 KiB to 0 B at request 120"));
    EXPECT_FALSE(cache.per_request);
    EXPECT_FALSE(cache.forecast);
    grow(mapped, &ledger::Books::anon_mapped,
         [&](std::uint64_t requests) { return purged(requests) << 20; });
    const auto mapping = only(mapped);
    EXPECT_EQ(mapping.kind, FindingKind::kMapped);
    EXPECT_EQ(mapping.confidence, Confidence::kPossible);
    EXPECT_EQ(mapping.advice.find("at this rate"), std::string::npos);
    EXPECT_TRUE(says(mapping, "fell from")) << "of a measured level a single point does not count";
}

TEST(Findings, TooFewRequestsAreInconclusive) {
    auto recording = quiet();
    recording.requests_completed = 10;
    grow(recording, &ledger::Books::heap_live,
         [](std::uint64_t requests) { return (50 << 20) + requests * 100'000; });
    const auto finding = only(recording);
    EXPECT_EQ(finding.kind, FindingKind::kInconclusive);
    EXPECT_TRUE(finding.requests_needed);
}

/// 200 requests in which the heap grows by 50 MiB, its levels off by `scatter` now and then.
std::uint64_t needed_with(double scatter) {
    constexpr std::array<int, 11> kSigns{0, 1, 1, -1, 1, -1, -1, 1, -1, -1, 0};
    auto recording = quiet();
    recording.readings.resize(kSigns.size());
    recording.requests_completed = 200;
    for (std::size_t i = 0; i < kSigns.size(); ++i) {
        recording.readings[i].requests = i * 20;
        recording.readings[i].books.heap_live +=
            static_cast<std::uint64_t>(5242880.0 * static_cast<double>(i) + scatter * kSigns[i]);
    }
    return only(recording).requests_needed.value_or(0);
}

TEST(Findings, MoreScatterNeedsMoreRequests) {
    EXPECT_EQ(needed_with(0), 400);  // twice what there was
    const auto some = needed_with(5 << 20), much = needed_with(8 << 20);
    EXPECT_GT(some, 400);
    EXPECT_GT(much, some);
    EXPECT_LE(much, 4000);  // twenty times what there was
}

TEST(Findings, GrowthOutsideOfFindingsIsTold) {
    auto recording = quiet();
    add_site(
        recording, [](std::uint64_t requests) { return requests; }, 1);
    mark(recording);
    const auto growing = [&](std::uint64_t bytes_per_request) {
        grow(recording, &ledger::Books::heap_live,
             [=](std::uint64_t requests) { return (50 << 20) + requests * bytes_per_request; });
        const auto findings = analyze(recording).findings;
        EXPECT_EQ(findings.front().kind, FindingKind::kLeak);
        return unaccounted_growth(recording, findings);
    };
    EXPECT_EQ(growing(kBlockBytes), 0);
    EXPECT_NEAR(growing(kBlockBytes + 20000), 295 * 20000, 10000);
}

TEST(Findings, GrowthThatNothingExplainsIsSaid) {
    auto recording = quiet();
    grow(recording, &ledger::Books::heap_live,
         [](std::uint64_t requests) { return (50 << 20) + requests * 100'000; });
    EXPECT_EQ(only(recording).kind, FindingKind::kInconclusive);
}

TEST(Findings, LossesLowerConfidenceAndThenForbidAVerdict) {
    auto recording = quiet();
    add_site(
        recording, [](std::uint64_t requests) { return requests; }, 1);
    mark(recording);
    recording.events_attributed = 100'000;
    recording.losses.ring_events = 1000;
    EXPECT_EQ(only(recording).confidence, Confidence::kProbable);
    recording.losses.ring_events = 50'000;
    EXPECT_EQ(only(recording).kind, FindingKind::kInconclusive);
}

}  // namespace
}  // namespace asrtrace::classify
