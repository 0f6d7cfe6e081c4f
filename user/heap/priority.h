// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// A higher priority for the calling thread while a heap is read. A reading that is scheduled away
// half-way sees a heap of two moments; and the pause of a stopped target must not last longer
// because others want the CPU, which only a real-time class prevents (nice ranks inside a session
// only where the kernel groups tasks by session).
//
// While the target runs only short readings may have it: a reader that outranks the target takes
// its CPU where others want it, too (measured with both in one session on a busy machine: one
// twentieth of its time was left to the target).
#pragma once

#include <sched.h>
#include <sys/resource.h>

namespace asrtrace::heap {

class PriorityBoost {
  public:
    explicit PriorityBoost(bool real_time) : old_nice_(::getpriority(PRIO_PROCESS, 0)) {
        raised_ = old_nice_ > kNice && ::setpriority(PRIO_PROCESS, 0, kNice) == 0;
        old_policy_ = ::sched_getscheduler(0);
        if (!real_time || old_policy_ != SCHED_OTHER) return;
        sched_param lowest{};
        lowest.sched_priority = 1;
        real_time_ = ::sched_setscheduler(0, SCHED_RR | SCHED_RESET_ON_FORK, &lowest) == 0;
    }
    ~PriorityBoost() {
        const sched_param none{};
        if (real_time_) ::sched_setscheduler(0, old_policy_, &none);
        if (raised_) ::setpriority(PRIO_PROCESS, 0, old_nice_);
    }
    PriorityBoost(const PriorityBoost&) = delete;
    PriorityBoost& operator=(const PriorityBoost&) = delete;

  private:
    static constexpr int kNice = -15;
    int old_nice_;
    int old_policy_ = SCHED_OTHER;
    bool raised_ = false;
    bool real_time_ = false;
};

}  // namespace asrtrace::heap
