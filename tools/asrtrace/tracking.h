// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The allocator plane of a recording under a budget: does what the governor orders.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "tools/asrtrace/governor.h"
#include "tools/asrtrace/overhead_meter.h"
#include "user/capture/programs.h"
#include "user/ledger/ledger.h"

namespace asrtrace {

class Tracking {
  public:
    /// The probes are in: the first window is open. `budget`: share of the target's own CPU.
    Tracking(double budget, const capture::AllocatorProbes& probes, capture::Programs& programs,
             ledger::Ledger& ledger, OverheadMeter& meter, std::uint64_t now_ns);

    /// Opens and closes windows; `drain` takes in what is in the ring. Call it ten times a second.
    /// True: a window has closed.
    bool advance(std::uint64_t now_ns, const std::function<void()>& drain);

    const char* mode_name() const { return governor_.mode_name(); }
    /// For the report: auto, or full if that was afforded all the time.
    const char* tier_name() const { return closed_ ? "auto" : "full"; }
    std::vector<std::string> take_news() { return governor_.take_news(); }

  private:
    Usage usage(std::uint64_t now_ns);
    void open();
    void close(const std::function<void()>& drain);

    const capture::AllocatorProbes probes_;
    capture::Programs& programs_;
    ledger::Ledger& ledger_;
    OverheadMeter& meter_;
    Governor governor_;
    bool closed_ = false;  ///< at least once
};

}  // namespace asrtrace
