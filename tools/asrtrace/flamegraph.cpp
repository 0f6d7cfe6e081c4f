// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// asrtrace flamegraph FILE
#include <CLI/CLI.hpp>
#include <memory>
#include <string>

#include "tools/asrtrace/read_trace.h"
#include "tools/asrtrace/tell.h"
#include "tools/asrtrace/verbs.h"
#include "user/base/output_file.h"
#include "user/report/flame_svg.h"
#include "user/report/folded.h"
#include "user/report/profile.h"

namespace asrtrace {
namespace {

struct Options {
    std::string file;
    std::string base;  ///< empty: no comparison
    std::string kind = "growth";
    std::string format = "svg";
    std::string output = "-";
};

int fail(const std::string& message, int status) {
    print_error(Error{message});
    return status;
}

Result<report::Flame> flame(const ledger::Recording& recording, report::FlameKind kind,
                            const std::string& base_file) {
    if (base_file.empty()) return report::flame_of(recording, kind);
    const auto base = read_trace(base_file);
    if (!base) return base.error();
    return report::flame_difference(*base, recording, kind);
}

Result<std::string> drawn(const report::Flame& flame, const std::string& format) {
    if (format == "folded") return report::folded(flame);
    if (format == "speedscope") return report::speedscope(flame);
    if (format == "pprof") return report::pprof(flame);
    return report::flame_svg(flame);
}

int run(const Options& options) {
    const auto recording = read_trace(options.file);
    if (!recording) return fail(recording.error().message, kExitError);
    const auto kind = report::flame_kind(options.kind);
    if (!kind) return fail("no such kind: " + options.kind, kExitError);
    const auto stacks = flame(*recording, *kind, options.base);
    if (!stacks) return fail(stacks.error().message, kExitError);
    if (stacks->stacks.empty())
        return fail(options.file + ": nothing to draw: " + report::why_empty(*recording, *kind),
                    kExitInsufficient);
    const auto content = drawn(*stacks, options.format);
    if (!content) return fail(content.error().message, kExitError);
    const auto status = write_output_file(options.output, *content);
    return status ? kExitDone : fail(status.error().message, kExitError);
}

}  // namespace

void add_flamegraph(CLI::App& app, int& exit_status) {
    const auto options = std::make_shared<Options>();
    auto* verb = app.add_subcommand("flamegraph", "Draw the stacks of a recorded trace");
    verb->add_option("FILE", options->file, "a trace, as written by attach -o or run -o")
        ->required();
    verb->add_option("--kind", options->kind,
                     "live: bytes held at the end; growth: of these, what outlived its request "
                     "or is of none; "
                     "leak, cache: of growth, what the findings call so; retention: free memory "
                     "that stays resident, by who allocated what pins it; faults: memory touched "
                     "for the first time")
        ->check(CLI::IsMember({"live", "growth", "leak", "cache", "retention", "faults"}))
        ->capture_default_str();
    verb->add_option("--format", options->format,
                     "svg: a picture with search and zoom; folded: lines for other tools; "
                     "speedscope: for www.speedscope.app; pprof: for go tool pprof")
        ->check(CLI::IsMember({"svg", "folded", "speedscope", "pprof"}))
        ->capture_default_str();
    verb->add_option(
        "--diff", options->base,
        "an earlier trace: show what changed since. svg: red for more bytes, blue for "
        "less; folded: two columns, as difffolded.pl writes; pprof: the change, may be "
        "negative; speedscope, which knows no negative bytes: two profiles, more and "
        "less");
    verb->add_option("-o,--output", options->output, "where to write; - is standard output")
        ->capture_default_str();
    verb->footer(
        "Example: asrtrace flamegraph worker.asrtrace --kind growth -o growth.svg\n"
        "Exit status: 0 done, 2 usage or environment, 3 there is nothing to draw: it says why.");
    verb->callback([options, &exit_status] { exit_status = run(*options); });
}

}  // namespace asrtrace
