// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// What a recording says, as numbers: a pure function, the same recording gives the same summary.
// Text, JSON and flame graphs all show this.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "user/classify/latency.h"
#include "user/classify/slope.h"
#include "user/ledger/recording.h"

namespace asrtrace::classify {

struct Change {
    std::uint64_t first = 0;
    std::uint64_t last = 0;
    std::int64_t delta() const { return static_cast<std::int64_t>(last - first); }
};

/// Bytes, first and last sample; nothing without samples, or where the trace or the kernel does not
/// say (cgroup).
struct Memory {
    std::optional<Change> rss_anon, rss_file, rss_shmem, pss, swap, mem_available;
    std::optional<Change> page_tables, huge_pages;
    /// Of the machine.
    std::optional<Change> mem_free, cached, shmem, slab_reclaimable, swap_used;
    std::optional<Change> cgroup_current, cgroup_max;  ///< the limit: none where there is none
    std::optional<Change> cgroup_oom_kills;            ///< a number
    std::optional<Change> cgroup_stalled_us;           ///< waits for memory, microseconds
};

/// A stack over the whole window. Sums are of the window, levels of its end.
struct Site {
    StackId stack;
    std::uint64_t allocated_bytes = 0, allocated_blocks = 0;  ///< for faults: touched
    std::uint64_t freed_bytes = 0, freed_blocks = 0;
    std::uint64_t live_bytes = 0, live_blocks = 0;
    std::uint64_t outlived_bytes = 0, outlived_blocks = 0;
    std::optional<Slope> per_request;  ///< of outlived bytes; for faults of bytes touched
};

struct Summary {
    Memory memory;
    std::vector<Site> heap, mapped, faults;  ///< most bytes per request first
    std::vector<Point> outlived;             ///< bytes of all heap sites that outlived a request
    std::optional<Slope> heap_per_request;   ///< of these
    std::vector<Point> rss_anon;
    std::optional<Slope> rss_anon_per_request;
    std::optional<Latency> latency;  ///< none for intervals: their length is given
    std::optional<double> attributed_fraction;
};

Summary summarize(const ledger::Recording& recording);

}  // namespace asrtrace::classify
