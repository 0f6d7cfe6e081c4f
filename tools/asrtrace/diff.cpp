// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// asrtrace diff BASE NEW
#include <CLI/CLI.hpp>
#include <memory>
#include <string>

#include "tools/asrtrace/read_trace.h"
#include "tools/asrtrace/tell.h"
#include "tools/asrtrace/verbs.h"
#include "user/base/output_file.h"
#include "user/compare/compare.h"

namespace asrtrace {
namespace {

struct Options {
    std::string base, now, json;
};

Status show(const Options& options) {
    const auto base = read_trace(options.base);
    if (!base) return base.error();
    const auto now = read_trace(options.now);
    if (!now) return now.error();
    const auto base_analysis = classify::analyze(*base);
    const auto now_analysis = classify::analyze(*now);
    const compare::Side left{*base, base_analysis};
    const compare::Side right{*now, now_analysis};
    const auto difference = compare::compare(left, right);
    if (options.json != "-") {
        auto status = write_output_file("-", compare::compare_text(left, right, difference));
        if (!status || options.json.empty()) return status;
    }
    return write_output_file(options.json, compare::compare_json(left, right, difference));
}

}  // namespace

void add_diff(CLI::App& app, int& exit_status) {
    const auto options = std::make_shared<Options>();
    auto* verb = app.add_subcommand("diff", "Show what changed between two traces");
    verb->add_option("BASE", options->base, "the earlier trace")->required();
    verb->add_option("NEW", options->now, "the later trace")->required();
    verb->add_option("--json", options->json,
                     "write the difference as JSON (asrtrace.diff/1) here; - for standard output");
    verb->footer(
        "Example: asrtrace diff main.asrtrace new.asrtrace\n"
        "Stacks are matched by function and module, never by address or line: two builds of the\n"
        "same program compare. Exit status: 0, also if they differ; the gate is check.");
    verb->callback([options, &exit_status] {
        const auto status = show(*options);
        if (!status) print_error(status.error());
        exit_status = status ? kExitDone : kExitError;
    });
}

}  // namespace asrtrace
