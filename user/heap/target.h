// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Is there a process that a census can be taken of?
#pragma once

#include <sys/types.h>

#include "user/base/result.h"

namespace asrtrace::heap {

/// Error: no such process, a zombie, a kernel thread, 32-bit, or not ours to read; says which and
/// what to do.
Status check_target(pid_t pid);

/// MemAvailable of /proc/meminfo in bytes; 1 GiB if it cannot be read.
std::uint64_t memory_available();

/// VmRSS of a process; 0 if it is gone.
std::uint64_t rss_bytes(pid_t pid);

}  // namespace asrtrace::heap
