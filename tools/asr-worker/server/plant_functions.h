// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
//
// The functions that a profiler should name, one a kind of plant. They are never inlined, live in
// a file of their own so that no compiler clones or renames them, and call malloc from their midst
// (no tail call would leave them out of the stack).
#pragma once

#include <cstddef>

namespace asr {

/// What a plant holds now, as a tracer should find it.
struct Holdings {
    std::size_t bytes = 0;  ///< as asked of malloc
    std::size_t blocks = 0;
    std::size_t chunk_bytes = 0;  ///< as malloc handed out: usable size + its 8-byte size field
};

/// A cache entry; it begins the block, so that the cache asks malloc for nothing else.
struct CacheEntry {
    CacheEntry* newer;
};

/// Blocks from the oldest to the newest.
struct BlockCache {
    CacheEntry* oldest = nullptr;
    CacheEntry* newest = nullptr;
};

/// malloc(bytes), touches all of it, drops the pointer. Throws std::bad_alloc.
void plant_leak_request(std::size_t bytes, Holdings& holdings);

/// malloc(bytes), touches all of it, appends it to the cache; frees the oldest entry if there are
/// more than `entries` (0: no limit). bytes >= sizeof(CacheEntry). Throws std::bad_alloc.
void plant_cache_request(std::size_t bytes, std::size_t entries, BlockCache& cache,
                         Holdings& holdings);

}  // namespace asr
