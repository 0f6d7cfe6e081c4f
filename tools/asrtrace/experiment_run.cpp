// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "tools/asrtrace/experiment_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>

#include "tools/asrtrace/soak_run.h"
#include "tools/asrtrace/tell.h"
#include "user/base/architecture.h"
#include "user/base/confined_thread.h"
#include "user/base/escape.h"
#include "user/capture/sampler.h"
#include "user/heap/confinement.h"
#include "user/heap/heap_reader.h"
#include "user/load/client.h"

namespace asrtrace {
namespace {

using experiment::Figures;
using experiment::Variant;

/// What glibc keeps, and what it gives back when it is made to; nothing where that is not known.
void read_heap(std::int32_t pid, const std::string& trim_url, Figures& figures) {
    const std::vector<pid_t> tree = capture::process_tree(pid);
    if (tree.empty()) return;
    const pid_t worker = tree.back();
    std::string problem;
    const heap::CensusOutcome outcome = call_confined(
        heap::reader_confinement(), [worker] { return heap::HeapReader(worker, {}).take(); },
        &problem);
    if (!problem.empty()) tell("  note: " + problem);
    if (!outcome.census) return;
    figures.retained_bytes = static_cast<double>(outcome.census->totals.resident_free);
    if (trim_url.empty()) return;
    const auto before = capture::sample_process(worker, false);
    const auto status = call_confined(
        load::kConfinement, [&trim_url] { return load::post_nothing(trim_url); }, &problem);
    if (!problem.empty()) tell("  note: " + problem);
    const auto after = capture::sample_process(worker, false);
    if (!before || !after || !status || *status != 200) return;
    figures.releasable_bytes = static_cast<double>(outcome.census->totals.releasable);
    figures.trimmed_bytes =
        1024 * (static_cast<double>(before->rss_anon_kb) - static_cast<double>(after->rss_anon_kb));
}

std::int64_t load_seconds(const load::Plan& load) {
    return std::max<std::int64_t>(
        1, std::llround(std::ceil(static_cast<double>(load.requests) / load.rate)));
}

Figures figures_of(const ExperimentOptions& options, const SoakOutcome& run) {
    std::vector<experiment::Moment> moments;
    for (const SoakMoment& at : run.moments)
        moments.push_back({at.seconds - static_cast<double>(options.idle_seconds), at.requests,
                           1024 * static_cast<double>(at.pss_kb)});
    const auto requests = std::max(1.0, static_cast<double>(run.tally.requests));
    Figures figures;
    take_memory(figures, moments, static_cast<double>(load_seconds(options.load)));
    take_requests(figures, run.tally, run.requests_unsent);
    figures.cpu_ms_per_request = 1000 * run.cpu_seconds / requests;
    figures.faults_per_request = static_cast<double>(run.faults) / requests;
    return figures;
}

SoakRunOptions soak_of(const ExperimentOptions& options) {
    SoakRunOptions run;
    run.plan = {.baseline = options.idle_seconds,
                .load = load_seconds(options.load),
                .recovery = options.idle_seconds,
                .sample = 1};
    run.load = options.load;
    run.command = options.command;
    run.recorder = options.recorder;
    run.trace = false;
    run.drain = true;
    return run;
}

/// A whole run. Error: it was stopped, its worker did not start or last, or nothing was answered.
Result<SoakOutcome> whole_run(const SoakRunOptions& run, const std::atomic<bool>& stop) {
    auto outcome = run_soak(
        run, stop, [](const std::string& line) { tell("  " + escape_terminal(line)); },
        [](const SoakProgress&) {});
    if (!outcome) return outcome;
    if (stop) return Error{"stopped"};
    if (outcome->ended) return Error{"the worker ended under load"};
    if (outcome->tally.all.count() == 0)
        return Error{"no request was answered with 200: " + outcome->tally.first_error};
    return outcome;
}

Result<Figures> run_once(const ExperimentOptions& options, const Variant& variant,
                         const std::atomic<bool>& stop) {
    SoakRunOptions run = soak_of(options);
    run.command = experiment::command_of(options.command, variant);
    run.environment = variant.environment;
    run.closely = true;
    Figures heap;
    run.at_end = [&](std::int32_t pid) { read_heap(pid, options.trim_url, heap); };
    const auto outcome = whole_run(run, stop);
    if (!outcome) return outcome.error();
    Figures figures = figures_of(options, *outcome);
    figures.retained_bytes = heap.retained_bytes;
    figures.releasable_bytes = heap.releasable_bytes;
    figures.trimmed_bytes = heap.trimmed_bytes;
    return figures;
}

std::string problem_of(const Variant& variant, const ExperimentOptions& options) {
    if (!variant.missing.empty()) return variant.missing;
    const std::uint64_t needed = variant.recycle_limit + variant.recycle_jitter;
    if (needed >= options.load.requests)
        return fmt::format("its worker is not replaced within {} requests: --requests {}",
                           options.load.requests, 2 * needed);
    return experiment::no_difference(options.command, variant);
}

}  // namespace

Result<std::vector<experiment::Trial>> run_variants(const ExperimentOptions& options,
                                                    const std::vector<Variant>& variants,
                                                    const std::atomic<bool>& stop) {
    std::vector<experiment::Trial> trials;
    for (const Variant& variant : variants)
        trials.push_back({variant, {}, {}, problem_of(variant, options)});
    for (int round = 1; round <= options.rounds; ++round) {
        for (experiment::Trial& trial : trials) {
            if (!trial.problem.empty()) continue;
            tell(fmt::format("{}, round {} of {}", escape_terminal(trial.variant.name), round,
                             options.rounds));
            const auto figures = run_once(options, trial.variant, stop);
            if (figures) {
                trial.rounds.push_back(*figures);
                continue;
            }
            if (stop || trial.variant.name == experiment::kStockName) return figures.error();
            trial.problem = figures.error().message;
            trial.rounds.clear();
        }
    }
    for (experiment::Trial& trial : trials) trial.figures = median_of(trial.rounds);
    return trials;
}

Result<experiment::TracedRun> trace_stock(const ExperimentOptions& options,
                                          const std::atomic<bool>& stop) {
    tell("stock, traced");
    SoakRunOptions run = soak_of(options);
    run.trace = true;
    Figures heap;
    run.at_end = [&](std::int32_t pid) { read_heap(pid, options.trim_url, heap); };
    const auto outcome = whole_run(run, stop);
    if (!outcome) return outcome.error();
    if (!outcome->recording) return Error{"there is no recording"};
    return experiment::TracedRun{classify::analyze(*outcome->recording).findings,
                                 heap.retained_bytes, heap.trimmed_bytes};
}

std::optional<std::string> find_library(const std::string& file) {
    // Not by loading it: an allocator that is loaded late does harm.
    for (const char* directory : {"/usr/local/lib", kLibraryDirectory, "/usr/lib64", "/usr/lib"}) {
        const auto path = std::filesystem::path(directory) / file;
        std::error_code failed;
        if (std::filesystem::exists(path, failed)) return path.string();
    }
    return std::nullopt;
}

}  // namespace asrtrace
