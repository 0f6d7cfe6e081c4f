// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// When the heap is read: often enough to draw a line through, seldom enough to cost a small share
// of one CPU, between requests where there is a gap. The longer a run the less often: what is read
// leaves the caches of the target, and a line over an hour needs no point a second.
#pragma once

#include <algorithm>
#include <cstdint>

namespace asrtrace {

class HeapSchedule {
  public:
    explicit HeapSchedule(std::uint64_t start_ns)
        : start_ns_(start_ns), due_ns_(start_ns), reach_due_ns_(start_ns) {}

    /// Now, if it is time and no request is in flight or none has paused for a while.
    bool due(std::uint64_t now_ns, std::uint32_t in_flight) const {
        return now_ns >= due_ns_ && (in_flight == 0 || now_ns >= due_ns_ + kPatience);
    }
    bool reach_due(std::uint64_t now_ns) const { return now_ns >= reach_due_ns_; }

    /// Somebody waits for a reading: as if it had been time for a while.
    void hurry() { due_ns_ = reach_due_ns_ = 0; }
    void reading_took(std::uint64_t now_ns, std::uint64_t cpu_ns) {
        due_ns_ = now_ns + std::max({kEvery, kRest * cpu_ns, by_age(now_ns)});
    }
    void reach_took(std::uint64_t now_ns, std::uint64_t cpu_ns) {
        reach_due_ns_ = now_ns + std::max({kReachEvery, 2 * kRest * cpu_ns, 2 * by_age(now_ns)});
    }
    void reading_failed(std::uint64_t now_ns) { due_ns_ = now_ns + kAfterFailure; }

  private:
    std::uint64_t by_age(std::uint64_t now_ns) const {
        return std::min((now_ns - start_ns_) / kPointsOfARun, kSeldomest);
    }

    static constexpr std::uint64_t kPointsOfARun = 50;
    static constexpr std::uint64_t kSeldomest = 10'000'000'000;
    static constexpr std::uint64_t kEvery = 400'000'000;
    static constexpr std::uint64_t kReachEvery = 1'500'000'000;
    static constexpr std::uint64_t kPatience = 200'000'000;
    static constexpr std::uint64_t kAfterFailure = 5'000'000'000;
    static constexpr std::uint64_t kRest = 25;  ///< times what a reading took: 4 % of one CPU

    std::uint64_t start_ns_;
    std::uint64_t due_ns_;
    std::uint64_t reach_due_ns_;
};

}  // namespace asrtrace
