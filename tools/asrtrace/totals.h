// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// What the kernel side counted, in the words of the recording.
#pragma once

#include <string>
#include <vector>

#include "user/capture/programs.h"
#include "user/ledger/recording.h"

namespace asrtrace {

/// Calls, faults and their pages.
ledger::Counts counts_of(const capture::Counters& counters);

/// Events of whatever kind that found the ring full.
std::uint64_t ring_losses(const capture::Counters& counters);

/// The part of the losses that the kernel side knows.
void add_losses(const capture::Counters& counters, const capture::ProgramStatistics& statistics,
                ledger::Losses& losses);

/// The part of what the sockets showed that the kernel side knows.
ledger::HttpSeen http_seen(const capture::Counters& counters);

/// What --request http cannot see in this target and which sources can; empty: nothing known.
std::vector<std::string> http_warnings(const ledger::HttpSeen& seen);

}  // namespace asrtrace
