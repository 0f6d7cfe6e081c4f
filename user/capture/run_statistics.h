// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The kernel's run-time statistics of BPF programs cost every run two clock reads, so they are on
// for an eighth of the time at first, later for less than a fiftieth; what they tell is scaled up.
// Switching takes CAP_SYS_ADMIN, which a thread of its own keeps, and which can do nothing else
// with it.
#pragma once

#include <cstdint>

#include "user/base/confined_thread.h"
#include "user/base/fd.h"
#include "user/base/mailbox.h"

namespace asrtrace::capture {

class RunStatistics {
  public:
    RunStatistics();
    ~RunStatistics();
    RunStatistics(const RunStatistics&) = delete;
    RunStatistics& operator=(const RunStatistics&) = delete;

    /// Switches as the time demands; call it often.
    void advance(std::uint64_t now_ns);
    /// They are off no longer than until the next advance(): what is to be timed begins now.
    void hurry() { next_ns_ = fd_.valid() ? next_ns_ : 0; }
    void stop(std::uint64_t now_ns);
    /// Seconds for which they were on.
    double enabled_seconds() const { return static_cast<double>(enabled_ns_) * 1e-9; }
    /// Why the thread is not confined; empty if it is.
    const std::string& problem() const { return thread_.problem(); }

  private:
    struct SwitchOn {};

    void run();

    UniqueFd fd_;
    std::uint64_t begin_ns_ = 0;
    std::uint64_t next_ns_ = 0;
    std::uint64_t off_ns_ = 1'750'000'000;  ///< from one time on to the next; grows
    std::uint64_t enabled_ns_ = 0;
    bool available_ = true;
    Mailbox<SwitchOn> orders_;
    Mailbox<int> answers_;  ///< file descriptors
    ConfinedThread thread_;
};

}  // namespace asrtrace::capture
