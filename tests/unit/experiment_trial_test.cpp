// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// What follows from the figures of runs: which setting to take, how often to recycle, and whether
// what was predicted came.
#include <gtest/gtest.h>

#include "tests/unit/experiment_fixture.h"
#include "user/experiment/prediction.h"
#include "user/experiment/recycling.h"

namespace asrtrace::experiment {
namespace {

using classify::Finding;
using classify::FindingKind;
using classify::Remedy;

TEST(ExperimentRecommendation, TheLeastPeakAtABearableCost) {
    const auto out = recommend({named("stock", figures(100, 40)), named("a", figures(80, 45)),
                                named("b", figures(70, 48)), named("dear", figures(30, 90)),
                                named("lossy", figures(20, 40, 10, 1))});
    EXPECT_EQ(out.variant, "b");
    EXPECT_NE(out.text.find("b: peak -30 % (70.0 MiB instead of 100.0 MiB)"), std::string::npos)
        << out.text;
    EXPECT_NE(out.text.find("p95 +20 % (48.0 ms instead of 40.0)"), std::string::npos) << out.text;
    EXPECT_NE(out.text.find("at a higher cost: dear"), std::string::npos) << out.text;
    EXPECT_EQ(out.text.find("lossy"), std::string::npos);
}

TEST(ExperimentRecommendation, StockIfNothingIsWorthIt) {
    Trial not_run;
    not_run.variant.name = "missing";
    not_run.problem = "not installed";
    const auto out = recommend({named("stock", figures(100, 40)), named("a", figures(91, 40)),
                                named("dear", figures(50, 40, 20)), not_run});
    EXPECT_EQ(out.variant, "stock");
    EXPECT_NE(out.text.find("dear"), std::string::npos) << "what it would cost is told";
}

TEST(ExperimentRecommendation, TellsGrowthWhereThereIsAny) {
    auto stock = figures(100, 40);
    stock.growth_per_request = 5000;
    stock.growth_lo = 4000;
    auto other = figures(50, 40);
    other.growth_per_request = 4900;
    EXPECT_NE(recommend({named("stock", stock), named("a", other)})
                  .text.find("growth 4,900 B a request instead of 5,000 B"),
              std::string::npos);
    auto replaced = named("r", other);
    replaced.variant = recycled(100, 20);
    EXPECT_EQ(recommend({named("stock", stock), replaced}).text.find("growth"), std::string::npos);
}

/// 400 requests of 0.1 MiB: without its growth the worker takes 80 - 40 = 40 MiB.
Figures growing() {
    auto stock = figures(80, 40);
    stock.growth_per_request = 0.1 * kMib;
    stock.growth_lo = 0.08 * kMib;
    stock.growth_hi = 0.125 * kMib;
    return stock;
}

TEST(ExperimentRecycling, KeepsTheBudget) {
    const auto advice = advise_recycling(growing(), 105 * kMib);
    EXPECT_EQ(advice.limit, 170U) << "of 200 that fit into 105 - 2 * 40 MiB";
    EXPECT_EQ(advice.jitter, 30U);
    const auto nothing = advise_recycling(growing(), 79 * kMib);
    EXPECT_EQ(nothing.limit, 0U);
    EXPECT_NE(nothing.text.find("no limit keeps 79.0 MiB: a worker takes up to 40.0 MiB"),
              std::string::npos);
    EXPECT_NE(advise_recycling(growing(), 80.5 * kMib).text.find("only 4 requests fit"),
              std::string::npos);
}

TEST(ExperimentRecycling, NeedsGrowthThatIsSure) {
    auto stock = growing();
    stock.growth_lo = -1;
    const auto advice = advise_recycling(stock, 500 * kMib);
    EXPECT_EQ(advice.limit, 0U);
    EXPECT_NE(advice.text.find("no recycling is needed"), std::string::npos);
}

TEST(ExperimentRecycling, TheSmallestLimitThatIsBearable) {
    const auto tried = [](std::uint64_t limit, const Figures& of) {
        auto trial = named("", of);
        trial.variant = recycled(limit, limit / 6);
        return trial;
    };
    const std::vector<Trial> trials = {
        named("stock", figures(100, 40)), tried(1000, figures(90, 41)), tried(500, figures(70, 49)),
        tried(300, figures(60, 51)), tried(200, figures(50, 40, 1, 1))};
    const auto text = smallest_limit(trials);
    EXPECT_NE(text.find("500 is the smallest"), std::string::npos) << text;
    EXPECT_NE(text.find("300 (peak 60.0 MiB, p95 51.0 ms"), std::string::npos) << text;
    EXPECT_EQ(smallest_limit({trials.front()}), "");
    EXPECT_NE(smallest_limit({trials.front(), trials.back()}).find("None"), std::string::npos);
}

Finding retention(Remedy remedy, double size) {
    Finding finding;
    finding.kind = FindingKind::kRetention;
    finding.savings = {{Remedy::kTrim, 21 * kMib}, {remedy, size}};
    return finding;
}

TEST(ExperimentPredictions, BesideWhatCame) {
    auto stock = figures(100, 40);
    stock.retained_bytes = 30 * kMib;
    stock.releasable_bytes = 20 * kMib;
    stock.trimmed_bytes = 20.5 * kMib;
    stock.growth_per_request = 700;
    auto flat = figures(60, 40);
    flat.retained_bytes = 4 * kMib;
    Finding leak;
    leak.kind = FindingKind::kLeak;
    leak.per_request = classify::Slope{.value = 600, .ci95 = {}};
    const auto out = predictions({named("stock", stock), named("thresholds", flat)},
                                 {.findings = {retention(Remedy::kMmapThreshold, 25 * kMib), leak},
                                  .retained_bytes = 31 * kMib,
                                  .trimmed_bytes = 22 * kMib});
    ASSERT_EQ(out.size(), 4U);
    EXPECT_EQ(out[0].what, "stock: malloc_trim(0)");
    EXPECT_EQ(out[0].said_bytes, 20 * kMib) << "by the reading before it";
    EXPECT_EQ(out[1].said_bytes, 21 * kMib) << "by the findings";
    EXPECT_EQ(out[1].what, "traced: malloc_trim(0)");
    EXPECT_EQ(out[1].came_bytes, 22 * kMib) << "of the run that they are of";
    EXPECT_EQ(out[2].what, "thresholds: retained");
    EXPECT_EQ(out[2].said_bytes, 25 * kMib);
    EXPECT_EQ(out[2].came_bytes, 27 * kMib) << "31 there, 4 so";
    EXPECT_EQ(out[3].said_bytes, 600);
    EXPECT_EQ(out[3].came_bytes, 700);
}

TEST(ExperimentPredictions, NoneOfWhatWasNotRun) {
    EXPECT_TRUE(predictions({named("stock", figures(1, 1))},
                            {.findings = {retention(Remedy::kMmapThreshold, kMib)},
                             .retained_bytes = {},
                             .trimmed_bytes = {}})
                    .empty());
}

}  // namespace
}  // namespace asrtrace::experiment
