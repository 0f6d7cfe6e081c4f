// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// asrtrace soak: a worker before, under and after an hour of load, and the verdict.
#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <cstdio>
#include <memory>

#include "tools/asrtrace/phases.h"
#include "tools/asrtrace/session.h"
#include "tools/asrtrace/show.h"
#include "tools/asrtrace/soak_run.h"
#include "tools/asrtrace/stop_signals.h"
#include "tools/asrtrace/tell.h"
#include "tools/asrtrace/verbs.h"
#include "user/base/escape.h"
#include "user/base/output_file.h"
#include "user/classify/findings.h"
#include "user/report/soak.h"
#include "user/report/soak_why.h"

namespace asrtrace {
namespace {

struct Options {
    SoakRunOptions run;
    SessionOptions session;
    LoadOptions load;
    Phases phases;
    std::string json;
};

void show_progress(const SoakProgress& now) {
    tell(fmt::format(
        "{:>6} of {} s  {:<8}  PSS {:8.1f} MiB  RssAnon {:8.1f} MiB  {:>6} requests, {} "
        "failed, p95 {:.0f} ms",
        now.seconds, now.of_seconds, now.phase, static_cast<double>(now.row.pss) / 1024,
        static_cast<double>(now.row.rss_anon) / 1024, now.tally.requests, now.tally.failed(),
        now.tally.all.percentile(95)));
}

report::SoakFacts facts_of(const Options& options, const SoakOutcome& outcome) {
    report::SoakFacts facts;
    facts.tally = outcome.tally;
    facts.unsent = outcome.requests_unsent;
    facts.rate = options.run.load.rate;
    facts.machine_oom_kills = outcome.oom_kills.machine;
    facts.cgroup_oom_kills = outcome.oom_kills.cgroup;
    facts.events = outcome.events;
    facts.traced = outcome.recording.has_value();
    for (const soak::Row& row : outcome.rows)
        facts.pss.push_back({static_cast<double>(row.ts), 1024 * static_cast<double>(row.pss)});
    facts.late_meminfo = outcome.late_meminfo;
    facts.command = "sudo asrtrace soak" + phases_text(options.phases) + load_text(options.load);
    facts.worker = options.run.command;
    if (facts.worker.empty()) facts.worker = {"WORKER"};
    return facts;
}

Status show(const Options& options, const soak::Verdict& verdict, const report::SoakFacts& facts) {
    Status written = ok_status();
    if (options.json != "-")
        written = write_output_file("-", report::soak_text(verdict, "soak", &facts));
    if (written && !options.json.empty())
        written = write_output_file(options.json, report::soak_json(verdict, &facts));
    return written;
}

int judge(const Options& options, const SoakOutcome& outcome) {
    report::SoakFacts facts = facts_of(options, outcome);
    auto verdict = soak::judge(outcome.rows, options.run.plan);
    const bool nothing_answered = outcome.tally.all.count() == 0;
    if (!verdict || nothing_answered) {
        const std::string reason =
            verdict ? "no request was answered with 200" : verdict.error().message;
        if (options.json != "-")
            (void)write_output_file("-", report::soak_text_without_verdict(reason, facts));
        if (!options.json.empty())
            (void)write_output_file(options.json, report::soak_json_without_verdict(reason, facts));
        print_error(Error{reason});
        return kExitInsufficient;
    }
    if (facts.machine_oom_kills + facts.cgroup_oom_kills > 0) verdict->overall = soak::Grade::kFail;
    if (outcome.recording)
        facts.why = report::soak_why(*verdict, *outcome.recording,
                                     classify::analyze(*outcome.recording), facts.rate);
    if (const auto written = show(options, *verdict, facts); !written) {
        print_error(written.error());
        return kExitError;
    }
    return verdict->overall == soak::Grade::kFail ? kExitFailed : kExitDone;
}

int run(Options& options) {
    if (options.run.command.empty() == (options.session.recorder.pid == 0)) {
        print_error(Error{"soak needs a worker: either --pid PID, or its command behind --"});
        return kExitError;
    }
    choose(options.session);
    options.run.recorder = options.session.recorder;
    options.run.plan = options.phases.plan();
    options.run.last = true;
    if (const auto status = check_outputs({options.json, options.run.csv}); !status) {
        print_error(status.error());
        return kExitError;
    }
    auto plan = load_plan(options.load, options.run.plan);
    if (!plan) {
        print_error(plan.error());
        return kExitError;
    }
    options.run.load = std::move(*plan);
    if (!options.run.command.empty()) tell("starting the worker");
    const auto note = [](const std::string& line) { tell(escape_terminal(line)); };
    catch_stop_signals();
    const auto outcome = run_soak(options.run, stop_requested(), note, show_progress);
    if (!outcome) {
        print_error(outcome.error());
        return kExitError;
    }
    return judge(options, *outcome);
}

}  // namespace

void add_soak(CLI::App& app, int& exit_status) {
    const auto options = std::make_shared<Options>();
    auto* verb = app.add_subcommand(
        "soak", "Put a worker under load for an hour, and tell PASS, WARN or FAIL, and why");
    add_load_options(*verb, options->load);
    add_phases(*verb, options->phases, "5");
    verb->add_option("--pid", options->session.recorder.pid, "The worker, if it runs already");
    verb->add_option("CMD", options->run.command, "The worker's command, behind --; it is ended");
    verb->add_option("--start-seconds", options->run.start_seconds,
                     "How long the worker may take until it accepts connections")
        ->check(CLI::Range(0.1, 3600.0))
        ->capture_default_str();
    verb->add_option("--csv", options->run.csv, "Write the rows to this file as they come");
    verb->add_option("--json", options->json,
                     "Write the verdict as JSON (asrtrace.soak/1) here; - for standard output");
    verb->add_flag("!--no-trace", options->run.trace,
                   "Do not trace: no reason is given, and no root is needed");
    add_tracing_options(*verb, options->session);
    verb->footer(
        "Example:\n  sudo asrtrace soak --post http://127.0.0.1:9000/transcribe --file "
        "audio_file=@wavs \\\n      --csv worker.csv -o worker.asrtrace -- asr-worker --port 9000\n"
        "Memory is that of the worker and its descendants together. Exit status: 0 PASS or WARN,\n"
        "1 FAIL, 2 usage or environment, 3 no verdict (the worker died, nothing was answered).");
    verb->callback([options, &exit_status] { exit_status = run(*options); });
}

}  // namespace asrtrace
