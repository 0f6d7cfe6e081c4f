// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Readings of the target's heap and of the books while it runs, in a thread of its own: orders go
// in, readings come out. One order is under way at a time.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "user/base/confined_thread.h"
#include "user/base/mailbox.h"
#include "user/heap/heap_reader.h"
#include "user/ledger/ledger.h"
#include "user/ledger/recording.h"

namespace asrtrace {

/// What the ledger knew when the reading was asked for.
struct HeapOrder {
    bool reach = false;  ///< also look for blocks that nothing points to
    std::uint64_t requests = 0;
    std::uint32_t in_flight = 0;
    std::uint64_t serial = 0;
    std::vector<heap::AskedSize> asked{};  ///< of blocks that outlived their request, in no order
};

struct HeapOutcome {
    HeapOrder order;
    std::optional<ledger::Reading> reading;
    std::vector<ledger::Arena> arenas;  ///< pin_stack is not known here
    std::vector<ledger::ClassLevel> classes;
    std::optional<ledger::ReachReading> reach;
    ledger::Marking marking;           ///< with `reach`
    std::uint64_t reading_cpu_ns = 0;  ///< what the reading took of a CPU
    std::uint64_t reach_cpu_ns = 0;
    std::uint64_t rejected = 0;       ///< attempts, also those before a good one
    std::string failure;              ///< why there is no reading
    std::string reach_failure;        ///< why there is no `reach` although it was ordered
    bool target_was_quicker = false;  ///< the heap is there, but no attempt was sound
};

class HeapThread {
  public:
    /// Times count from `start_ns` (CLOCK_MONOTONIC).
    HeapThread(pid_t pid, std::uint64_t start_ns);
    ~HeapThread();

    /// Why the thread is not confined; empty if it is.
    const std::string& problem() const { return thread_.problem(); }

    bool idle() const { return open_orders_ == 0; }
    /// Precondition: idle.
    void order(HeapOrder order);
    std::vector<HeapOutcome> take();

  private:
    void run();
    HeapOutcome read(HeapOrder order);
    void fill(const heap::Census& census, HeapOutcome& outcome);

    pid_t pid_;
    std::uint64_t start_ns_;
    heap::HeapReader reader_;
    std::vector<std::uint64_t> lost_before_;  ///< at the last marking that was handed on; sorted
    std::size_t open_orders_ = 0;
    Mailbox<HeapOrder> in_;
    Mailbox<HeapOutcome> out_;
    ConfinedThread thread_;
};

}  // namespace asrtrace
