// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "server/plant_functions.h"

#include <malloc.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <new>

namespace asr {
namespace {

constexpr int kFill = 0x5a;
constexpr std::size_t kSizeFieldBytes = 8;

std::size_t chunk_bytes(void* block) {
    return malloc_usable_size(block) + kSizeFieldBytes;
}

// Touches all of what malloc returned. The malloc itself stands in the plants' functions: it is
// they that a profiler should name. Throws std::bad_alloc.
void* touched(void* block, std::size_t bytes) {
    if (block == nullptr) throw std::bad_alloc();
    std::memset(block, kFill, bytes);
    // A malloc whose result goes nowhere may be removed by the compiler.
    asm volatile("" : : "r"(block) : "memory");
    return block;
}

std::size_t next_span(std::size_t span_bytes) {
    return std::min(span_bytes + kSpanStepBytes, kMostSpanBytes);
}

// Where a block would be that lies right above.
void* above(void* block) {
    return static_cast<std::byte*>(block) + chunk_bytes(block);
}

// Puts the next pin at the head of a large block and gives back the rest: realloc shrinks in place.
// Returns the bytes given back.
std::size_t move_pin(void* block, Scatter& scatter, Holdings& holdings) {
    const std::size_t whole = chunk_bytes(block);
    void*& pin = scatter.pins[scatter.moved++];
    holdings.chunk_bytes -= chunk_bytes(pin);
    std::free(pin);
    pin = std::realloc(block, kPinBytes);
    holdings.chunk_bytes += chunk_bytes(pin);
    return whole - chunk_bytes(pin);
}

}  // namespace

[[gnu::noinline]] void plant_leak_request(std::size_t bytes, Holdings& holdings) {
    void* block = touched(std::malloc(bytes), bytes);
    holdings.bytes += bytes;
    holdings.blocks += 1;
    holdings.chunk_bytes += chunk_bytes(block);
}

[[gnu::noinline]] void plant_cache_request(std::size_t bytes, std::size_t entries,
                                           BlockCache& cache, Holdings& holdings) {
    auto* entry = new (touched(std::malloc(bytes), bytes)) CacheEntry{nullptr};
    (cache.newest != nullptr ? cache.newest->newer : cache.oldest) = entry;
    cache.newest = entry;
    holdings.bytes += bytes;
    holdings.blocks += 1;
    holdings.chunk_bytes += chunk_bytes(entry);
    if (entries == 0 || holdings.blocks <= entries) return;

    CacheEntry* evicted = cache.oldest;
    cache.oldest = evicted->newer;
    holdings.bytes -= bytes;
    holdings.blocks -= 1;
    holdings.chunk_bytes -= chunk_bytes(evicted);
    std::free(evicted);
}

[[gnu::noinline]] void plant_keyed_request(std::size_t bytes, std::size_t length,
                                           KeyedEntry*& newest, Holdings& holdings) {
    for (const KeyedEntry* entry = newest; entry != nullptr; entry = entry->older) {
        if (entry->length == length) return;
    }
    newest = new (touched(std::malloc(bytes), bytes)) KeyedEntry{newest, length};
    holdings.bytes += bytes;
    holdings.blocks += 1;
    holdings.chunk_bytes += chunk_bytes(newest);
}

[[gnu::noinline]] void plant_retention_request(Scatter& scatter, Holdings& holdings) {
    std::array<void*, kMostSpans> blocks;
    std::size_t count = 0;
    for (std::size_t neighbours = 0; count < blocks.size() && neighbours < kPinsPerRequest;) {
        blocks[count] = std::malloc(scatter.span_bytes);
        if (blocks[count] == nullptr) break;
        neighbours += count > 0 && above(blocks[count - 1]) == blocks[count] ? 1 : 0;
        ++count;
    }
    std::size_t rest_below = 0;  // given back right below this block; a pin here would hold it
    const std::size_t moved_before = scatter.moved;
    const bool wants_more = holdings.bytes < scatter.most_bytes &&
                            scatter.moved + kPinsPerRequest <= scatter.pins.size();
    for (std::size_t i = 0; i < count; ++i) {
        const bool has_neighbour = i + 1 < count && above(blocks[i]) == blocks[i + 1];
        if (has_neighbour && wants_more) {
            touched(blocks[i], scatter.span_bytes);
            holdings.bytes += rest_below;
            rest_below = move_pin(blocks[i], scatter, holdings);
        } else {
            std::free(blocks[i]);
            rest_below = 0;
        }
    }
    if (scatter.moved == moved_before) return;
    scatter.requests += 1;
    scatter.span_bytes = next_span(scatter.span_bytes);
}

Scatter make_scatter(std::size_t held_bytes, Holdings& holdings) {
    Scatter scatter;
    scatter.most_bytes = held_bytes;
    // What lies above the last pin of a row is held by none, and rows may be as short as two.
    const std::size_t requests = held_bytes / ((kPinsPerRequest - 1) * kLeastSpanBytes) + 1;
    scatter.pins.resize(2 * requests * kPinsPerRequest);
    for (void*& pin : scatter.pins) {
        pin = touched(std::malloc(kPinBytes), kPinBytes);
        holdings.blocks += 1;
        holdings.chunk_bytes += chunk_bytes(pin);
    }
    return scatter;
}

}  // namespace asr
