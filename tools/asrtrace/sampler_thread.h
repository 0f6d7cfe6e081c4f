// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// procfs samples of the target at a fixed cadence.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <vector>

#include "user/base/confined_thread.h"
#include "user/base/mailbox.h"
#include "user/ledger/recording.h"

namespace asrtrace {

class SamplerThread {
  public:
    /// Takes the first sample at once; times count from `start_ns` (CLOCK_MONOTONIC).
    /// `family`: of the target and its descendants together.
    SamplerThread(pid_t pid, std::uint64_t start_ns, bool family);
    ~SamplerThread();

    /// Why the thread is not confined; empty if it is.
    const std::string& problem() const { return thread_.problem(); }

    std::vector<ledger::ProcSample> take() { return out_.take(); }
    /// Takes a last sample, if the target is there, and ends.
    std::vector<ledger::ProcSample> finish();

  private:
    void sample(bool with_pss);
    void run();

    pid_t pid_;
    std::uint64_t start_ns_;
    bool family_;
    std::uint64_t pss_kb_ = 0;       ///< of the last sample that looked
    std::uint64_t next_pss_ns_ = 0;  ///< CLOCK_MONOTONIC
    Mailbox<int> stop_;
    Mailbox<ledger::ProcSample> out_;
    ConfinedThread thread_;
};

}  // namespace asrtrace
