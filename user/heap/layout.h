// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Where glibc keeps what, by version (LP64). A layout is chosen by validation, never by a version
// string: distributions patch, and static executables carry none.
#pragma once

#include <cstdint>
#include <span>

namespace asrtrace::heap {

/// Facts that hold in every version: malloc/malloc.c (chunks, bins), malloc/arena.c (heaps).
constexpr std::uint64_t kMinChunk = 0x20;
constexpr std::uint64_t kChunkHeader = 16;  ///< CHUNK_HDR_SZ: prev_size and size
constexpr std::uint64_t kAlignment = 16;    ///< MALLOC_ALIGNMENT
constexpr std::uint64_t kPrevInUse = 1;
constexpr std::uint64_t kIsMmapped = 2;
constexpr std::uint64_t kNonMainArena = 4;
constexpr std::uint64_t kSizeBits = 7;
constexpr std::uint32_t kBins = 127;  ///< NBINS - 1; bin 0 does not exist, bin 127 is never used
constexpr std::uint32_t kFastbins = 10;
constexpr std::uint64_t kMaxFastChunk = 0xb0;  ///< fastbin_index of the last fastbin
constexpr std::uint64_t kHeapMax = 64ULL << 20;
constexpr std::uint32_t kNonContiguous = 2;  ///< NONCONTIGUOUS_BIT of malloc_state.flags
/// Distance of the fields behind the bins from the bins: the same with and without fastbins.
constexpr std::uint32_t kNextBehindBins = 2048;       ///< bins[254], binmap[4], next
constexpr std::uint32_t kSystemMemBehindBins = 2072;  ///< next, next_free, attached, system_mem
constexpr std::uint32_t kStateEndBehindBins = 2088;   ///< system_mem, max_system_mem

struct Layout {
    const char* name;
    // struct malloc_state: mutex, flags, [have_fastchunks, fastbinsY[10],] top, last_remainder,
    // bins
    bool has_fastbins;
    std::uint32_t top;
    std::uint32_t bins;
    // struct _heap_info
    std::uint32_t heap_info_size;
    // struct malloc_par, all offsets in bytes; 0: the version has no such field
    std::uint32_t thp_pagesize;
    std::uint32_t hp_pagesize;
    std::uint32_t n_mmaps;  ///< n_mmaps_max, max_n_mmaps, no_dyn_threshold follow, 4 bytes each
    std::uint32_t mmapped_mem;
    std::uint32_t sbrk_base;
    std::uint32_t par_size;
    // struct tcache_perthread_struct: u16 per bin, then a pointer per bin
    std::uint32_t tcache_bins;
    bool tcache_counts_down;  ///< num_slots (free places) instead of counts
    // struct tcache_entry, malloc_chunk.fd of fastbins: fd ^ (&fd >> 12), "safe linking"
    bool protected_links;

    constexpr std::uint64_t tcache_bytes() const { return tcache_bins * 10ULL; }
    constexpr std::uint64_t tcache_chunk() const { return (tcache_bytes() + 8 + 15) & ~15ULL; }
    /// malloc does not split off a rest that is too small for a chunk.
    constexpr bool may_hold_tcache(std::uint64_t chunk_bytes) const {
        return chunk_bytes == tcache_chunk() || chunk_bytes == tcache_chunk() + kAlignment;
    }
    constexpr std::uint64_t state_size() const { return bins + kStateEndBehindBins; }
};

/// Equal in all but the name and the protection of links.
bool same_places(const Layout& one, const Layout& other);

/// In the order of the versions.
std::span<const Layout> layouts();

/// malloc/malloc.c bin_index for 64-bit chunks with 16-byte alignment.
std::uint32_t bin_index(std::uint64_t chunk_bytes);

/// Header of the mapping that a chunk from mmap lives in.
struct MappedHeader {
    std::uint64_t chunk = 0;  ///< address of the chunk
    std::uint64_t base = 0;   ///< of the mapping, page-aligned
    std::uint64_t total = 0;  ///< bytes of the mapping, as mp_.mmapped_mem counts them
};

/// Decodes {prev_size, size} at `chunk`; false if it cannot be the header of a mapped chunk. Up to
/// 2.42 prev_size + size is the mapping; later versions leave CHUNK_HDR_SZ at its end and keep
/// MMAP_HP in bit 0 of prev_size (malloc/malloc.c, mmap_set_chunk). The residue tells which.
bool decode_mapped(std::uint64_t chunk, std::uint64_t prev_size, std::uint64_t size,
                   std::uint64_t page_size, MappedHeader& out);

}  // namespace asrtrace::heap
