// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Ctrl-C and its like: the first ends the run with a report, a second one ends us at once, and the
// kernel removes the probes.
#pragma once

#include <sys/types.h>

#include <atomic>

namespace asrtrace {

/// From now on SIGINT, SIGTERM and SIGHUP are requests to stop, SIGPIPE is an error of write(2).
void catch_stop_signals();

/// Whether one has come.
const std::atomic<bool>& stop_requested();

/// What is sent to us alone, by kill(2) and not by the terminal to everybody in the foreground,
/// goes to this process, too; what has come already, at once. 0: from now on to nobody.
void pass_stop_signals_on(pid_t pid);

}  // namespace asrtrace
