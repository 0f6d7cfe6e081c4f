// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// asrtrace report FILE
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>

#include "tools/asrtrace/show.h"
#include "tools/asrtrace/tell.h"
#include "tools/asrtrace/verbs.h"
#include "user/decode/event.h"
#include "user/report/raw_csv.h"
#include "user/trace/reader.h"

namespace asrtrace {
namespace {

struct Options {
    std::string file;
    ReportFiles out;
    bool events = false;
};

/// Raw events to standard output, as CSV.
Status print_events(const std::string& file, const ledger::Recording& recording) {
    if (!recording.raw_events)
        return Error{file + ": has no raw events; attach --raw records them"};
    std::uint64_t read = 0;
    const auto print = [](const std::string& text) {
        (void)std::fwrite(text.data(), 1, text.size(), stdout);
    };
    print(report::raw_csv_header());
    const auto status =
        trace::read_raw_events(file, [&](Bytes record, const trace::RawStacks& stacks) {
            ++read;
            const auto event = decode::decode(record);
            if (!event) return;  // the losses count it
            const auto stack = stacks.find(report::stack_key_of(*event));
            print(report::raw_csv_line(
                *event, stack == stacks.end() ? std::nullopt : std::optional(stack->second),
                recording.raw_events->start_ns));
        });
    if (!status) return status;
    if (const std::uint64_t kept = recording.raw_events->kept; read != kept)
        print_error(Error{file + ": " + std::to_string(kept - std::min(kept, read)) + " of " +
                          std::to_string(kept) + " raw events are damaged"});
    if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) return errno_error("standard output");
    return ok_status();
}

int run(const Options& options) {
    const auto recording = trace::read(options.file);
    if (!recording) {
        print_error(recording.error());
        return kExitError;
    }
    if (options.events) {
        const auto printed = print_events(options.file, *recording);
        if (!printed) print_error(printed.error());
        return printed ? kExitDone : kExitError;
    }
    if (const auto status = show_recording(*recording, options.out); !status) {
        print_error(status.error());
        return kExitError;
    }
    return kExitDone;
}

}  // namespace

void add_report(CLI::App& app, int& exit_status) {
    const auto options = std::make_shared<Options>();
    auto* verb = app.add_subcommand("report", "Show the report of a recorded trace");
    verb->add_option("FILE", options->file, "a trace, as written by attach -o or run -o")
        ->required();
    auto* events = verb->add_flag("--events", options->events,
                                  "print the raw events that attach --raw keeps as CSV instead");
    verb->add_option("--json", options->out.json,
                     "write the report as JSON (asrtrace.report/1) here; - for standard output")
        ->excludes(events);
    verb->add_option("--html", options->out.html,
                     "write the report as one page for a browser here, which needs no network; "
                     "- for standard output")
        ->excludes(events);
    verb->footer(
        "Example: asrtrace report worker.asrtrace --html worker.html\n"
        "Needs no root and no symbols. A damaged trace is shown as far as it is intact.");
    verb->callback([options, &exit_status] { exit_status = run(*options); });
}

}  // namespace asrtrace
