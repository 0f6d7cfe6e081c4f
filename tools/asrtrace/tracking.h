// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The allocator plane of a recording under a budget: does what the governor orders.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "tools/asrtrace/governor.h"
#include "tools/asrtrace/overhead_meter.h"
#include "user/base/result.h"
#include "user/capture/programs.h"
#include "user/ledger/ledger.h"

namespace asrtrace {

class Tracking {
  public:
    /// `attached`: are the probes in? The first window is open then. `budget`: share of the
    /// target's own CPU.
    Tracking(double budget, const capture::AllocatorProbes& probes, const Status& attached,
             capture::Programs& programs, ledger::Ledger& ledger, OverheadMeter& meter,
             std::uint64_t now_ns);

    /// Opens and closes windows; `drain` takes in what is in the ring. Call it ten times a second.
    /// True: a window has closed.
    bool advance(std::uint64_t now_ns, const std::function<void()>& drain);

    const char* mode_name() const { return governor_.mode_name(); }
    /// For the report: auto, or full if that was afforded all the time.
    const char* tier_name() const { return closed_ ? "auto" : "full"; }
    std::vector<std::string> take_news() { return governor_.take_news(); }
    /// Appends why windows could not be opened, each reason once, and how many.
    void add_failures(std::vector<std::string>& failed) const;

  private:
    Usage usage(std::uint64_t now_ns);
    void open();
    void begin(const Status& attached, std::uint64_t now_ns);
    void close(const std::function<void()>& drain);

    const capture::AllocatorProbes probes_;
    capture::Programs& programs_;
    ledger::Ledger& ledger_;
    OverheadMeter& meter_;
    Governor governor_;
    bool closed_ = false;                            ///< at least once
    std::map<std::string, std::uint64_t> unopened_;  ///< windows, by what was in their way
};

}  // namespace asrtrace
