// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
//
// Posts recorded utterances to a worker and keeps account: status, latency, what was recognised.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "client/score.h"
#include "client/utterances.h"

namespace asr {

struct LoadPlan {
    std::string host = "127.0.0.1";
    int port = 9000;
    std::size_t requests = 150;
    std::uint64_t seed = 1;          ///< of the order
    bool repeat = false;             ///< each drawn from all, not round by round
    std::size_t concurrency = 1;     ///< requests in flight
    double requests_per_second = 0;  ///< 0: as fast as the answers come
};

struct LoadResult {
    std::map<int, std::size_t> by_status;  ///< 0: no answer at all
    std::vector<double> latencies_ms;      ///< of answered requests, ascending
    double seconds = 0;
    Score score;              ///< of the answers with status 200
    std::string first_error;  ///< of the first answer that was none or not 200

    std::size_t failed() const;
    /// Percentile (0..100) of the latencies by nearest rank, 0 if there are none.
    double latency_ms(double percentile) const;
};

/// Every round goes through all utterances in an order drawn from the seed; with `repeat` each
/// request draws anew, so that some come again soon and some late.
LoadResult run_load(const LoadPlan& plan, const std::vector<RecordedUtterance>& utterances);

}  // namespace asr
