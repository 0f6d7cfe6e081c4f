// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Settings side by side, for people and for programs.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/unit/expect_in.h"
#include "tests/unit/experiment_fixture.h"
#include "user/report/experiment.h"
#include "user/report/soak.h"

namespace asrtrace::report {
namespace {

/// Stock, one that is not here, and one for a budget of 64 MiB.
Experiment experiment_for_a_budget() {
    using experiment::figures;
    using experiment::named;
    const double mib = experiment::kMib;
    Experiment shown;
    auto stock = figures(100, 40);
    stock.retained_bytes = 30 * mib;
    stock.growth_per_request = 1234;
    experiment::Trial missing;
    missing.variant.name = "mimalloc";
    missing.problem = "not here";
    auto budget = named("", figures(60, 40));
    budget.variant = experiment::recycled(100, 20);
    budget.variant.name = experiment::kBudgetName;
    shown.trials = {named("stock", stock), missing, budget};
    shown.recommendation = recommend(shown.trials);
    shown.predictions = {{"stock: malloc_trim(0)", "the heap", 20 * mib, 25 * mib}};
    shown.recycling = experiment::RecyclingAdvice{.limit = 100, .jitter = 20, .text = "advice"};
    shown.budget_bytes = 64 * mib;
    shown.limits = "Limits tried";
    return shown;
}

TEST(ExperimentReport, Text) {
    const auto text = experiment_text(experiment_for_a_budget());
    expect_in(text, "stock             100.0   100.0      1234     30.0");
    expect_in(text, "mimalloc       no figures: not here");
    expect_in(text, "budget             60.0    60.0         -        -");
    expect_in(text, "20.0 MiB     25.0 MiB   -20.0 %");
    expect_in(text, "peak 60.0 MiB, within the budget of 64.0 MiB");
    expect_in(text, "budget: peak -40 %");
    auto over = experiment_for_a_budget();
    over.budget_bytes = 50 * experiment::kMib;
    over.not_traced = "no BPF";
    over.predictions.clear();
    expect_in(experiment_text(over), "ABOVE the budget of 50.0 MiB");
    expect_in(experiment_text(over), "could not be traced: no BPF\n  nothing was predicted");
    over.trials.back().rounds.clear();
    over.trials.back().problem = "too few requests";
    expect_in(experiment_text(over), "not checked: too few requests.");
}

TEST(ExperimentReport, Json) {
    const auto json = nlohmann::json::parse(experiment_json(experiment_for_a_budget()));
    EXPECT_EQ(json["schema"], "asrtrace.experiment/1");
    EXPECT_EQ(json["variants"].size(), 3U);
    EXPECT_TRUE(json["variants"][1]["figures"].is_null());
    EXPECT_EQ(json["variants"][1]["problem"], "not here");
    EXPECT_DOUBLE_EQ(json["variants"][2]["to_stock"]["peak"], -0.4);
    EXPECT_EQ(json["predictions"][0]["measured_bytes"], 25 * experiment::kMib);
    EXPECT_EQ(json["recommendation"]["variant"], "budget");
    EXPECT_EQ(json["recycling"]["checked_peak_bytes"], 60 * experiment::kMib);
    EXPECT_TRUE(json["not_traced"].is_null());
}

/// What a worker answered goes to a terminal by `--json -`, too.
TEST(JsonReports, NothingInThemDrivesATerminal) {
    const std::string hostile = "\x9b\x33\x31m\xc2\x9b\xe2\x80\xae\x1b]0;FORGED\x07";
    auto shown = experiment_for_a_budget();
    shown.not_traced = hostile;
    shown.trials[1].problem = hostile;
    SoakFacts facts;
    facts.tally.first_error = hostile;
    facts.events = {hostile};
    for (const std::string& text :
         {experiment_json(shown), soak_json_without_verdict(hostile, facts)}) {
        EXPECT_EQ(text.find("\xc2\x9b"), std::string::npos) << "C1";
        EXPECT_EQ(text.find("\xe2\x80\xae"), std::string::npos) << "right to left";
        EXPECT_EQ(text.find('\x1b'), std::string::npos);
        expect_in(text, "\\\\x1b]0;FORGED\\\\x07");
    }
}

TEST(ExperimentReport, Markdown) {
    const auto text = experiment_markdown(experiment_for_a_budget());
    expect_in(text, "| stock | 100.0 | 100.0 | 1234 | 30.0 |");
    EXPECT_EQ(text.find("mimalloc"), std::string::npos);
}

}  // namespace
}  // namespace asrtrace::report
