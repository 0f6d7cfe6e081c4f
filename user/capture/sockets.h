// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// What a process has open besides files, from its file descriptors in procfs.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <vector>

namespace asrtrace::capture {

/// TCP ports on which the process listens, in its network namespace, ascending; empty if there are
/// none or procfs does not tell.
std::vector<std::uint16_t> listening_ports(pid_t pid);

/// Does it have a ring of io_uring?
bool uses_io_uring(pid_t pid);

}  // namespace asrtrace::capture
