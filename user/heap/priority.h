// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// A higher priority for the calling thread while a heap is read. A reading that is scheduled away
// half-way sees a heap of two moments, and a pause must not last longer because others want the
// CPU.
#pragma once

#include <sys/resource.h>

namespace asrtrace::heap {

class PriorityBoost {
  public:
    PriorityBoost() : old_(::getpriority(PRIO_PROCESS, 0)) {
        raised_ = old_ > kPriority && ::setpriority(PRIO_PROCESS, 0, kPriority) == 0;
    }
    ~PriorityBoost() {
        if (raised_) ::setpriority(PRIO_PROCESS, 0, old_);
    }
    PriorityBoost(const PriorityBoost&) = delete;
    PriorityBoost& operator=(const PriorityBoost&) = delete;

  private:
    static constexpr int kPriority = -15;
    int old_;
    bool raised_ = false;
};

}  // namespace asrtrace::heap
