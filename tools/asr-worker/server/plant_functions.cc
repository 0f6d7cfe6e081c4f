// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "server/plant_functions.h"

#include <malloc.h>

#include <algorithm>
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

// Gives back all of the last large block but the pin at its head: realloc shrinks in place.
void cut(Scatter& scatter, Holdings& holdings) {
    void*& pin = scatter.pins[scatter.moved - 1];
    const std::size_t whole = chunk_bytes(pin);
    pin = std::realloc(pin, kPinBytes);
    const std::size_t given_back = whole - chunk_bytes(pin);
    holdings.bytes += given_back;
    holdings.chunk_bytes -= given_back;
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
    if (scatter.moved == scatter.pins.size()) {
        void* blocks[kMovesPerRequest];
        for (void*& block : blocks) block = touched(std::malloc(kLeastSpanBytes), kLeastSpanBytes);
        for (void* block : blocks) std::free(block);
        return;
    }
    for (std::size_t i = 0; i < kMovesPerRequest && scatter.moved < scatter.pins.size(); ++i) {
        void* block = touched(std::malloc(scatter.span_bytes), scatter.span_bytes);
        // Now that a block lies above the last one, its rest cannot melt into the top chunk.
        if (scatter.moved > 0) cut(scatter, holdings);
        void*& pin = scatter.pins[scatter.moved++];
        holdings.chunk_bytes += chunk_bytes(block) - chunk_bytes(pin);
        std::free(pin);
        pin = block;
    }
    scatter.requests += 1;
    scatter.span_bytes = next_span(scatter.span_bytes);
}

Scatter make_scatter(std::size_t held_bytes, Holdings& holdings) {
    Scatter scatter;
    const auto add_pin = [&] {
        scatter.pins.push_back(touched(std::malloc(kPinBytes), kPinBytes));
        holdings.blocks += 1;
        holdings.chunk_bytes += chunk_bytes(scatter.pins.back());
    };
    add_pin();  // the last one's block stays whole, so it holds nothing
    std::size_t span = kLeastSpanBytes;
    for (std::size_t held = 0; held < held_bytes; held += span - kPinBytes) {
        add_pin();
        if (scatter.pins.size() % kMovesPerRequest == 0) span = next_span(span);
    }
    return scatter;
}

}  // namespace asr
