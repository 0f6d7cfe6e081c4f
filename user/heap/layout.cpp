// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/heap/layout.h"

#include <array>
#include <tuple>

#include "user/base/architecture.h"

namespace asrtrace::heap {
namespace {

// Read from malloc/malloc.c and malloc/arena.c of each version; 2.36 checked against its DWARF.
constexpr std::array<Layout, 6> kLayouts{{
    {.name = "glibc 2.31",
     .has_fastbins = true,
     .top = 96,
     .bins = 112,
     .heap_info_size = 0x20,
     .thp_pagesize = 0,
     .hp_pagesize = 0,
     .n_mmaps = 40,
     .mmapped_mem = 56,
     .sbrk_base = 72,
     .par_size = 112,
     .tcache_bins = 64,
     .tcache_counts_down = false,
     .protected_links = false},
    {.name = "glibc 2.32 to 2.34",
     .has_fastbins = true,
     .top = 96,
     .bins = 112,
     .heap_info_size = 0x20,
     .thp_pagesize = 0,
     .hp_pagesize = 0,
     .n_mmaps = 40,
     .mmapped_mem = 56,
     .sbrk_base = 72,
     .par_size = 112,
     .tcache_bins = 64,
     .tcache_counts_down = false,
     .protected_links = true},
    {.name = "glibc 2.35 to 2.41",
     .has_fastbins = true,
     .top = 96,
     .bins = 112,
     .heap_info_size = 0x30,
     .thp_pagesize = 40,
     .hp_pagesize = 48,
     .n_mmaps = 60,
     .mmapped_mem = 80,
     .sbrk_base = 96,
     .par_size = 136,
     .tcache_bins = 64,
     .tcache_counts_down = false,
     .protected_links = true},
    {.name = "glibc 2.42",
     .has_fastbins = true,
     .top = 96,
     .bins = 112,
     .heap_info_size = 0x30,
     .thp_pagesize = 40,
     .hp_pagesize = 48,
     .n_mmaps = 60,
     .mmapped_mem = 80,
     .sbrk_base = 96,
     .par_size = 128,
     .tcache_bins = 76,
     .tcache_counts_down = true,
     .protected_links = true},
    {.name = "glibc 2.43",
     .has_fastbins = false,
     .top = 8,
     .bins = 24,
     .heap_info_size = 0x30,
     .thp_pagesize = 40,
     .hp_pagesize = 48,
     .n_mmaps = 60,
     .mmapped_mem = 80,
     .sbrk_base = 96,
     .par_size = 128,
     .tcache_bins = 76,
     .tcache_counts_down = true,
     .protected_links = true},
    // malloc_par gained thp_mode in front of thp_pagesize.
    {.name = "glibc after 2.43",
     .has_fastbins = false,
     .top = 8,
     .bins = 24,
     .heap_info_size = 0x30,
     .thp_pagesize = 48,
     .hp_pagesize = 56,
     .n_mmaps = 68,
     .mmapped_mem = 88,
     .sbrk_base = 104,
     .par_size = 136,
     .tcache_bins = 76,
     .tcache_counts_down = true,
     .protected_links = true},
}};

static_assert(kLayouts[2].state_size() == 2200 && kLayouts[4].state_size() == 2112);
static_assert(kLayouts[2].tcache_chunk() == 0x290 && kLayouts[3].tcache_chunk() == 0x300);

}  // namespace

bool same_places(const Layout& one, const Layout& other) {
    const auto places = [](const Layout& of) {
        return std::tuple(of.has_fastbins, of.top, of.bins, of.heap_info_size, of.thp_pagesize,
                          of.hp_pagesize, of.n_mmaps, of.mmapped_mem, of.sbrk_base, of.par_size,
                          of.tcache_bins, of.tcache_counts_down);
    };
    return places(one) == places(other);
}

std::span<const Layout> layouts() {
    return kLayouts;
}

std::uint32_t bin_index(std::uint64_t chunk_bytes) {
    struct Step {
        unsigned shift;
        std::uint64_t limit;
        std::uint32_t base;
    };
    constexpr std::array<Step, 5> kSteps{
        {{6, 48, 48}, {9, 20, 91}, {12, 10, 110}, {15, 4, 119}, {18, 2, 124}}};
    if (chunk_bytes < 1024) return static_cast<std::uint32_t>(chunk_bytes >> 4);
    for (const Step& step : kSteps) {
        if (chunk_bytes >> step.shift <= step.limit) {
            return step.base + static_cast<std::uint32_t>(chunk_bytes >> step.shift);
        }
    }
    return 126;
}

bool decode_mapped(std::uint64_t chunk, std::uint64_t prev_size, std::uint64_t size,
                   std::uint64_t page_size, MappedHeader& out) {
    if ((size & kSizeBits) != kIsMmapped) return false;
    const std::uint64_t offset = prev_size & ~1ULL;
    const std::uint64_t bytes = size & ~kSizeBits;
    const std::uint64_t mask = page_size - 1;
    if (offset > chunk || bytes < kMinChunk || bytes > kAddressEnd || offset > kAddressEnd)
        return false;
    if (((chunk - offset) & mask) != 0) return false;
    std::uint64_t total = offset + bytes;
    if ((total & mask) == page_size - kChunkHeader) {
        total += kChunkHeader;
    } else if ((total & mask) != 0 || (prev_size & 1) != 0) {
        return false;
    }
    out = {chunk, chunk - offset, total};
    return true;
}

}  // namespace asrtrace::heap
