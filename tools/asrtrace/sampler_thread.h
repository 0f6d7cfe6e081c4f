// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// procfs samples of the target, or of it and its children together, at a fixed cadence.
#pragma once

#include <chrono>
#include <vector>

#include "user/base/confined_thread.h"
#include "user/base/mailbox.h"
#include "user/capture/process_tree.h"
#include "user/ledger/recording.h"

namespace asrtrace {

class SamplerThread {
  public:
    /// Takes the first sample at once; times count from `start_ns` (CLOCK_MONOTONIC).
    SamplerThread(std::vector<capture::ProcessName> processes, std::uint64_t start_ns);
    ~SamplerThread();

    /// Why the thread is not confined; empty if it is.
    const std::string& problem() const { return thread_.problem(); }

    /// Whose samples are taken from now on.
    void watch(std::vector<capture::ProcessName> processes) { in_.post(std::move(processes)); }
    std::vector<ledger::ProcSample> take() { return out_.take(); }
    /// Takes a last sample, if anybody is there, and ends.
    std::vector<ledger::ProcSample> finish();

  private:
    void sample(bool with_pss);
    void run();

    std::vector<capture::ProcessName> processes_;
    std::uint64_t start_ns_;
    std::uint64_t pss_kb_ = 0;       ///< of the last sample that looked
    std::uint64_t next_pss_ns_ = 0;  ///< CLOCK_MONOTONIC
    Mailbox<int> stop_;
    Mailbox<std::vector<capture::ProcessName>> in_;
    Mailbox<ledger::ProcSample> out_;
    ConfinedThread thread_;
};

}  // namespace asrtrace
