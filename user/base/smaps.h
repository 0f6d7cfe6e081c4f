// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// /proc/PID/smaps: what of each mapping is memory (Documentation/filesystems/proc.rst, 3.1).
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string_view>
#include <vector>

#include "user/base/maps.h"

namespace asrtrace {

struct SmapsEntry {
    MapsEntry mapping;
    std::uint64_t anonymous = 0;  ///< resident bytes that belong to no file; no zero page
};

/// All mappings in the order of the addresses; lines that are no part of one are left out.
std::vector<SmapsEntry> parse_smaps(std::string_view text);

/// Reads /proc/PID/smaps; walks the process's page tables. Error: it is gone or may not be read.
Result<std::vector<SmapsEntry>> read_smaps(pid_t pid);

}  // namespace asrtrace
