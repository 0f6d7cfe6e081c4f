// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// CPU time that one file, or a target's files together, may cost. Formats with references let a
// small file ask for endless work; a file that is honest never comes near.
#pragma once

#include <cstdint>
#include <ctime>

namespace asrtrace {

class WorkBudget {
  public:
    explicit WorkBudget(double seconds) : left_ns_(static_cast<std::int64_t>(seconds * 1e9)) {}

    /// Starts the clock of a piece of work.
    void resume() { started_ns_ = now_ns(); }
    /// Stops it.
    void pause() {
        if (!spent_) left_ns_ -= now_ns() - started_ns_;
        if (left_ns_ <= 0) spent_ = true;
    }
    /// True while there is time; cheap enough to ask in every step.
    bool step() {
        if (spent_) return false;
        if ((++steps_ & 255U) != 0) return true;
        if (now_ns() - started_ns_ > left_ns_) spent_ = true;
        return !spent_;
    }
    /// Ends it before its time.
    void spend() { spent_ = true; }
    bool spent() const { return spent_; }

  private:
    static std::int64_t now_ns() {
        timespec time{};
        ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
        return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
    }
    std::int64_t left_ns_;
    std::int64_t started_ns_ = 0;
    std::uint32_t steps_ = 0;
    bool spent_ = false;
};

}  // namespace asrtrace
