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
std::atomic<int> alone{0};

/// timeout(1) and sudo may pass one Ctrl-C on twice, so what comes within half a second is the
/// same.
extern "C" void on_stop_signal(int signal, siginfo_t* info, void*) {
    constexpr std::uint64_t kSameNs = 500'000'000;
    const std::uint64_t now_ns = monotonic_ns();
    if (requested.exchange(true)) {
        if (now_ns - requested_ns < kSameNs) return;
        restore_terminal();
        ::signal(signal, SIG_DFL);
        ::raise(signal);
    }
    alone = info->si_code == SI_USER ? signal : 0;
    requested_ns = now_ns;
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

int stop_signal_for_us_alone() {
    return alone;
}

}  // namespace asrtrace
