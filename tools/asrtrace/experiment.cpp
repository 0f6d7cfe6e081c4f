// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// asrtrace experiment: the same worker and load under several settings, side by side.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <memory>

#include "tools/asrtrace/experiment_run.h"
#include "tools/asrtrace/phases.h"
#include "tools/asrtrace/show.h"
#include "tools/asrtrace/stop_signals.h"
#include "tools/asrtrace/tell.h"
#include "tools/asrtrace/verbs.h"
#include "user/base/escape.h"
#include "user/base/output_file.h"
#include "user/report/experiment.h"

namespace asrtrace {
namespace {

struct Options {
    ExperimentOptions run;
    LoadOptions load;
    std::uint64_t requests = 400;
    std::vector<std::string> variants;
    std::vector<std::string> only;
    std::vector<std::uint64_t> recycle;
    std::uint64_t budget_mib = 0;
    bool trace = true;
    std::string json, markdown;
};

constexpr std::uint64_t kJitterPart = 6;  ///< of a limit

using Variants = std::vector<experiment::Variant>;

bool has(const Variants& variants, const std::string& name) {
    return std::any_of(variants.begin(), variants.end(),
                       [&](const auto& variant) { return variant.name == name; });
}

Result<Variants> chosen_variants(const Options& options) {
    Variants variants = experiment::usual_variants(find_library);
    for (const std::string& name : options.only)
        if (!has(variants, name)) return Error{"--only: there is no setting '" + name + "'"};
    if (!options.only.empty())
        std::erase_if(variants, [&](const experiment::Variant& variant) {
            return variant.name != experiment::kStockName &&
                   std::find(options.only.begin(), options.only.end(), variant.name) ==
                       options.only.end();
        });
    for (const std::uint64_t limit : options.recycle)
        variants.push_back(experiment::recycled(limit, limit / kJitterPart));
    for (const std::string& text : options.variants) {
        auto variant = experiment::parse_variant(text);
        if (!variant) return variant.error();
        if (has(variants, variant->name) || variant->name == experiment::kBudgetName)
            return Error{"--variant: there is a setting '" + variant->name + "' already"};
        variants.push_back(std::move(*variant));
    }
    return variants;
}

Status show(const Options& options, const report::Experiment& shown) {
    Status written = ok_status();
    if (options.json != "-") written = write_output_file("-", report::experiment_text(shown));
    if (written && !options.json.empty())
        written = write_output_file(options.json, report::experiment_json(shown));
    if (written && !options.markdown.empty())
        written = write_output_file(options.markdown, report::experiment_markdown(shown));
    return written;
}

/// The advice for the budget, and a run with it where the load is long enough.
Status try_budget(const Options& options, report::Experiment& out) {
    out.budget_bytes = static_cast<double>(options.budget_mib << 20);
    out.recycling = experiment::advise_recycling(out.trials.front().figures, out.budget_bytes);
    if (out.recycling->limit == 0) return ok_status();
    experiment::Variant budget = experiment::recycled(out.recycling->limit, out.recycling->jitter);
    budget.name = experiment::kBudgetName;
    auto checked = run_variants(options.run, {budget}, stop_requested());
    if (!checked) return checked.error();
    out.trials.push_back(std::move(checked->front()));
    return ok_status();
}

Status run_all(const Options& options, const Variants& variants, report::Experiment& out) {
    auto trials = run_variants(options.run, variants, stop_requested());
    if (!trials) return trials.error();
    out.trials = std::move(*trials);
    experiment::TracedRun traced;
    if (options.trace) {
        auto found = trace_stock(options.run, stop_requested());
        if (!found && stop_requested()) return found.error();
        if (found) traced = std::move(*found);
        if (!found) out.not_traced = found.error().message;
    }
    if (options.budget_mib > 0) {
        if (auto tried = try_budget(options, out); !tried) return tried;
    }
    out.predictions = experiment::predictions(out.trials, traced);
    out.limits = experiment::smallest_limit(out.trials);
    out.recommendation = experiment::recommend(out.trials);
    return ok_status();
}

int fail(const Error& error) {
    print_error(error);
    return kExitError;
}

int run(Options& options) {
    const auto variants = chosen_variants(options);
    if (!variants) return fail(variants.error());
    auto plan = load_plan(options.load, {});
    if (!plan) return fail(plan.error());
    plan->requests = options.requests;
    options.run.load = std::move(*plan);
    if (const auto status = check_outputs({options.json, options.markdown}); !status)
        return fail(status.error());
    catch_stop_signals();
    report::Experiment out;
    out.rate = options.load.rate;
    if (auto ran = run_all(options, *variants, out); !ran) return fail(ran.error());
    if (const auto shown = show(options, out); !shown) return fail(shown.error());
    return kExitDone;
}

void add_settings(CLI::App& verb, Options& options) {
    verb.add_option("--variant", options.variants,
                    "Another setting, NAME:ENV=VALUE,...[:ARGS] (repeatable); ARGS begin with a "
                    "dash and go to the worker")
        ->allow_extra_args(false);
    verb.add_option("--only", options.only,
                    "Of the usual settings only these, and stock: arenas, thresholds, onednn, "
                    "jemalloc, tcmalloc, mimalloc, chunked")
        ->delimiter(',');
    verb.add_option(
            "--recycle", options.recycle,
            "Also workers that are replaced after so many requests (and up to a sixth more)")
        ->delimiter(',')
        ->check(CLI::Range(std::uint64_t{1}, std::uint64_t{1} << 40));
    verb.add_option("--budget-mib", options.budget_mib,
                    "Advise how often to replace the worker so that its memory stays below this, "
                    "and check it by a run")
        ->check(CLI::Range(std::uint64_t{1}, std::uint64_t{1} << 30));
}

void add_course(CLI::App& verb, Options& options) {
    verb.add_option("--requests", options.requests, "Requests a setting")
        ->check(CLI::Range(std::uint64_t{20}, std::uint64_t{10'000'000}))
        ->capture_default_str();
    verb.add_option("--rounds", options.run.rounds,
                    "Every setting so often, interleaved; the medians are shown")
        ->check(CLI::Range(1, 100))
        ->capture_default_str();
    verb.add_option("--idle", options.run.idle_seconds,
                    "Seconds for which the worker is left alone before and behind the load")
        ->check(CLI::Range(std::int64_t{1}, std::int64_t{3600}))
        ->capture_default_str();
    verb.add_option("--trim", options.run.trim_url,
                    "URL that makes the worker call malloc_trim(0) when posted to: what it gives "
                    "back is put beside what was predicted");
    verb.add_flag("!--no-trace", options.trace,
                  "No further run of stock under tracing, whose findings predict what settings do");
    verb.add_option("--request", options.run.recorder.request_spec,
                    "What a request is in that run, as attach takes it")
        ->capture_default_str();
    verb.add_option("-o,--output", options.run.recorder.output, "Keep the trace of that run here");
}

}  // namespace

void add_experiment(CLI::App& app, int& exit_status) {
    const auto options = std::make_shared<Options>();
    auto* verb = app.add_subcommand(
        "experiment", "The same worker and load under several settings, side by side");
    options->load.rate = 5;
    add_load_options(*verb, options->load);
    add_course(*verb, *options);
    add_settings(*verb, *options);
    verb->add_option(
        "--json", options->json,
        "Write the result as JSON (asrtrace.experiment/1) here; - for standard output");
    verb->add_option("--markdown", options->markdown, "Write the table alone, as Markdown, here");
    verb->add_option("CMD", options->run.command, "The worker's command, behind --")->required();
    verb->footer(
        "Example:\n  sudo asrtrace experiment --post http://127.0.0.1:9000/transcribe --file "
        "audio_file=@wavs \\\n      --trim http://127.0.0.1:9000/debug/trim \\\n      -- "
        "asr-worker --port "
        "9000 --whole-file --debug-endpoints\n"
        "Exit status: 0 done, 2 usage or environment (the worker as it is does not start, or "
        "dies).");
    verb->callback([options, &exit_status] { exit_status = run(*options); });
}

}  // namespace asrtrace
