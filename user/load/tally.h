// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// What became of a load's requests.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "user/load/latency.h"
#include "user/load/outcome.h"

namespace asrtrace::load {

/// Seconds after the first request was due, half-open.
struct Span {
    double begin = 0;
    double end = 0;
};

struct Tally {
    Span early_span, late_span;  ///< set before the first is added
    std::map<int, std::uint64_t> by_status;
    std::uint64_t requests = 0;
    Latencies all, early, late;  ///< of those answered with 200
    std::string first_error, last_error;
    std::uint64_t failed_in_a_row = 0;     ///< by now
    double first_sent = 0, last_sent = 0;  ///< seconds
    double most_late_ms = 0;               ///< between due and sent

    void add(const Outcome& outcome);
    std::uint64_t failed() const;  ///< all that was not answered with 200
    /// Requests a second, from the first to the last as sent; 0 for less than two.
    double mean_rate() const;
};

}  // namespace asrtrace::load
