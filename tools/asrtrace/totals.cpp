// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "tools/asrtrace/totals.h"

#include <string>

#include "user/decode/event.h"

namespace asrtrace {

ledger::Counts counts_of(const capture::Counters& counters) {
    constexpr std::uint64_t kPageBytes = 4096;
    ledger::Counts counts;
    for (std::size_t function = wire::FN_MALLOC; function < wire::FN_COUNT; ++function) {
        const auto name = decode::function_name(static_cast<decode::Function>(function));
        counts.calls[std::string(name)] =
            counters[static_cast<std::size_t>(wire::COUNT_CALLS) + function];
    }
    counts.faults_kernel = counters[wire::COUNT_FAULTS_KERNEL];
    counts.fault_bytes = counters[wire::COUNT_FAULT_PAGES] * kPageBytes;
    return counts;
}

std::uint64_t ring_losses(const capture::Counters& counters) {
    return counters[wire::LOST_RING_ALLOCATOR] + counters[wire::LOST_RING_OTHER];
}

void add_losses(const capture::Counters& counters, const capture::ProgramStatistics& statistics,
                ledger::Losses& losses) {
    losses.ring_events = ring_losses(counters);
    losses.ring_calls = counters[wire::LOST_RING_ALLOCATOR];
    losses.map_full_events = counters[wire::LOST_STACK_MAP] + counters[wire::LOST_THREAD_MAP] +
                             counters[wire::LOST_PROCESS_MAP] + counters[wire::LOST_SAMPLED_MAP] +
                             counters[wire::LOST_HTTP_CONNECTIONS];
    losses.map_full_stacks = counters[wire::LOST_STACK_MAP];
    losses.stacks_failed = counters[wire::LOST_STACK_WALK];
    losses.stacks_truncated = counters[wire::COUNT_STACK_TRUNCATED];
    losses.stacks_heuristic = counters[wire::COUNT_STACK_HEURISTIC];
    losses.inflight_reset = counters[wire::LOST_INFLIGHT];
    losses.missed_programs = statistics.probes_missed;
    losses.missed_tracepoints = statistics.tracepoints_missed;
    losses.unsized_faults = counters[wire::LOST_FAULT_ORDERS];
    losses.unseen_http_calls = counters[wire::LOST_HTTP_BYPASSED] + counters[wire::LOST_HTTP_WORK];
}

ledger::HttpSeen http_seen(const capture::Counters& counters) {
    return {.confused = counters[wire::LOST_HTTP_CONFUSED],
            .tls = counters[wire::COUNT_HTTP_TLS],
            .http2 = counters[wire::COUNT_HTTP_2],
            .upgraded = counters[wire::COUNT_HTTP_UPGRADED],
            .io_uring_calls = counters[wire::COUNT_HTTP_URING]};
}

std::vector<std::string> http_warnings(const ledger::HttpSeen& seen) {
    std::vector<std::string> warnings;
    const auto warn = [&](std::uint64_t number, const std::string& what) {
        if (number != 0)
            warnings.push_back("requests by http: " + std::to_string(number) + " " + what +
                               " cannot be read and do not count; --request func:START,DONE names "
                               "the server's own functions, every:SECONDS takes intervals");
    };
    warn(seen.tls, "connections spoke TLS: their requests");
    warn(seen.http2, "connections spoke HTTP/2: their requests");
    warn(seen.upgraded,
         "connections became something else (WebSocket, h2c, a tunnel): what they "
         "carry from then on");
    warn(seen.io_uring_calls, "calls went through io_uring: requests that pass there");
    return warnings;
}

}  // namespace asrtrace
