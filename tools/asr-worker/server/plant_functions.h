// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
//
// The functions that a profiler should name, one a kind of plant. They are never inlined, live in
// a file of their own so that no compiler clones or renames them, and call malloc from their midst
// (no tail call would leave them out of the stack). The leak of a stripped library is called
// through plant_library/asr_plant.h.
#pragma once

#include <cstddef>
#include <vector>

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

/// An entry for one length of input; it begins the block, too.
struct KeyedEntry {
    KeyedEntry* older;
    std::size_t length;
};

constexpr std::size_t kPinBytes = 48;
constexpr std::size_t kPinsPerRequest = 17;
constexpr std::size_t kMostSpans = 512;  ///< of a request, until so many have a neighbour
constexpr std::size_t kLeastSpanBytes = 64 << 10;
constexpr std::size_t kMostSpanBytes = 126 << 10;  ///< malloc maps what is larger than 128 KiB
constexpr std::size_t kSpanStepBytes = 16;         ///< chunk sizes are multiples of it

/// Small blocks (pins), always as many. Requests move them one after the other to a new place: the
/// head of a large block, the rest of which is given back. What is given back lies between two pins
/// and is too small, by a few bytes, for the blocks of later requests.
struct Scatter {
    std::vector<void*> pins;
    std::size_t moved = 0;                     ///< so many of the pins
    std::size_t most_bytes = 0;                ///< to be held; then no pin moves any more
    std::size_t span_bytes = kLeastSpanBytes;  ///< of the next large blocks
    std::size_t requests = 0;                  ///< that moved pins
};

/// malloc(bytes), touches all of it, drops the pointer. Throws std::bad_alloc.
void plant_leak_request(std::size_t bytes, Holdings& holdings);

/// malloc(bytes), touches all of it, appends it to the cache; frees the oldest entry if there are
/// more than `entries` (0: no limit). bytes >= sizeof(CacheEntry). Throws std::bad_alloc.
void plant_cache_request(std::size_t bytes, std::size_t entries, BlockCache& cache,
                         Holdings& holdings);

/// Unless an input of this length came before: malloc(bytes), touches all of it, keeps it for ever.
/// bytes >= sizeof(KeyedEntry). Throws std::bad_alloc.
void plant_keyed_request(std::size_t bytes, std::size_t length, KeyedEntry*& newest,
                         Holdings& holdings);

/// Allocates large blocks until kPinsPerRequest of them have the next one right above. Until
/// enough is held pins move to those; the other blocks are freed. `holdings`: bytes given back
/// and held between two pins, the pins, their chunks. Throws std::bad_alloc.
void plant_retention_request(Scatter& scatter, Holdings& holdings);

/// So many pins, side by side, as `held_bytes` need at their new places. Throws std::bad_alloc.
Scatter make_scatter(std::size_t held_bytes, Holdings& holdings);

}  // namespace asr
