// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Verdicts over books, and over what marking finds.
#include "tests/unit/classify_fixture.h"

#include <gtest/gtest.h>

#include <array>

namespace asrtrace::classify {
namespace {

TEST(Findings, NothingGrows) {
    auto recording = quiet();
    mark(recording);
    EXPECT_TRUE(analyze(recording).findings.empty());
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
    EXPECT_NE(leak.advice.find("--tier full"), std::string::npos);
    auto followed = recording;
    followed.overhead.tier = "full";
    EXPECT_NE(only(followed).advice.find("asrtrace run"), std::string::npos) << "it is full";
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
    EXPECT_NE(only(recording).advice.find("at this rate"), std::string::npos);
    recording = quiet();
    grow(recording, &ledger::Books::anon_mapped,
         [](std::uint64_t requests) { return std::min<std::uint64_t>(requests, 150) * 100'000; });
    const auto at_rest = only(recording);
    EXPECT_EQ(at_rest.kind, FindingKind::kMapped);
    EXPECT_EQ(at_rest.advice.find("at this rate"), std::string::npos) << at_rest.advice;
    EXPECT_NE(at_rest.advice.find("no more is expected"), std::string::npos) << at_rest.advice;
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

/// A site a stack: some function, `decode`, then where requests are served. All grow alike.
Recording grown_in(std::uint32_t places) {
    auto recording = quiet();
    recording.stacks.clear();
    const auto add_frame = [&](std::string function) {
        ledger::Frame frame;
        frame.function = std::move(function);
        frame.module = "/srv/worker";
        recording.frames.push_back(std::move(frame));
        return FrameId(static_cast<std::uint32_t>(recording.frames.size() - 1));
    };
    const std::array callers{add_frame("decode(Page const&)"), add_frame("serve()"),
                             add_frame("main")};
    for (std::uint32_t place = 0; place < places; ++place) {
        recording.stacks.emplace_back();
        auto& frames = recording.stacks.back().frames;
        frames.push_back(add_frame("part" + std::to_string(place)));
        frames.insert(frames.end(), callers.begin(), callers.end());
        for (std::uint64_t i = 0; i < kEpochs; ++i) {
            SiteEpoch site;
            site.stack = StackId(place);
            site.outlived_blocks = site.live_blocks = (i + 1) * kRequestsPerEpoch / 10;
            site.outlived_bytes = site.live_bytes = site.outlived_blocks * kBlockBytes;
            recording.site_epochs[i].push_back(site);
        }
    }
    grow_heap(recording, places * kBlockBytes / 10);
    mark(recording);
    return recording;
}

TEST(Findings, GrowthInManyPlacesIsToldByTheirCaller) {
    const auto finding = only(grown_in(300));
    EXPECT_EQ(finding.kind, FindingKind::kInconclusive);
    EXPECT_TRUE(says(finding, "from 300 places"));
    EXPECT_TRUE(says(finding, "100.0 % of that is made below decode")) << finding.evidence.back();
    EXPECT_NE(finding.advice.find("flamegraph"), std::string::npos);
    // Places that are worth a finding each.
    for (const Finding& named : analyze(grown_in(40)).findings)
        EXPECT_EQ(named.kind, FindingKind::kCache);
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

/// Memory of three books and 58 MB that malloc keeps; a site that leaks.
Recording grown_everywhere() {
    auto recording = quiet();
    for (const auto book : {&ledger::Books::heap_retained, &ledger::Books::anon_mapped})
        grow(recording, book, [](std::uint64_t requests) { return requests * 200'000; });
    mark_six_times(recording, kBlockBytes);
    add_site(
        recording, [](std::uint64_t requests) { return requests; }, 1);
    recording.events_attributed = 80'000;
    return recording;
}

std::vector<std::pair<FindingKind, Confidence>> said_of(const Recording& recording) {
    std::vector<std::pair<FindingKind, Confidence>> said;
    for (const Finding& finding : analyze(recording).findings)
        said.emplace_back(finding.kind, finding.confidence);
    std::ranges::sort(said);
    return said;
}

using Said = std::vector<std::pair<FindingKind, Confidence>>;
const Said kAllSure{{FindingKind::kLeak, Confidence::kDefinite},
                    {FindingKind::kRetention, Confidence::kDefinite},
                    {FindingKind::kMapped, Confidence::kDefinite}};

TEST(Findings, WhatIsReadDoesNotDependOnEvents) {
    auto recording = grown_everywhere();
    ASSERT_EQ(said_of(recording), kAllSure);
    recording.losses.ring_events = 1000;
    EXPECT_EQ(said_of(recording),
              (Said{{FindingKind::kLeak, Confidence::kProbable}, kAllSure[1], kAllSure[2]}));
    recording.losses.ring_events = recording.losses.ring_calls = 80'000;
    Said said = kAllSure;  // marking finds the leak, too
    said.emplace_back(FindingKind::kInconclusive, Confidence::kPossible);
    EXPECT_EQ(said_of(recording), said);
    for (const Finding& finding : analyze(recording).findings) {
        EXPECT_EQ(finding.per_request.has_value(), finding.kind != FindingKind::kInconclusive);
        const bool of_books =
            finding.kind == FindingKind::kRetention || finding.kind == FindingKind::kMapped;
        EXPECT_EQ(finding.bytes > 4 << 20, of_books) << "what is found is not in doubt twice";
        EXPECT_EQ(finding.advice.find("from its start"), std::string::npos);
        EXPECT_TRUE(finding.stacks.empty());
    }
    recording.losses.ring_calls = 0;
    for (const Finding& finding : analyze(recording).findings)
        if (finding.kind == FindingKind::kRetention) {
            EXPECT_FALSE(finding.per_request) << "who knows how many requests there were";
        }
}

TEST(Findings, AStackWithoutRoomIsNoLostEvent) {
    auto recording = grown_everywhere();
    recording.losses.map_full_events = recording.losses.map_full_stacks = 16'000;
    EXPECT_EQ(lost_share(recording), 0);
    EXPECT_EQ(said_of(recording), kAllSure) << "each stack of theirs has a place";
    for (auto& epoch : recording.site_epochs)
        for (SiteEpoch& site : epoch) site.stack = kUnknownStack;
    const auto findings = analyze(recording).findings;
    EXPECT_EQ(findings.front().kind, FindingKind::kLeak);
    EXPECT_EQ(findings.front().confidence, Confidence::kProbable);
    EXPECT_TRUE(says(findings.front(), "20.0 % of the events"));
    recording.losses.map_full_events += 1000;
    EXPECT_NEAR(lost_share(recording), 1000.0 / 81'000, 1e-9) << "another map was full, too";
}

TEST(Findings, WhatTracepointsMissedMayBeAnybodys) {
    auto recording = grown_everywhere();
    recording.losses.missed_tracepoints = 50'000;
    EXPECT_EQ(said_of(recording), kAllSure);
    recording.losses.missed_programs = 1000;
    EXPECT_EQ(said_of(recording).front().second, Confidence::kProbable);
}

}  // namespace
}  // namespace asrtrace::classify
