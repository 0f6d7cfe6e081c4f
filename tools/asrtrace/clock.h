// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The clock of the events: CLOCK_MONOTONIC, as bpf_ktime_get_ns reads it.
#pragma once

#include <cstdint>
#include <ctime>

namespace asrtrace {

inline std::uint64_t monotonic_ns() {
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 +
           static_cast<std::uint64_t>(now.tv_nsec);
}

/// CPU time of the calling thread.
inline std::uint64_t thread_cpu_ns() {
    timespec now{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 +
           static_cast<std::uint64_t>(now.tv_nsec);
}

}  // namespace asrtrace
