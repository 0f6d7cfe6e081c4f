// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Every threshold from both sides, on synthetic runs.
#include "user/soak/verdict.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <string>

#include "tests/unit/soak_fixture.h"

namespace asrtrace::soak {
namespace {

constexpr Grade kP = Grade::kPass;
constexpr Grade kW = Grade::kWarn;
constexpr Grade kF = Grade::kFail;

Verdict with_pss(std::int64_t early, std::int64_t growth) {
    return judged({.pss = {1, early, early + growth, early}});
}

Verdict with_anon(std::int64_t early, std::int64_t growth) {
    return judged({.rss_anon = {1, early, early + growth, early}});
}

Verdict with_available(std::int64_t total, std::int64_t baseline, std::int64_t late) {
    return judged({.available = {baseline, 7, late, 7}, .total = total});
}

TEST(SoakVerdict, PssInMibWhileSmall) {
    EXPECT_EQ(with_pss(500'000, 150 * kMibKb).pss.grade, kP);
    EXPECT_EQ(with_pss(500'000, 150 * kMibKb + 1).pss.grade, kW);
    EXPECT_EQ(with_pss(500'000, 300 * kMibKb).pss.grade, kW);
    EXPECT_EQ(with_pss(500'000, 300 * kMibKb + 1).pss.grade, kF);
    EXPECT_EQ(with_pss(500'000, -400'000).pss.grade, kP) << "shrinking";
    EXPECT_EQ(with_pss(0, 150 * kMibKb + 1).overall, kW);
}

TEST(SoakVerdict, PssInPercentWhileLarge) {
    EXPECT_EQ(with_pss(4'000'009, 400'000).pss.grade, kP) << "10 % truncated";
    EXPECT_EQ(with_pss(4'000'009, 400'001).pss.grade, kW);
    EXPECT_EQ(with_pss(4'000'009, 800'001).pss.grade, kW);
    EXPECT_EQ(with_pss(4'000'009, 800'002).pss.grade, kF);
    EXPECT_EQ(with_pss(4'000'009, 800'002).overall, kF);
}

TEST(SoakVerdict, WhereMibAndPercentMeet) {
    // 10 % of 1,536,000 KiB are 150 MiB.
    EXPECT_EQ(with_pss(1'536'009, 0).pss.pass_limit, 150 * kMibKb);
    EXPECT_EQ(with_pss(1'536'010, 0).pss.pass_limit, 150 * kMibKb + 1);
    EXPECT_EQ(with_pss(1'536'004, 0).pss.warn_limit, 300 * kMibKb);
    EXPECT_EQ(with_pss(1'536'005, 0).pss.warn_limit, 300 * kMibKb + 1);
}

TEST(SoakVerdict, RssAnonInMibWhileSmall) {
    EXPECT_EQ(with_anon(400'000, 200 * kMibKb).rss_anon.grade, kP);
    EXPECT_EQ(with_anon(400'000, 200 * kMibKb + 1).rss_anon.grade, kW);
    EXPECT_EQ(with_anon(400'000, 400 * kMibKb).rss_anon.grade, kW);
    EXPECT_EQ(with_anon(400'000, 400 * kMibKb + 1).rss_anon.grade, kF);
    EXPECT_EQ(with_anon(400'000, 400 * kMibKb + 1).overall, kF);
}

TEST(SoakVerdict, RssAnonInPercentWhileLarge) {
    EXPECT_EQ(with_anon(4'000'006, 600'000).rss_anon.grade, kP) << "15 % truncated";
    EXPECT_EQ(with_anon(4'000'006, 600'001).rss_anon.grade, kW);
    EXPECT_EQ(with_anon(4'000'006, 1'200'001).rss_anon.grade, kW);
    EXPECT_EQ(with_anon(4'000'006, 1'200'002).rss_anon.grade, kF);
    EXPECT_EQ(with_anon(4'000'006, 600'001).overall, kW);
}

TEST(SoakVerdict, AvailableMayDropByGibOnALargeMachine) {
    const std::int64_t total = 64 * kGibKb;
    const std::int64_t before = 40 * kGibKb;
    EXPECT_EQ(with_available(total, before, before - kGibKb).mem_available.grade, kP);
    EXPECT_EQ(with_available(total, before, before - kGibKb - 1).mem_available.grade, kW);
    EXPECT_EQ(with_available(total, before, before - 2 * kGibKb).mem_available.grade, kW);
    EXPECT_EQ(with_available(total, before, before - 2 * kGibKb - 1).mem_available.grade, kF);
    EXPECT_EQ(with_available(total, before, before + kGibKb).mem_available.grade, kP);
}

TEST(SoakVerdict, AvailableMayDropByPercentOnASmallMachine) {
    const std::int64_t total = 4'000'019;  // 5 % are 200,000 truncated, 10 % 400,001
    EXPECT_EQ(with_available(total, 3'000'000, 2'800'000).mem_available.grade, kP);
    EXPECT_EQ(with_available(total, 3'000'000, 2'799'999).mem_available.grade, kW);
    EXPECT_EQ(with_available(total, 3'000'000, 2'599'999).mem_available.grade, kW);
    EXPECT_EQ(with_available(total, 3'000'000, 2'599'998).mem_available.grade, kF);
    EXPECT_EQ(with_available(total, 3'000'000, 2'599'998).overall, kF);
}

TEST(SoakVerdict, AvailableHasAFloor) {
    const std::int64_t total = 4'000'007;  // 20 % are 800,001 truncated, 15 % 600,001
    EXPECT_EQ(with_available(total, 800'001, 800'001).mem_available.grade, kP);
    EXPECT_EQ(with_available(total, 800'000, 800'000).mem_available.grade, kW);
    EXPECT_EQ(with_available(total, 600'001, 600'001).mem_available.grade, kW);
    EXPECT_EQ(with_available(total, 600'000, 600'000).mem_available.grade, kF);
    EXPECT_EQ(with_available(total, 700'000, 700'000).overall, kW);
}

TEST(SoakVerdict, AnySwapFails) {
    auto rows = rows_of({});
    rows[1].vm_swap = 1;  // outside of all windows
    const Verdict verdict = *judge(rows, {});
    EXPECT_EQ(verdict.swap, kF);
    EXPECT_EQ(verdict.mem_available.grade, kF);
    EXPECT_EQ(verdict.most_swap, 1);
    EXPECT_EQ(verdict.overall, kF);
    EXPECT_EQ(verdict.pss.grade, kP);
    EXPECT_EQ(judged({}).overall, kP);
}

TEST(SoakVerdict, MediansAreOfHalfOpenWindowsAndTruncated) {
    auto rows = rows_of({});
    const auto at = [&](std::int64_t t) -> Row& { return rows[static_cast<std::size_t>(t / 5)]; };
    // 24 rows in [180,300): half of them lower, half higher, the two in the middle an odd sum.
    for (std::int64_t t = 180; t < 300; t += 5)
        at(t).pss = t < 240 ? 101 - (t > 180) : 104 + (t > 240);
    EXPECT_EQ(judge(rows, {})->windows[kBaseline].median.pss, (101 + 104) / 2);
    EXPECT_EQ(judge(rows, {})->windows[kBaseline].rows, 24U);
    rows.erase(rows.begin() + 60 - 1);  // 295 s: an odd number is left
    EXPECT_EQ(judge(rows, {})->windows[kBaseline].median.pss, 101);
}

TEST(SoakVerdict, PatternAIsAPlateau) {
    const std::int64_t late = 500'100;
    EXPECT_EQ(judged({.pss = {1, 500'000, late, late}}).pattern, Pattern::kPlateau);
    EXPECT_NE(judged({.pss = {1, 500'000, late, late + 1}}).pattern, Pattern::kPlateau);
    // A WARN is none.
    EXPECT_NE(judged({.pss = {1, 500'000, 700'000, 500'000}}).pattern, Pattern::kPlateau);
}

TEST(SoakVerdict, PatternBIsFileBackedGrowth) {
    SyntheticRun run{.pss = {1, 500'000, 900'000, 700'000},
                     .rss_anon = {1, 400'000, 500'000, 500'000},
                     .rss_file = {1, 90'000, 190'001, 190'001}};
    EXPECT_EQ(judged(run).pattern, Pattern::kFile);
    run.rss_file[kLate] = 190'000;
    EXPECT_EQ(judged(run).pattern, Pattern::kNone) << "as much as RssAnon";
    run.rss_file[kLate] = 190'001;
    run.available = {900'000, 1, 20 * kGibKb / 100, 1};
    run.total = kGibKb;
    EXPECT_EQ(judged(run).pattern, Pattern::kFile);
    run.available[kLate] = 20 * kGibKb / 100 - 1;
    EXPECT_EQ(judged(run).pattern, Pattern::kNone) << "little is available";
    // Both shrink: no growth.
    EXPECT_EQ(judged({.pss = {1, 500'000, 700'000, 1},
                      .rss_anon = {1, 400'000, 300'000, 1},
                      .rss_file = {1, 90'000, 90'000, 1}})
                  .pattern,
              Pattern::kNone);
}

TEST(SoakVerdict, PatternCIsRetention) {
    SyntheticRun run{.pss = {1, 500'000, 900'009, 0}, .rss_anon = {1, 400'000, 700'000, 1}};
    const auto pattern_at = [&](std::int64_t recovery) {
        run.pss[kRecovery] = recovery;
        return judged(run).pattern;
    };
    EXPECT_EQ(pattern_at(900'009 - 40'000), Pattern::kRetained);
    EXPECT_EQ(pattern_at(900'009 - 40'001), Pattern::kNone);
    EXPECT_EQ(pattern_at(900'009 + 40'000), Pattern::kRetained);
    EXPECT_EQ(pattern_at(900'009 + 40'001), Pattern::kNone);
    run.rss_anon[kLate] = 400'000;
    EXPECT_EQ(pattern_at(900'009), Pattern::kNone) << "RssAnon did not rise";
}

Verdict recorded(const std::string& name) {
    std::ifstream file(std::string(ASRTRACE_TEST_DATA) + "/" + name);
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    return *judge(*parse_memory_csv(text), {.scale = *parse_scale("1/20")});
}

// Recorded by tools/collect-memory.sh, see tests/data/README.md.
TEST(SoakVerdict, TheWorkerAsAShellCollectorSawIt) {
    const Verdict healthy = recorded("worker_healthy.csv");
    EXPECT_EQ(healthy.windows[kLate].median.pss, 48'784);
    EXPECT_EQ(healthy.windows[kRecovery].median.pss, 49'855);
    EXPECT_EQ(healthy.pss.change, 48'784 - 48'828);
    EXPECT_EQ(healthy.rss_anon.change, 0);
    EXPECT_EQ(healthy.mem_available.change, 22'748'434 - 21'846'492) << "others' for the most part";
    EXPECT_EQ(healthy.overall, kP);
    EXPECT_EQ(healthy.pattern, Pattern::kNone) << "1,071 KiB above late";

    const Verdict leak = recorded("worker_leak.csv");
    EXPECT_EQ(leak.pss.change, 622'203 - 117'781);
    EXPECT_EQ(leak.pss.grade, kF);
    EXPECT_EQ(leak.rss_anon.grade, kF);
    EXPECT_EQ(leak.mem_available.grade, kP);
    EXPECT_EQ(leak.overall, kF);
    EXPECT_EQ(leak.pattern, Pattern::kRetained);
}

}  // namespace
}  // namespace asrtrace::soak
