// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// asrtrace report FILE
#include <CLI/CLI.hpp>
#include <memory>
#include <string>

#include "tools/asrtrace/show.h"
#include "tools/asrtrace/verbs.h"
#include "user/trace/reader.h"

namespace asrtrace {
namespace {

struct Options {
    std::string file;
    ReportFiles out;
};

int run(const Options& options) {
    const auto recording = trace::read(options.file);
    if (!recording) {
        print_error(recording.error());
        return kExitError;
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
    verb->add_option("FILE", options->file, "a trace, as written by attach -o")->required();
    verb->add_option("--json", options->out.json,
                     "write the report as JSON (asrtrace.report/1) here; - for standard output");
    verb->add_option("--html", options->out.html,
                     "write the report as one page for a browser here, which needs no network;\n"
                     "- for standard output");
    verb->footer(
        "Example: asrtrace report worker.asrtrace --html worker.html\n"
        "Needs no root and no symbols. A damaged trace is shown as far as it is intact.");
    verb->callback([options, &exit_status] { exit_status = run(*options); });
}

}  // namespace asrtrace
