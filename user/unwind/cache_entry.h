// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The files of the cache's directory: written whole, the oldest removed.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "user/base/result.h"

namespace asrtrace::unwind {

struct CacheEntry {
    std::string name;  ///< within the directory
    std::vector<std::uint8_t> bytes;
};

/// Replaces the entry of that name in one step. Error: no room, no permission.
Status write_entry(int directory, const CacheEntry& entry);

/// Removes the oldest entries until at most `limit_bytes` remain.
void prune_entries(int directory, std::uint64_t limit_bytes);

}  // namespace asrtrace::unwind
