// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// What one run of a worker comes to, in figures that can be put beside those of another run.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "user/base/interval.h"
#include "user/load/tally.h"

namespace asrtrace::experiment {

/// Memory of all the worker's processes together, at a moment.
struct Moment {
    double seconds = 0;          ///< since the load began; negative before
    std::uint64_t requests = 0;  ///< that had ended by then
    double pss_bytes = 0;
};

/// One run; of several rounds each figure's median. Bytes are PSS of the worker's processes
/// together unless said otherwise.
struct Figures {
    double start_bytes = 0;    ///< median before the load
    double plateau_bytes = 0;  ///< median over the last quarter of the load
    double peak_bytes = 0;     ///< most at any moment
    /// Over the second half of the requests: the first is for warming up. Of a worker that is
    /// replaced it says nothing.
    double growth_per_request = 0;
    double growth_lo = 0, growth_hi = 0;     ///< its 95 % interval; from 0 on if there is none
    std::optional<double> retained_bytes;    ///< resident and freed, behind the load; glibc only
    std::optional<double> releasable_bytes;  ///< of these, what malloc_trim(0) is said to give back
    std::optional<double> trimmed_bytes;     ///< RssAnon that it gave back
    double p50_ms = 0, p95_ms = 0, p99_ms = 0;
    double cpu_ms_per_request = 0;
    double faults_per_request = 0;
    double answered = 0, failed = 0;
};

/// Sets what follows from memory over time; `moments` in their order, of a load of so many seconds.
void take_memory(Figures& figures, const std::vector<Moment>& moments, double load_seconds);

/// Sets latencies and counts; `unsent`: requests that the run ended before.
void take_requests(Figures& figures, const load::Tally& tally, std::uint64_t unsent);

/// Figure by figure; those that not every run has, of the runs that have them.
Figures median_of(const std::vector<Figures>& rounds);

}  // namespace asrtrace::experiment
