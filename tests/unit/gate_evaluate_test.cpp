// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/gate/evaluate.h"

#include <array>

#include "tests/unit/gate_fixture.h"

namespace asrtrace::gate {
namespace {

TEST(Gate, ALeakFailsWithTheBuiltInPolicy) {
    const auto outcome = outcome_of(recorded(4096), built_in_policy());
    EXPECT_EQ(outcome.verdict, Verdict::kFail);
    const Check* leak = check_of(outcome, Rule::kLeak);
    ASSERT_NE(leak, nullptr);
    EXPECT_EQ(leak->verdict, Verdict::kFail);
    EXPECT_DOUBLE_EQ(leak->measured->value, 4096);
    EXPECT_EQ(leak->limit, 0);
    EXPECT_EQ(leak->measured->finding, 0U);
}

TEST(Gate, WithoutALeakItPasses) {
    const auto outcome = outcome_of(recorded(0), built_in_policy());
    EXPECT_EQ(outcome.verdict, Verdict::kPass);
    EXPECT_EQ(check_of(outcome, Rule::kLeak)->verdict, Verdict::kPass);
    EXPECT_EQ(check_of(outcome, Rule::kUnexplained)->verdict, Verdict::kPass);
    EXPECT_EQ(check_of(outcome, Rule::kRetained, true)->verdict, Verdict::kUnchecked)
        << "no baseline";
}

TEST(Gate, ALimitIsBrokenByWhatIsSureOnly) {
    auto recording = recorded(4096);
    auto analysis = classify::analyze(recording);
    ASSERT_EQ(analysis.findings.front().kind, classify::FindingKind::kLeak);
    analysis.findings.front().per_request =
        classify::Slope{.value = 4000, .ci95 = Interval{3000, 5000}, .points = 40};
    const auto verdict = [&](double limit) {
        return evaluate({recording, analysis}, nullptr, only(Rule::kLeak, {.max = limit}), kToday)
            .verdict;
    };
    ASSERT_EQ(sites_examined(analysis), 2U);
    const double sure = 4000 - widening(2) * 1000;
    EXPECT_EQ(verdict(sure - 1), Verdict::kFail);
    EXPECT_EQ(verdict(sure + 1), Verdict::kInconclusive)
        << "above the limit, but perhaps by chance";
    EXPECT_EQ(verdict(4001), Verdict::kPass);
}

TEST(Gate, ALeakThatCameOnceIsNoRate) {
    classify::Analysis analysis;
    analysis.findings.resize(2);
    analysis.findings[0].kind = analysis.findings[1].kind = classify::FindingKind::kLeak;
    analysis.findings[1].subkind = "once";
    const auto measured = measured_findings(analysis, Rule::kLeak, 1);
    ASSERT_EQ(measured.size(), 1U);
    EXPECT_EQ(measured[0].finding, 0U);
}

TEST(Gate, MoreStacksMakeItMoreCareful) {
    EXPECT_DOUBLE_EQ(widening(0), 1);
    EXPECT_DOUBLE_EQ(widening(1), 1);
    EXPECT_NEAR(widening(2), 2.241403 / 1.959964, 1e-6);
    EXPECT_NEAR(widening(1000), 4.055627 / 1.959964, 1e-6);
}

TEST(Gate, ThinEvidenceIsNoPass) {
    const auto leak = only(Rule::kLeak, {.max = 0});
    const auto verdict = [&](const ledger::Recording& recording) {
        return outcome_of(recording, leak).verdict;
    };
    EXPECT_EQ(verdict(recorded(0)), Verdict::kPass);
    EXPECT_EQ(verdict(recorded(0, 9)), Verdict::kInconclusive) << "90 requests";
    auto lossy = recorded(0);
    lossy.losses.ring_events = 1000;
    EXPECT_EQ(verdict(lossy), Verdict::kInconclusive);
    auto leaking = recorded(4096);
    leaking.losses.ring_events = 1000;
    EXPECT_EQ(verdict(leaking), Verdict::kInconclusive) << "lost frees look like leaks";
    auto blind = recorded(0);
    blind.losses.attach_failed = {"malloc: not permitted"};
    EXPECT_EQ(verdict(blind), Verdict::kInconclusive);
    auto watched = recorded(0);
    watched.overhead.tier = "watch";
    EXPECT_EQ(verdict(watched), Verdict::kInconclusive);
    auto damaged = recorded(0);
    damaged.damage = {"epochs 7 to 9"};
    EXPECT_EQ(verdict(damaged), Verdict::kInconclusive);
    EXPECT_EQ(verdict({}), Verdict::kInconclusive);
}

TEST(Gate, SamplesAreEnoughOnlyIfThePolicySaysSo) {
    auto recording = recorded(0);
    recording.overhead.tier = "sites";
    auto policy = only(Rule::kLeak, {.max = 0});
    EXPECT_EQ(outcome_of(recording, policy).verdict, Verdict::kInconclusive);
    policy.evidence.sampling = true;
    EXPECT_EQ(outcome_of(recording, policy).verdict, Verdict::kPass);
}

TEST(Gate, LevelsAreThoseOfTheSecondHalf) {
    // 0.2 MB retained at first, 6.2 MB from the fourth epoch of forty on.
    const auto recording = recorded(0);
    const auto verdict = [&](double limit) {
        return outcome_of(recording, only(Rule::kRetained, {.max = limit})).verdict;
    };
    EXPECT_EQ(verdict(6'199'999), Verdict::kFail);
    EXPECT_EQ(verdict(6'200'000), Verdict::kPass);
    auto unread = recording;
    unread.readings.clear();
    EXPECT_EQ(outcome_of(unread, only(Rule::kRetained, {.max = 0})).verdict,
              Verdict::kInconclusive);
    const auto peak = outcome_of(recording, only(Rule::kPeakRssAnon, {.max = 59'999'999}));
    EXPECT_EQ(peak.verdict, Verdict::kFail);
    unread.counts.peak_rss_anon_bytes = 0;
    const auto unknown = outcome_of(unread, only(Rule::kPeakRssAnon, {.max = 1}));
    EXPECT_EQ(unknown.verdict, Verdict::kInconclusive);
    EXPECT_EQ(unknown.checks.front().reason, "memory was never sampled: the peak is not known");
    // PSS rises through the second half; its median is known between ranks only.
    const auto pss = outcome_of(recording, only(Rule::kPss, {.max = 1}));
    const auto& measured = *pss.checks.front().measured;
    EXPECT_DOUBLE_EQ(measured.value, (90'000 + 40 * 29.5) * 1024);
    // Of 20 values ranks 6 and 15 hold the median with 95 %.
    EXPECT_DOUBLE_EQ(measured.corrected->lo, (90'000 + 40 * 25) * 1024);
    EXPECT_DOUBLE_EQ(measured.corrected->hi, (90'000 + 40 * 34) * 1024);
}

/// `readings` of PSS, the k-th of `pss_kb(k)`, each in as many samples as the sampler gives it.
template <typename PssKb>
ledger::Recording with_pss(std::size_t readings, std::size_t samples_each, PssKb pss_kb) {
    ledger::Recording recording;
    for (std::size_t i = 0; i < readings * samples_each; ++i) {
        ledger::ProcSample sample;
        sample.t_ns = i * 1'000'000'000;
        sample.pss_kb = pss_kb(i / samples_each);
        recording.samples.push_back(sample);
    }
    return recording;
}

TEST(Gate, TheIntervalOfALevelDoesNotCollapseInALongRun) {
    // 0.5 to the power of 1,075 is 0 in a double.
    const auto width = [](std::size_t readings, std::size_t comparisons) {
        const auto recording = with_pss(readings, 1, [](std::size_t k) { return 1000 + k; });
        const auto measured = measured_level(recording, Rule::kPss, 3, comparisons);
        return (measured->corrected->hi - measured->corrected->lo) / 1024;
    };
    // By exact binomial sums: of 1,500 values the ranks 712 and 789 hold the median with 95 %.
    EXPECT_DOUBLE_EQ(width(3000, 1), 1500 - 1 - 2 * 711);
    EXPECT_DOUBLE_EQ(width(3000, 4), 1500 - 1 - 2 * 701);
    EXPECT_DOUBLE_EQ(width(2148, 1), 1074 - 1 - 2 * 504);
    EXPECT_DOUBLE_EQ(width(2150, 1), 1075 - 1 - 2 * 504);
    EXPECT_DOUBLE_EQ(width(10000, 1), 5000 - 1 - 2 * 2430);
}

TEST(Gate, AMeasurementOfPssIsOneHoweverManySamplesRepeatIt) {
    const auto level_of = [](const ledger::Recording& recording) {
        const auto measured = measured_level(recording, Rule::kPss, 3, 1);
        return std::array{measured->value / 1024, measured->corrected->lo / 1024,
                          measured->corrected->hi / 1024};
    };
    const auto rising = [](std::size_t k) { return 1000 + k; };
    // Of 20 values ranks 6 and 15 hold the median with 95 %.
    const std::array expected{1029.5, 1025.0, 1034.0};
    EXPECT_EQ(level_of(with_pss(40, 1, rising)), expected);
    EXPECT_EQ(level_of(with_pss(40, 5, rising)), expected);
    // Nor is a level that held still for ten samples measured once only.
    const auto slowly = [](std::size_t k) { return 1000 + k / 2; };
    EXPECT_EQ(level_of(with_pss(40, 5, slowly)), (std::array{1014.5, 1012.0, 1017.0}));
}

TEST(Gate, AShortRunHasThreeSamplesOfPssThoughOfTwoMeasurements) {
    auto recording = with_pss(2, 5, [](std::size_t k) { return 1000 + k; });
    EXPECT_EQ(outcome_of(recording, only(Rule::kPss, {.max = 2 << 20})).verdict, Verdict::kPass);
    recording.samples.resize(4);
    EXPECT_EQ(outcome_of(recording, only(Rule::kPss, {.max = 2 << 20})).verdict,
              Verdict::kInconclusive);
}

TEST(Gate, WhatThePssWasInTheFirstHalfIsNotThatOfTheSecond) {
    // Of nine samples the fifth, which is the first of the second half, repeats the measurement
    // that the first one made.
    auto recording = with_pss(2, 5, [](std::size_t k) { return k == 0 ? 3'000U : 56'000U; });
    recording.samples.pop_back();
    const auto measured = measured_level(recording, Rule::kPss, 3, 1);
    EXPECT_EQ(measured->corrected->lo, 56'000.0 * 1024);
    EXPECT_EQ(measured->value, 56'000.0 * 1024);
    // A level that never moved is one all the same.
    recording.samples.resize(7);
    for (auto& sample : recording.samples) sample.pss_kb = 3'000;
    EXPECT_EQ(measured_level(recording, Rule::kPss, 3, 1)->value, 3'000.0 * 1024);
}

TEST(Gate, APlateauIsThatOfCachesAndSureAsFarAsItIsThere) {
    const auto recording = recorded(0);
    auto analysis = classify::analyze(recording);
    classify::Finding cache;
    cache.kind = classify::FindingKind::kCache;
    cache.subkind = "bounded";
    cache.bytes = 3000;
    cache.forecast = classify::Forecast{5000, 600};
    analysis.findings = {cache};
    const auto verdict = [&](double limit) {
        return evaluate({recording, analysis}, nullptr, only(Rule::kPlateau, {.max = limit}),
                        kToday)
            .verdict;
    };
    EXPECT_EQ(verdict(2999), Verdict::kFail);
    EXPECT_EQ(verdict(3001), Verdict::kWarn);
    EXPECT_EQ(verdict(5000), Verdict::kPass);
    analysis.findings[0].kind = classify::FindingKind::kRetention;
    EXPECT_EQ(verdict(0), Verdict::kPass) << "retained memory has a limit of its own";
}

TEST(Gate, ABaselineIsExceededByPercentAndFloorBoth) {
    const auto base = recorded(0);
    auto more = base;
    for (auto& reading : more.readings) reading.books.heap_retained += 2'000'000;
    const auto verdict = [&](Allowance allowance) {
        return outcome_of(more, only(Rule::kRetained, {.over_baseline = allowance}), &base).verdict;
    };
    EXPECT_EQ(verdict({.percent = 10, .floor = 1'000'000}), Verdict::kFail);
    EXPECT_EQ(verdict({.percent = 50, .floor = 1'000'000}), Verdict::kPass);
    EXPECT_EQ(verdict({.percent = 10, .floor = 3'000'000}), Verdict::kPass);
}

TEST(Gate, ADamagedBaselineIsNothingToCompareWith) {
    const auto recording = recorded(0);
    auto base = recording;
    base.damage = {"readings of the heap from number 3 on"};
    for (auto& sample : base.samples) sample.pss_kb /= 2;
    for (auto& reading : base.readings) reading.books.heap_retained /= 2;
    for (const Rule rule : {Rule::kPss, Rule::kRetained, Rule::kUnexplained, Rule::kPeakRssAnon}) {
        const auto outcome =
            outcome_of(recording, only(rule, {.over_baseline = Allowance{1, 1}}), &base);
        EXPECT_EQ(outcome.verdict, Verdict::kInconclusive) << info(rule).name;
        EXPECT_EQ(outcome.checks.front().reason, "baseline: the trace is damaged");
    }
    base.readings.clear();
    const auto gone =
        outcome_of(recording, only(Rule::kRetained, {.over_baseline = Allowance{1, 1}}), &base);
    EXPECT_EQ(gone.checks.front().reason, "baseline: the trace is damaged")
        << "rather than that the baseline does not show it";
    const auto absolute = outcome_of(recording, only(Rule::kPss, {.max = 1}), &base);
    EXPECT_EQ(absolute.verdict, Verdict::kFail) << "the baseline has no part in it";
}

TEST(Gate, ALeakOfTheBaselineIsMatchedByWhoDoesIt) {
    const auto base = recorded(4096);
    const auto policy = only(Rule::kLeak, {.over_baseline = Allowance{10, 64}});
    EXPECT_EQ(outcome_of(recorded(4096), policy, &base).verdict, Verdict::kPass);
    EXPECT_EQ(outcome_of(recorded(8192), policy, &base).verdict, Verdict::kFail);
    auto moved = recorded(4096);
    for (auto& frame : moved.frames) frame.module_offset += 0x100;
    EXPECT_EQ(outcome_of(moved, policy, &base).verdict, Verdict::kPass);
    for (auto& frame : moved.frames)
        if (frame.function == "leak_plant") frame.function = "other_leak";
    EXPECT_EQ(outcome_of(moved, policy, &base).verdict, Verdict::kFail) << "a new one";
    EXPECT_EQ(outcome_of(recorded(4096), policy).verdict, Verdict::kInconclusive)
        << "nothing to compare with: nothing was checked";
}

TEST(Gate, ASuppressionMayNameAFunctionAsReportsPrintIt) {
    auto recording = recorded(4096);
    auto policy = only(Rule::kLeak, {.max = 0});
    const auto verdict = [&](const char* name, const char* pattern) {
        for (auto& frame : recording.frames)
            if (frame.function.find("leak_plant") != std::string::npos) frame.function = name;
        policy.suppressions = {{pattern, "", "ticket 7", kToday}};
        return outcome_of(recording, policy).verdict;
    };
    EXPECT_EQ(verdict("asr::leak_plant(unsigned long, Held&)", "asr::leak_plant"), Verdict::kPass);
    EXPECT_EQ(verdict("asr::leak_plant(unsigned long, Held&)", "asr::leak_*)"), Verdict::kPass);
    EXPECT_EQ(verdict("asr::leak_plant(unsigned long, Held&)", "leak_plant"), Verdict::kFail);
    EXPECT_EQ(verdict("leak_plant::<[u8]>::new", "leak_plant::<[u8]>::new"), Verdict::kPass);
}

TEST(Gate, WhatIsKnownIsToleratedUntilItsDay) {
    const auto recording = recorded(4096);
    auto policy = only(Rule::kLeak, {.max = 0});
    policy.suppressions = {{"leak_*", "wor*", "ticket 7", kToday}, {"nobody", "", "old", kToday}};
    auto outcome = outcome_of(recording, policy);
    EXPECT_EQ(outcome.verdict, Verdict::kPass);
    ASSERT_EQ(outcome.suppressed.size(), 1U);
    EXPECT_EQ(outcome.suppressed[0].suppression, 0U);
    EXPECT_EQ(outcome.idle, std::vector<std::size_t>{1});
    EXPECT_EQ(outcome.checks[0].reason, "not counting what is suppressed (1)");
    policy.suppressions[0].module = "libelse.so";
    EXPECT_EQ(outcome_of(recording, policy).verdict, Verdict::kFail);
    policy.suppressions[0].module.clear();
    policy.suppressions[0].expires = kToday.year() / kToday.month() / std::chrono::day(14);
    outcome = outcome_of(recording, policy);
    EXPECT_EQ(outcome.verdict, Verdict::kFail);
    EXPECT_EQ(outcome.expired, std::vector<std::size_t>{0});
    EXPECT_EQ(outcome_of(recorded(0), policy).verdict, Verdict::kWarn)
        << "nothing leaks, but the policy wants to be looked at";
}

}  // namespace
}  // namespace asrtrace::gate
