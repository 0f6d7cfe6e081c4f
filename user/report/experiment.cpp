// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/report/experiment.h"

#include <fmt/format.h>

#include <array>

#include "user/base/escape.h"
#include "user/base/quantity.h"
#include "user/report/json_text.h"
#include "user/report/page.h"

namespace asrtrace::report {

using Json = nlohmann::ordered_json;

namespace {

using experiment::Figures;
using experiment::Trial;

constexpr double kMib = 1 << 20;

struct Column {
    const char* name;
    int width;
    std::string (*cell)(const Trial&);
};

std::string mib(const std::optional<double>& value) {
    return value ? fmt::format("{:.1f}", *value / kMib) : "-";
}

template <double Figures::*Member>
std::string mib_of(const Trial& trial) {
    return mib(trial.figures.*Member);
}

template <double Figures::*Member>
std::string tenths_of(const Trial& trial) {
    return fmt::format("{:.1f}", trial.figures.*Member);
}

template <double Figures::*Member>
std::string whole_of(const Trial& trial) {
    return fmt::format("{:.0f}", trial.figures.*Member);
}

/// Of a worker that is replaced a slope says nothing.
std::string growth_of(const Trial& trial) {
    return trial.variant.replaces_workers() ? "-" : whole_of<&Figures::growth_per_request>(trial);
}

constexpr std::array<Column, 10> kColumns = {{
    {"plateau MiB", 8, mib_of<&Figures::plateau_bytes>},
    {"peak MiB", 7, mib_of<&Figures::peak_bytes>},
    {"B/request", 9, growth_of},
    {"retained MiB", 8, [](const Trial& trial) { return mib(trial.figures.retained_bytes); }},
    {"p50 ms", 7, tenths_of<&Figures::p50_ms>},
    {"p95 ms", 7, tenths_of<&Figures::p95_ms>},
    {"p99 ms", 7, tenths_of<&Figures::p99_ms>},
    {"CPU ms", 6, tenths_of<&Figures::cpu_ms_per_request>},
    {"faults", 6, whole_of<&Figures::faults_per_request>},
    {"failed", 6, whole_of<&Figures::failed>},
}};

/// The first word of a column's name stands above the second.
std::string heads(bool upper) {
    std::string line = fmt::format("  {:<14}", "");
    for (const Column& column : kColumns) {
        const std::string name = column.name;
        const std::size_t mark = name.find(' ');
        const std::string part = mark == std::string::npos ? (upper ? "" : name)
                                 : upper                   ? name.substr(0, mark)
                                                           : name.substr(mark + 1);
        line += fmt::format(" {:>{}}", part, column.width);
    }
    return line;
}

void put_table(Page& page, const Experiment& experiment) {
    page.heading("SETTINGS SIDE BY SIDE");
    page.line(heads(true));
    page.line(heads(false));
    for (const Trial& trial : experiment.trials) {
        std::string line = fmt::format("  {:<14}", escape_terminal(trial.variant.name, 14));
        if (trial.rounds.empty()) {
            page.line(line + " no figures: " + escape_terminal(trial.problem, 200));
            continue;
        }
        for (const Column& column : kColumns)
            line += fmt::format(" {:>{}}", column.cell(trial), column.width);
        page.line(line);
    }
    page.paragraph(
        "Memory is PSS of all the worker's processes; plateau: median of the load's last quarter; "
        "B/request: growth over its second half; retained: freed, but resident (glibc's heap); CPU "
        "and faults are per request. p50, p95, p99 count from when a request was due.",
        2);
}

void put_predictions(Page& page, const Experiment& experiment) {
    page.heading("PREDICTED AND MEASURED");
    if (!experiment.not_traced.empty())
        page.paragraph("no findings predict anything, the stock worker could not be traced: " +
                           escape_terminal(experiment.not_traced, 300),
                       2, 2);
    if (experiment.predictions.empty()) return page.line("  nothing was predicted");
    page.line(fmt::format("  {:<28} {:<26} {:>12} {:>12} {:>9}", "", "predicted by", "predicted",
                          "measured", "off by"));
    for (const auto& one : experiment.predictions) {
        const std::string off =
            one.came_bytes > 0
                ? fmt::format("{:+.1f} %", 100 * (one.said_bytes - one.came_bytes) / one.came_bytes)
                : "-";
        page.line(fmt::format("  {:<28} {:<26} {:>12} {:>12} {:>9}", escape_terminal(one.what, 28),
                              one.by, bytes(one.said_bytes), bytes(one.came_bytes), off));
    }
}

void put_recycling(Page& page, const Experiment& experiment) {
    if (!experiment.recycling && experiment.limits.empty()) return;
    page.heading("RECYCLING");
    if (!experiment.limits.empty()) page.paragraph(experiment.limits, 2);
    if (!experiment.recycling) return;
    page.paragraph(experiment.recycling->text + ".", 2);
    const Trial* run = experiment.checked();
    if (run == nullptr) return;
    if (run->rounds.empty())
        return page.paragraph("not checked: " + escape_terminal(run->problem, 200) + ".", 2, 2);
    const double peak = run->figures.peak_bytes;
    page.paragraph(fmt::format("checked by a run: peak {}, {} the budget of {}; {:.0f} requests "
                               "failed.",
                               bytes(peak), peak <= experiment.budget_bytes ? "within" : "ABOVE",
                               bytes(experiment.budget_bytes), run->figures.failed),
                   2);
}

Json optional(const std::optional<double>& value) {
    return value ? Json(*value) : Json();
}

Json figures_json(const Figures& from) {
    return {{"start_bytes", from.start_bytes},
            {"plateau_bytes", from.plateau_bytes},
            {"peak_bytes", from.peak_bytes},
            {"growth_bytes_per_request", from.growth_per_request},
            {"growth_ci95", {from.growth_lo, from.growth_hi}},
            {"retained_bytes", optional(from.retained_bytes)},
            {"releasable_bytes", optional(from.releasable_bytes)},
            {"trimmed_bytes", optional(from.trimmed_bytes)},
            {"latency_ms", {{"p50", from.p50_ms}, {"p95", from.p95_ms}, {"p99", from.p99_ms}}},
            {"cpu_ms_per_request", from.cpu_ms_per_request},
            {"faults_per_request", from.faults_per_request},
            {"answered", from.answered},
            {"failed", from.failed}};
}

Json variant_json(const Trial& trial, const Figures& stock) {
    Json out = {{"name", trial.variant.name},
                {"environment", trial.variant.environment},
                {"arguments", trial.variant.arguments}};
    out["problem"] = trial.problem.empty() ? Json() : Json(trial.problem);
    out["rounds"] = trial.rounds.size();
    out["figures"] = trial.rounds.empty() ? Json() : figures_json(trial.figures);
    if (trial.rounds.empty()) return out;
    const auto to_stock = experiment::compare(trial.figures, stock);
    out["to_stock"] = {{"plateau", to_stock.plateau},
                       {"peak", to_stock.peak},
                       {"p95", to_stock.p95},
                       {"cpu", to_stock.cpu}};
    return out;
}

Json recycling_json(const Experiment& experiment) {
    if (!experiment.recycling) return {};
    const Trial* run = experiment.checked();
    const bool checked = run != nullptr && !run->rounds.empty();
    return {{"budget_bytes", experiment.budget_bytes},
            {"limit", experiment.recycling->limit},
            {"jitter", experiment.recycling->jitter},
            {"text", experiment.recycling->text},
            {"checked_peak_bytes", checked ? Json(run->figures.peak_bytes) : Json()}};
}

}  // namespace

const Trial* Experiment::checked() const {
    if (!recycling || recycling->limit == 0) return nullptr;
    for (const Trial& trial : trials)
        if (trial.variant.name == experiment::kBudgetName) return &trial;
    return nullptr;
}

std::string experiment_text(const Experiment& experiment) {
    const Figures& stock = experiment.trials.front().figures;
    Page page;
    page.line(
        fmt::format("asrtrace: experiment, {} settings, {:.0f} requests each at {:g} a second",
                    experiment.trials.size(), stock.answered + stock.failed, experiment.rate));
    put_table(page, experiment);
    put_predictions(page, experiment);
    put_recycling(page, experiment);
    page.heading("RECOMMENDATION");
    page.paragraph(escape_terminal(experiment.recommendation.text, 1000), 2);
    return page.take();
}

std::string experiment_json(const Experiment& experiment) {
    Json out;
    out["schema"] = "asrtrace.experiment/1";
    out["rate"] = experiment.rate;
    out["variants"] = Json::array();
    for (const Trial& trial : experiment.trials)
        out["variants"].push_back(variant_json(trial, experiment.trials.front().figures));
    out["recommendation"] = {{"variant", experiment.recommendation.variant},
                             {"text", experiment.recommendation.text}};
    out["predictions"] = Json::array();
    for (const auto& one : experiment.predictions)
        out["predictions"].push_back({{"what", one.what},
                                      {"by", one.by},
                                      {"predicted_bytes", one.said_bytes},
                                      {"measured_bytes", one.came_bytes}});
    out["not_traced"] = experiment.not_traced.empty() ? Json() : Json(experiment.not_traced);
    out["limits"] = experiment.limits.empty() ? Json() : Json(experiment.limits);
    out["recycling"] = recycling_json(experiment);
    return json_text(std::move(out));
}

std::string experiment_markdown(const Experiment& experiment) {
    std::string text = "| setting |";
    std::string rule = "|---|";
    for (const Column& column : kColumns) {
        text += fmt::format(" {} |", column.name);
        rule += "---:|";
    }
    text += "\n" + rule + "\n";
    for (const Trial& trial : experiment.trials) {
        if (trial.rounds.empty()) continue;
        text += fmt::format("| {} |", trial.variant.name);
        for (const Column& column : kColumns) text += fmt::format(" {} |", column.cell(trial));
        text += "\n";
    }
    return text;
}

}  // namespace asrtrace::report
