// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// asrtrace analyze CSV: the verdict of a characterization run that was recorded elsewhere.
#include <CLI/CLI.hpp>
#include <memory>
#include <string>

#include "tools/asrtrace/phases.h"
#include "tools/asrtrace/tell.h"
#include "tools/asrtrace/verbs.h"
#include "user/base/maps.h"
#include "user/base/output_file.h"
#include "user/report/soak.h"

namespace asrtrace {
namespace {

struct Options {
    std::string file;
    std::string json;
    Phases phases;
};

int run(const Options& options) {
    const auto text = read_text_file(options.file);
    if (!text) {
        print_error(text.error());
        return kExitError;
    }
    const auto rows = soak::parse_memory_csv(*text);
    if (!rows) {
        print_error({options.file + ": " + rows.error().message});
        return kExitError;
    }
    const auto verdict = soak::judge(*rows, options.phases.plan());
    if (!verdict) {
        print_error({options.file + ": " + verdict.error().message});
        return kExitInsufficient;
    }
    Status written = ok_status();
    if (options.json != "-")
        written = write_output_file("-", report::soak_text(*verdict, options.file));
    if (written && !options.json.empty())
        written = write_output_file(options.json, report::soak_json(*verdict));
    if (!written) {
        print_error(written.error());
        return kExitError;
    }
    return verdict->overall == soak::Grade::kFail ? kExitFailed : kExitDone;
}

}  // namespace

void add_analyze(CLI::App& app, int& exit_status) {
    const auto options = std::make_shared<Options>();
    auto* verb = app.add_subcommand(
        "analyze", "PASS, WARN or FAIL from the memory of a worker before, under and after load");
    verb->add_option("CSV", options->file,
                     "samples of memory, with a header: ts, VmRSS_kB, RssAnon_kB, RssFile_kB, "
                     "RssShmem_kB, VmSwap_kB, Pss_kB, MemAvailable_kB, MemTotal_kB (docs/soak.md)")
        ->required();
    add_phases(*verb, options->phases, "");
    verb->add_option("--json", options->json,
                     "write the verdict as JSON (asrtrace.soak/1) here; - for standard output");
    verb->footer(
        "Example: tools/collect-memory.sh PID > worker.csv, with the load from minute 5 to 65 and\n"
        "15 idle minutes behind it; then\n"
        "  asrtrace analyze worker.csv\n"
        "Exit status: 0 PASS or WARN, 1 FAIL, 2 a malformed header or row, 3 a gap, a short file "
        "or\na window without rows. Needs no root.");
    verb->callback([options, &exit_status] { exit_status = run(*options); });
}

}  // namespace asrtrace
