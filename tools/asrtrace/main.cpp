// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include <CLI/CLI.hpp>
#include <exception>
#include <memory>
#include <string>
#include <system_error>

#include "tools/asrtrace/census.h"
#include "tools/asrtrace/help.h"
#include "tools/asrtrace/tell.h"
#include "tools/asrtrace/verbs.h"

namespace {

int run(int argc, char** argv) {
    int exit_status = asrtrace::kExitDone;
    CLI::App app("Tells what each request of a running process leaves behind in memory, and where.",
                 "asrtrace");
    app.formatter(std::make_shared<asrtrace::HelpFormatter>());
    app.require_subcommand(1);
    app.set_version_flag("--version", std::string("asrtrace ") + ASRTRACE_VERSION);
    asrtrace::add_attach(app, exit_status);
    asrtrace::add_run(app, exit_status);
    asrtrace::add_census(app, exit_status);
    asrtrace::add_report(app, exit_status);
    asrtrace::add_flamegraph(app, exit_status);
    asrtrace::add_soak(app, exit_status);
    asrtrace::add_experiment(app, exit_status);
    asrtrace::add_analyze(app, exit_status);
    asrtrace::add_check(app, exit_status);
    asrtrace::add_diff(app, exit_status);
    asrtrace::add_doctor(app, exit_status);
    try {
        app.parse(argc, argv);
    } catch (const CLI::Success& asked) {  // --help, --version
        return app.exit(asked);
    } catch (const CLI::ParseError& wrong) {
        if (app.get_subcommands().empty() && argc > 1 && argv[1][0] != '-')
            asrtrace::print_error(asrtrace::Error{std::string("there is no verb '") + argv[1] +
                                                  "'; asrtrace --help lists them"});
        else
            app.exit(wrong);
        return asrtrace::kExitError;
    }
    return exit_status;
}

}  // namespace

int main(int argc, char** argv) {
    try {
        return run(argc, argv);
    } catch (const std::system_error& error) {
        const bool thread = error.code() == std::errc::resource_unavailable_try_again;
        asrtrace::print_error({(thread ? "no more threads (ulimit -u, pids.max): " : "") +
                               std::string(error.what())});
        return asrtrace::kExitError;
    } catch (const std::exception& error) {
        asrtrace::print_error({error.what()});
        return asrtrace::kExitError;
    }
}
