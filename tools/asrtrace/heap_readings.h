// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The readings of the heap that belong to a recording: when they are taken, and where what they
// tell goes (figures into the trace, blocks that nothing points to into the ledger).
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>

#include "tools/asrtrace/heap_schedule.h"
#include "tools/asrtrace/heap_thread.h"
#include "user/ledger/leaking_size.h"
#include "user/ledger/ledger.h"
#include "user/trace/writer.h"

namespace asrtrace {

class HeapReadings {
  public:
    using Listener = std::function<void(const ledger::Reading&)>;
    using LeakListener = std::function<void(const ledger::SizeRange&)>;

    /// `listener` is told of each reading, too; `leak_listener` of each marking that shows a size
    /// of blocks to leak.
    HeapReadings(pid_t pid, std::uint64_t start_ns, ledger::Ledger& ledger, trace::Writer& writer,
                 Listener listener, LeakListener leak_listener)
        : ledger_(ledger),
          writer_(writer),
          listener_(std::move(listener)),
          leak_listener_(std::move(leak_listener)),
          thread_(pid, start_ns),
          schedule_(start_ns) {}

    /// Asks for a reading if it is time for one.
    void order_if_due(std::uint64_t now_ns);
    /// The next one is due at once.
    void order_soon() { schedule_.hurry(); }
    /// Takes in what has come.
    void take();
    /// The heap as the window leaves it; `wait` drains the ring meanwhile and is false when the
    /// target is gone.
    void take_last(const std::function<bool()>& wait);

    /// Why the reading thread is not confined; empty if it is.
    const std::string& problem() const { return thread_.problem(); }

    std::uint64_t rejected() const { return rejected_; }
    /// Why there is no reading at all; empty if there is one.
    std::string failure() const;
    /// Why there are readings, but none of what nothing points to; empty if there is one.
    std::string reach_failure() const;

  private:
    void order(std::uint64_t now_ns, bool reach);
    /// Nothing is under way: neither in the thread nor here.
    bool idle() const { return thread_.idle() && !booking_; }
    void add(HeapOutcome& outcome);
    void book(std::size_t most);

    /// A marking that the ledger is told of in parts, and what the trace will hold of it.
    struct Booking {
        ledger::ReachReading reach;
        ledger::Marking marking;
    };

    ledger::Ledger& ledger_;
    trace::Writer& writer_;
    Listener listener_;
    LeakListener leak_listener_;
    ledger::LeakingSize leaking_;
    HeapThread thread_;
    HeapSchedule schedule_;
    std::optional<Booking> booking_;
    std::uint64_t rejected_ = 0;
    std::string last_failure_;  ///< why the last reading failed; empty if it did not
    std::string last_reach_failure_;
    bool was_read_ = false;
    bool was_marked_ = false;
};

}  // namespace asrtrace
