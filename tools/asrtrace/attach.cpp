// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// asrtrace attach: follow a running process and report what its requests leave behind.
#include <memory>

#include "tools/asrtrace/session.h"
#include "tools/asrtrace/stop_signals.h"
#include "tools/asrtrace/verbs.h"

namespace asrtrace {

void add_attach(CLI::App& app, int& exit_status) {
    const auto options = std::make_shared<SessionOptions>();
    CLI::App* verb = app.add_subcommand(
        "attach", "Follow a running process and report what its requests leave behind");
    verb->add_option("--pid", options->recorder.pid, "The process to follow")->required();
    add_session_options(*verb, *options);
    options->live = true;
    verb->add_flag("!--lines", options->live,
                   "Show the progress in lines, on a terminal too; there it is a screen otherwise: "
                   "books, what requests leave behind, sites, cost. s changes their order, c reads "
                   "the heap, q (or Ctrl-C) ends with the report");
    verb->footer(
        "Example:\n  sudo asrtrace attach --pid $(pidof asr-worker) --duration 60 "
        "-o worker.asrtrace\n"
        "Exit status: 0 done, whatever was found (check is the gate), 2 usage or environment,\n"
        "3 nothing was measured.");
    verb->callback([options, &exit_status] {
        catch_stop_signals();
        exit_status = run_session(*options, [] {});
    });
}

}  // namespace asrtrace
