// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The verbs that only read files, as a program that links neither libbpf nor libdw.
#include <CLI/CLI.hpp>

#include "tools/asrtrace/verbs.h"

int main(int argc, char** argv) {
    int exit_status = 0;
    CLI::App app("replay");
    app.require_subcommand(1);
    asrtrace::add_analyze(app, exit_status);
    asrtrace::add_report(app, exit_status);
    asrtrace::add_flamegraph(app, exit_status);
    asrtrace::add_check(app, exit_status);
    asrtrace::add_diff(app, exit_status);
    try {
        app.parse(argc, argv);
    } catch (const CLI::Success& asked) {
        return app.exit(asked);
    } catch (const CLI::ParseError& wrong) {
        app.exit(wrong);
        return asrtrace::kExitError;
    }
    return exit_status;
}
