// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "tools/asrtrace/stop_signals.h"

#include <csignal>
#include <cstdint>

#include "tools/asrtrace/clock.h"
#include "tools/asrtrace/terminal.h"

namespace asrtrace {
namespace {

std::atomic<bool> requested{false};
std::atomic<std::uint64_t> requested_ns{0};
std::atomic<int> alone{0};  ///< signal that was sent to us alone and not passed on yet
std::atomic<pid_t> heir{0};

/// timeout(1) and sudo may pass one Ctrl-C on twice, so what comes within half a second is the
/// same.
extern "C" void on_stop_signal(int signal, siginfo_t* info, void*) {
    constexpr std::uint64_t kSameNs = 500'000'000;
    const std::uint64_t now_ns = monotonic_ns();
    const bool again = requested.exchange(true);
    if (again && now_ns - requested_ns < kSameNs) return;
    requested_ns = now_ns;
    if (info->si_code == SI_USER) {
        if (heir != 0)
            ::kill(heir, signal);
        else
            alone = signal;
    }
    if (!again) return;
    restore_terminal();
    ::signal(signal, SIG_DFL);
    ::raise(signal);
}

}  // namespace

void catch_stop_signals() {
    struct sigaction action {};
    action.sa_sigaction = on_stop_signal;
    action.sa_flags = SA_RESTART | SA_SIGINFO;
    for (const int signal : {SIGINT, SIGTERM, SIGHUP}) ::sigaction(signal, &action, nullptr);
    ::signal(SIGPIPE, SIG_IGN);
}

const std::atomic<bool>& stop_requested() {
    return requested;
}

void pass_stop_signals_on(pid_t pid) {
    heir = pid;
    const int before = alone.exchange(0);
    if (pid != 0 && before != 0) ::kill(pid, before);
}

}  // namespace asrtrace
