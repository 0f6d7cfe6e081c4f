// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "server/plant_functions.h"

#include <malloc.h>

#include <cstdlib>
#include <cstring>
#include <new>

namespace asr {
namespace {

constexpr int kFill = 0x5a;
constexpr std::size_t kSizeFieldBytes = 8;

// Makes the compiler believe that the block is used: a malloc whose result goes nowhere may be
// removed.
void keep(void* block) {
    asm volatile("" : : "r"(block) : "memory");
}

std::size_t chunk_bytes(void* block) {
    return malloc_usable_size(block) + kSizeFieldBytes;
}

}  // namespace

[[gnu::noinline]] void plant_leak_request(std::size_t bytes, Holdings& holdings) {
    void* block = std::malloc(bytes);
    if (block == nullptr) throw std::bad_alloc();
    std::memset(block, kFill, bytes);
    keep(block);
    holdings.bytes += bytes;
    holdings.blocks += 1;
    holdings.chunk_bytes += chunk_bytes(block);
}

[[gnu::noinline]] void plant_cache_request(std::size_t bytes, std::size_t entries,
                                           BlockCache& cache, Holdings& holdings) {
    void* block = std::malloc(bytes);
    if (block == nullptr) throw std::bad_alloc();
    std::memset(block, kFill, bytes);
    auto* entry = new (block) CacheEntry{nullptr};
    (cache.newest != nullptr ? cache.newest->newer : cache.oldest) = entry;
    cache.newest = entry;
    holdings.bytes += bytes;
    holdings.blocks += 1;
    holdings.chunk_bytes += chunk_bytes(block);
    if (entries == 0 || holdings.blocks <= entries) return;

    CacheEntry* evicted = cache.oldest;
    cache.oldest = evicted->newer;
    holdings.bytes -= bytes;
    holdings.blocks -= 1;
    holdings.chunk_bytes -= chunk_bytes(evicted);
    std::free(evicted);
}

}  // namespace asr
