// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// One procfs sample of the target and the machine.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>

#include "user/ledger/recording.h"

namespace asrtrace::capture {

/// Reads status, smaps_rollup (if `with_pss`: it walks the page tables), meminfo and what the
/// control group says. t_ns is left 0. Nothing if the target has gone.
std::optional<ledger::ProcSample> sample_process(pid_t pid, bool with_pss);

/// What is mapped, stacks that grow by themselves left out; 0 if the process has gone.
std::uint64_t mapped_bytes(pid_t pid);

/// Where the heap of brk begins (proc(5), stat, 47); 0 if that may not be seen.
std::uint64_t first_break(pid_t pid);

/// By smaps_rollup; 0 if the process has gone or may not be looked at.
std::uint64_t pss_kb(pid_t pid);

}  // namespace asrtrace::capture
