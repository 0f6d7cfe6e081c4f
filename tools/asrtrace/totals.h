// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// What the kernel side counted, in the words of the recording.
#pragma once

#include "user/capture/programs.h"
#include "user/ledger/recording.h"

namespace asrtrace {

/// Calls, faults and their pages.
ledger::Counts counts_of(const capture::Counters& counters);

/// The part of the losses that the kernel side knows.
void add_losses(const capture::Counters& counters, const capture::ProgramStatistics& statistics,
                ledger::Losses& losses);

}  // namespace asrtrace
