// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// asrtrace flamegraph FILE
#include <CLI/CLI.hpp>
#include <memory>
#include <string>

#include "tools/asrtrace/show.h"
#include "tools/asrtrace/verbs.h"
#include "user/base/output_file.h"
#include "user/report/flame_svg.h"
#include "user/report/folded.h"
#include "user/trace/reader.h"

namespace asrtrace {
namespace {

struct Options {
    std::string file;
    std::string kind = "growth";
    std::string format = "svg";
    std::string output = "-";
};

int fail(const std::string& message, int status) {
    print_error(Error{message});
    return status;
}

int run(const Options& options) {
    const auto recording = trace::read(options.file);
    if (!recording) return fail(recording.error().message, kExitError);
    for (const auto& damage : recording->damage)
        print_error(Error{options.file + ": damaged, missing: " + damage});
    const auto kind = report::flame_kind(options.kind);
    if (!kind) return fail("no such kind: " + options.kind, kExitError);
    const auto stacks = report::weighed_stacks(*recording, *kind);
    if (stacks.empty())
        return fail(options.file + ": nothing to draw: " + report::why_empty(*recording, *kind),
                    kExitInsufficient);
    const auto content = options.format == "folded" ? report::folded(*recording, stacks)
                                                    : report::flame_svg(*recording, stacks, *kind);
    const auto status = write_output_file(options.output, content);
    return status ? kExitDone : fail(status.error().message, kExitError);
}

}  // namespace

void add_flamegraph(CLI::App& app, int& exit_status) {
    const auto options = std::make_shared<Options>();
    auto* verb = app.add_subcommand("flamegraph", "Draw the stacks of a recorded trace");
    verb->add_option("FILE", options->file, "a trace, as written by attach -o")->required();
    verb->add_option("--kind", options->kind,
                     "live: bytes held at the end; growth: of these, what outlived its request; "
                     "faults: memory touched for the first time")
        ->check(CLI::IsMember({"live", "growth", "faults"}))
        ->capture_default_str();
    verb->add_option("--format", options->format,
                     "svg: a picture with search and zoom; folded: lines for other tools")
        ->check(CLI::IsMember({"svg", "folded"}))
        ->capture_default_str();
    verb->add_option("-o,--output", options->output, "where to write; - is standard output")
        ->capture_default_str();
    verb->footer("Example: asrtrace flamegraph worker.asrtrace --kind growth -o growth.svg");
    verb->callback([options, &exit_status] { exit_status = run(*options); });
}

}  // namespace asrtrace
