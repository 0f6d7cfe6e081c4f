// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "tools/asrtrace/session.h"

#include <fmt/format.h>

#include <cstdio>
#include <optional>
#include <regex>

#include "tools/asrtrace/live_view.h"
#include "tools/asrtrace/show.h"
#include "tools/asrtrace/stop_signals.h"
#include "tools/asrtrace/tell.h"
#include "tools/asrtrace/verbs.h"
#include "user/base/confinement.h"
#include "user/base/escape.h"
#include "user/base/path.h"
#include "user/capture/process.h"

namespace asrtrace {
namespace {

Wish show_progress(const Progress& now) {
    const double rss = static_cast<double>(now.rss_anon_kb) / 1024;
    const double growth = rss - static_cast<double>(now.first_rss_anon_kb) / 1024;
    std::string line = fmt::format(
        "{:6.0f} s  {:6} requests  RssAnon {:8.1f} MiB ({:+.1f})  "
        "{:7.0f} events/s",
        now.seconds, now.requests, rss, growth, now.events_per_second);
    if (!now.tracking.empty()) line += "  " + now.tracking;
    if (now.lost_events > 0) line += fmt::format("  LOST {}", now.lost_events);
    for (const std::string& news : now.news) tell(fmt::format("note: {}", escape_terminal(news)));
    tell(line);
    return Wish::kNone;
}

/// The name of the program that runs as `pid`, escaped.
std::string name_of(std::int32_t pid) {
    const auto process = capture::Process::open(pid);
    return process ? escape_terminal(basename_of(process->exe()), 60) : "unknown process";
}

/// On a screen if that is wanted and there is one, else in lines.
Result<ledger::Recording> follow(Recorder& recorder, const SessionOptions& options) {
    constexpr double kLineSeconds = 2;
    constexpr double kStepSeconds = 0.1;  ///< how long a key waits for its answer
    auto terminal = options.live ? Terminal::open() : std::nullopt;
    if (!terminal) return recorder.run(stop_requested(), kLineSeconds, show_progress);
    const std::int32_t pid = options.recorder.pid;
    LiveView view(std::move(*terminal), {name_of(pid), pid, recorder.summary()});
    return recorder.run(stop_requested(), kStepSeconds,
                        [&](const Progress& now) { return view.step(now); });
}

std::optional<std::regex> compile_expression(const std::string& text) {
    try {
        return std::regex(text, std::regex::ECMAScript | std::regex::optimize);
    } catch (const std::regex_error&) {
        return std::nullopt;
    }
}

}  // namespace

void choose(SessionOptions& options) {
    if (!options.path_exclude.empty())
        options.recorder.path_exclude = compile_expression(options.path_exclude);
    options.recorder.tier = options.tier == "watch"   ? capture::Tier::kWatch
                            : options.tier == "sites" ? capture::Tier::kSites
                                                      : capture::Tier::kFull;
    options.recorder.live = options.live;
    if (options.tier == "auto") options.recorder.budget = options.budget_percent / 100;
    options.recorder.raw_bytes = options.raw_mib << 20;
    if (options.method == "session") options.recorder.method = capture::ProbeMethod::kSession;
    if (options.method == "multi") options.recorder.method = capture::ProbeMethod::kMulti;
    if (options.method == "perf") options.recorder.method = capture::ProbeMethod::kPerf;
    if (options.duration_seconds > 0) options.recorder.duration_seconds = options.duration_seconds;
    if (options.requests > 0) options.recorder.requests = options.requests;
}

int run_session(SessionOptions options, const std::function<void()>& attached) {
    choose(options);
    if (const auto status = check_outputs({options.out.json, options.out.html}); !status) {
        print_error(status.error());
        return kExitError;
    }
    auto recorder = Recorder::start(options.recorder);
    if (!recorder) {
        print_error(recorder.error());
        return kExitError;
    }
    tell(fmt::format("attached to PID {}: {}", options.recorder.pid, recorder->summary()));
    for (const std::string& note : recorder->notes()) {
        tell(fmt::format("note: {}", escape_terminal(note)));
    }
    if (options.duration_seconds == 0 && options.requests == 0) {
        tell("Ctrl-C ends the run with a report");
    }
    attached();
    if (const auto status = settle_thread(kTracingCapabilities | options.keeps); !status)
        tell(fmt::format("note: the tracer keeps its rights: {}", status.error().message));
    const auto recording = follow(*recorder, options);
    if (!recorder->trace_error().empty()) print_error(Error{recorder->trace_error()});
    if (!recording) {
        print_error(recording.error());
        return kExitError;
    }
    if (const auto status = show_recording(*recording, options.out); !status) {
        print_error(status.error());
        return kExitError;
    }
    const bool nothing_measured = recording->epochs.empty() && recording->samples.empty();
    return nothing_measured ? kExitInsufficient : kExitDone;
}

void add_session_options(CLI::App& verb, SessionOptions& options) {
    verb.add_option("--duration", options.duration_seconds, "End after so many seconds")
        ->check(CLI::Range(0.1, 1e7));
    verb.add_option("--requests", options.requests, "End after so many requests")
        ->check(CLI::Range(std::uint64_t{1}, std::uint64_t{1} << 40));
    verb.add_option("--json", options.out.json, "Write the report as JSON; - is standard output");
    verb.add_option("--html", options.out.html,
                    "Write the report as one page for a browser; - is standard output");
    add_tracing_options(verb, options);
}

void add_tracing_options(CLI::App& verb, SessionOptions& options) {
    verb.add_option("--request", options.recorder.request_spec,
                    "What a request is: http[:PORT] (HTTP/1.x on the target's sockets), "
                    "usdt:PROVIDER:START,DONE, func:[MODULE:]START,DONE, every:SECONDS, or auto: "
                    "asr:request_start/request_done if the target has these USDT probes, else http "
                    "if it listens on a TCP socket, else every:10")
        ->capture_default_str();
    verb.add_option("--path-exclude", options.path_exclude,
                    "HTTP requests whose path (without the query) has a match of this ECMAScript "
                    "expression do not count: health checks")
        ->check([](const std::string& text) {
            return compile_expression(text) ? std::string{}
                                            : "'" + text + "' is no regular expression";
        });
    verb.add_option("--tier", options.tier,
                    "full: every allocation; sites: allocations sampled by bytes; watch: none; "
                    "auto: every allocation if the budget allows, else in short windows, and how "
                    "much grew from readings of the heap")
        ->check(CLI::IsMember({"auto", "full", "sites", "watch"}))
        ->capture_default_str();
    verb.add_option("--budget-cpu", options.budget_percent,
                    "What tier auto may take, in percent of the CPU that the target itself uses")
        ->check(CLI::Range(0.1, 1000.0))
        ->capture_default_str();
    verb.add_option("--sample-bytes", options.recorder.sample_mean_bytes,
                    "Mean distance of samples in the sites tier")
        ->check(CLI::Range(std::uint64_t{1024}, std::uint64_t{1} << 30))
        ->capture_default_str();
    verb.add_flag("!--no-census", options.recorder.read_heap,
                  "Do not read the heap while tracing: no books, no retention, and what "
                  "outlives requests is told by its growth alone");
    auto* output =
        verb.add_option("-o,--output", options.recorder.output, "Write the trace to this file");
    verb.add_flag("--raw{256}", options.raw_mib,
                  "Keep each event in the trace as it came, the first 256 MiB of them, compressed; "
                  "--raw=MIB for another limit. report --events prints them")
        ->check(CLI::Range(std::uint64_t{1}, std::uint64_t{1} << 20))
        ->needs(output);
    verb.add_flag("--follow", options.recorder.follow,
                  "Take in the target's children and what they and it become by exec. Allocator "
                  "probes then stand in every process that maps the same C library: the others "
                  "pay the trap of each allocation, too. Memory samples are of all of them "
                  "together, readings of the heap stay the target's");
    verb.add_flag("--debuginfod", options.recorder.debuginfod,
                  "Fetch debug files that are missing here from the servers in DEBUGINFOD_URLS; "
                  "without this nothing is asked of the network");
    verb.add_option("--probe-method", options.method,
                    "How probes with a return are attached (for measurements)")
        ->check(CLI::IsMember({"auto", "session", "multi", "perf"}))
        ->capture_default_str();
    verb.add_flag("--http-by-calls", options.recorder.http_by_calls,
                  "Watch system calls for HTTP, as on Linux before 6.3 (for measurements)");
    verb.add_flag(
        "--http-by-sockets", options.recorder.http_by_sockets,
        "Watch all receipts and sends on sockets for HTTP, not only where the target's own "
        "files make them: cheaper for a target with many, dearer for all others");
    verb.add_flag(
        "--mappings-by-calls", options.recorder.mappings_by_calls,
        "Follow mmap, munmap, mremap, brk and madvise by tracepoints of system calls, for "
        "targets that make these calls past their libraries. Every system call of every "
        "process takes 50 to 100 ns longer meanwhile");
    verb.add_flag("--probe-symbols", options.recorder.at_symbols,
                  "Put probes on first instructions, cheap or not (for measurements)");
}

}  // namespace asrtrace
