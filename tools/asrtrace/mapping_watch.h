// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// How the target's mappings are followed: by probes behind its own system calls where that sees all
// of them, else by tracepoints, which slow down every system call of the machine.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tools/asrtrace/mapping_balance.h"
#include "user/base/maps.h"
#include "user/capture/call_sites.h"
#include "user/capture/programs.h"
#include "user/ledger/ledger.h"

namespace asrtrace {

class MappingWatch {
  public:
    /// `calls`: where probes may stand; with a doubt, tracepoints have to do.
    MappingWatch(pid_t pid, const capture::CallSites& calls)
        : pid_(pid), sites_(calls.sites), why_calls_(calls.doubt) {}

    void attach(capture::Programs& programs, std::vector<std::string>& failed);
    /// The address space from which on mappings are followed.
    void begin(const std::vector<MapsEntry>& maps);
    /// Compares with what the kernel says. To be called about every second, when what is in the
    /// ring has been applied to `ledger`.
    void check(const ledger::Ledger& ledger);

    std::uint64_t unseen_bytes() const { return balance_.unseen_bytes(); }
    /// For people; empty if there is nothing to say.
    std::string note() const;
    std::string unseen_note() const;

  private:
    bool probed() const { return why_calls_.empty(); }

    pid_t pid_;
    std::vector<capture::CallSite> sites_;
    std::string why_calls_;
    std::uint64_t uncounted_bytes_ = 0;  ///< in maps, but not what the kernel counts as mapped
    MappingBalance balance_;
};

}  // namespace asrtrace
