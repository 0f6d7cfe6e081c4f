// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Ctrl-C and its like: the first ends the run with a report, a second one ends us at once, and the
// kernel removes the probes.
#pragma once

#include <atomic>

namespace asrtrace {

/// From now on SIGINT, SIGTERM and SIGHUP are requests to stop, SIGPIPE is an error of write(2).
void catch_stop_signals();

/// Whether one has come.
const std::atomic<bool>& stop_requested();

/// The signal if it was sent to us alone, by kill(2); 0 if none came or if the terminal sent it to
/// everybody in the foreground.
int stop_signal_for_us_alone();

}  // namespace asrtrace
