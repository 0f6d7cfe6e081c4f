// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The time of day, for what is compared with other logs.
#pragma once

#include <cstdint>
#include <ctime>

namespace asrtrace {

/// Seconds since 1970, as the clock stood when this process first asked; from then on by
/// CLOCK_BOOTTIME. Whoever sets the clock meanwhile tears no gap between rows.
inline std::int64_t unix_seconds() {
    constexpr std::int64_t kSecondNs = 1'000'000'000;
    const auto read_ns = [](clockid_t clock) {
        timespec now{};
        ::clock_gettime(clock, &now);
        return std::int64_t{now.tv_sec} * kSecondNs + now.tv_nsec;
    };
    static const std::int64_t offset_ns = read_ns(CLOCK_REALTIME) - read_ns(CLOCK_BOOTTIME);
    return (offset_ns + read_ns(CLOCK_BOOTTIME)) / kSecondNs;
}

}  // namespace asrtrace
