// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Pointers that the kernel keeps for a program: the data of its epoll entries. A server may hold a
// connection's memory by nothing else. Shown in /proc/PID/fdinfo/FD, "tfd: ... data: HEX"
// (fs/eventpoll.c, ep_show_fdinfo).
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <vector>

namespace asrtrace::heap {

/// File descriptors of `pid` that are epoll's and have entries. None if the process is gone.
std::vector<int> epoll_files_of(pid_t pid);

/// The data of all entries of `files`.
std::vector<std::uint64_t> read_epoll_data(pid_t pid, const std::vector<int>& files);

}  // namespace asrtrace::heap
