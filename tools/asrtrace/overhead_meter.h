// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// What tracing costs while it goes on: the programs' time, the target's and our own CPU, our
// memory.
#pragma once

#include <cstdint>
#include <optional>
#include <set>

#include "tools/asrtrace/process_family.h"
#include "user/capture/process.h"
#include "user/capture/programs.h"
#include "user/capture/run_statistics.h"
#include "user/ledger/recording.h"

namespace asrtrace {

class OverheadMeter {
  public:
    /// `family`: the target's CPU time is that of the children that are followed, too; null: they
    /// are not. A server whose parent only replaces its workers uses next to nothing itself.
    OverheadMeter(const capture::Process& process, const ProcessFamily* family,
                  std::uint64_t start_ns);

    /// Switches the kernel's statistics as the time demands; call it often.
    void advance(std::uint64_t now_ns) { statistics_.advance(now_ns); }
    void stop(std::uint64_t now_ns) { statistics_.stop(now_ns); }
    /// Why the thread that switches them is not confined; empty if it is.
    const std::string& problem() const { return statistics_.problem(); }
    /// Probes have been attached: time their programs at once.
    void hurry() { statistics_.hurry(); }
    /// CPU seconds that the probes have taken of the target, traps and programs.
    double probe_seconds(const capture::Counters& counters,
                         const capture::ProgramStatistics& statistics) const;
    /// CPU seconds that the target, or the family, has used since the start.
    double target_seconds(std::uint64_t now_ns, const capture::Counters& counters);
    /// What a hit costs here; without it the traps are not estimated.
    void set_trap_cost(const capture::TrapCost& cost, const capture::AllocatorProbes& probes);
    /// Fills in what was used since the start.
    void measure(std::uint64_t now_ns, const capture::Counters& counters,
                 const capture::ProgramStatistics& statistics, ledger::Overhead& overhead);

  private:
    double trap_seconds(const capture::Counters& counters) const;
    double probe_program_seconds(const capture::Counters& counters,
                                 const capture::ProgramStatistics& statistics) const;
    double program_seconds(std::uint64_t now_ns, const capture::Counters& counters,
                           const capture::ProgramStatistics& statistics) const;

    double cpu_seconds(const capture::Counters& counters) const;

    const capture::Process& process_;
    const ProcessFamily* family_;
    std::uint64_t start_ns_;
    capture::RunStatistics statistics_;
    std::optional<capture::TrapCost> trap_cost_;
    std::set<std::uint32_t> stepped_;  ///< functions whose probe is not on an emulated instruction
    double target_cpu_begin_;
    double target_cpu_ = 0;
    std::uint64_t looked_ns_ = 0;  ///< when that was read
    double tracer_cpu_begin_;
};

}  // namespace asrtrace
