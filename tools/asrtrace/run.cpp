// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// asrtrace run -- CMD: start a command and trace it from its entry point on.
#include <fmt/format.h>

#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "tools/asrtrace/command.h"
#include "tools/asrtrace/session.h"
#include "tools/asrtrace/stop_signals.h"
#include "tools/asrtrace/tell.h"
#include "tools/asrtrace/verbs.h"
#include "user/base/escape.h"

namespace asrtrace {
namespace {

struct Options {
    SessionOptions session;
    std::vector<std::string> command;
};

int run(Options options) {
    auto command = Command::start_held(options.command);
    if (!command) {
        print_error(command.error());
        return kExitError;
    }
    // Only now: the command is to have the handlers that we were given, not ours.
    catch_stop_signals();
    options.session.recorder.pid = command->pid();
    // A signal is passed on to the command even if that became somebody else.
    options.session.keeps = capability_set(Capability::kKill);
    bool attached = false;
    const int status = run_session(options.session, [&] {
        attached = true;
        command->release();
    });
    if (!attached) return status;
    const std::string name = escape_terminal(options.command.front());
    // Ctrl-C went to both of us.
    pass_stop_signals_on(command->pid());
    if (command->running())
        tell(fmt::format("waiting for {} (pid {}) to end", name, command->pid()));
    command->await_end();
    pass_stop_signals_on(0);
    tell(fmt::format("{} {}", name, command->wait()));
    return status;
}

}  // namespace

void add_run(CLI::App& app, int& exit_status) {
    const auto options = std::make_shared<Options>();
    CLI::App* verb =
        app.add_subcommand("run", "Start a command and report what its requests leave behind");
    add_session_options(*verb, options->session);
    verb->add_option("CMD", options->command, "The command and its arguments, behind --")
        ->required();
    verb->footer(
        "Example:\n  sudo asrtrace run -o worker.asrtrace -- build/release/bin/asr-worker --port "
        "9000\n"
        "Traced from the program's entry point on: what the loader and the constructors of its\n"
        "libraries allocate before counts as [before attach]; a program that CMD executes in its\n"
        "place (a wrapper's exec) needs --follow. CMD runs as the user that asrtrace runs as.\n"
        "Ctrl-C goes to both; a signal sent to asrtrace alone is passed on. When the window is\n"
        "over, the report comes and CMD is waited for. Exit status: 0 done, whatever was found\n"
        "(check is the gate) and however CMD ended (which is told), 2 usage or environment,\n"
        "3 nothing was measured.");
    verb->callback([options, &exit_status] { exit_status = run(*options); });
}

}  // namespace asrtrace
