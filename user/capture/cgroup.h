// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// What the control group of a process says about memory: version 2 (Documentation/admin-guide/
// cgroup-v2.rst, "Memory Interface Files") or 1 (cgroup-v1/memory.rst), mounted in the usual
// places.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>

namespace asrtrace::capture {

/// Each is nothing where the group's version has no such file, or it cannot be read.
struct CgroupMemory {
    std::optional<std::uint64_t> current_bytes;  ///< in use, page cache included
    std::optional<std::uint64_t> max_bytes;      ///< nothing: no limit, too
    std::optional<std::uint64_t> oom_kills;      ///< of its processes, since it was made
    /// Time in which some of its tasks waited for memory, since it was made (PSI).
    std::optional<std::uint64_t> stalled_us;
};

/// Of the group that `pid` is in. All nothing: the process has gone, or its group is not in sight.
CgroupMemory read_cgroup_memory(pid_t pid);

}  // namespace asrtrace::capture
