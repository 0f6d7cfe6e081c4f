// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Finds glibc's malloc in a target without symbols: main_arena by its self-pointing bins, the other
// arenas by the ring of `next`, mp_ by the fields that must agree with main_arena.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "user/base/maps.h"
#include "user/heap/debug_layout.h"
#include "user/heap/layout.h"
#include "user/heap/memory.h"

namespace asrtrace::heap {

/// What struct malloc_state holds, read at one moment.
struct ArenaState {
    std::uint64_t address = 0;
    bool is_main = false;
    bool contiguous = false;
    std::uint64_t top = 0;
    std::uint64_t system_mem = 0;
    std::array<std::uint64_t, kFastbins> fastbins{};
    std::array<std::uint64_t, std::size_t{kBins} * 2> bins{};

    /// Address that a link back into the arena's own list heads has (malloc.c bin_at).
    std::uint64_t bin_address(const Layout& layout, std::uint32_t index) const {
        return address + layout.bins + 16ULL * (index - 1) - 16;
    }
};

/// What struct malloc_par holds.
struct MallocParameters {
    std::uint64_t address = 0;
    std::uint64_t trim_threshold = 0;
    std::uint64_t mmap_threshold = 0;
    std::uint64_t sbrk_base = 0;
    std::uint64_t mmapped_mem = 0;
    std::uint32_t n_mmaps = 0;
    std::uint64_t thp_pagesize = 0;
    std::uint64_t hp_pagesize = 0;
    std::uint64_t heap_max() const { return hp_pagesize == 0 ? kHeapMax : hp_pagesize * 4; }
};

/// Where malloc's state was found; stays right for the life of the target.
struct MallocLocation {
    std::uint64_t main_arena = 0;
    std::uint64_t parameters = 0;
    const Layout* layout = nullptr;
    std::vector<const Layout*> candidates;  ///< rows that what was seen so far cannot tell apart
    std::string module;                     ///< libc's path, or the static executable's
    std::vector<std::shared_ptr<const Layout>>
        from_debug;  ///< keeps the candidates of a debug file
};

/// Error: no glibc in the target, its malloc was never used, or another allocator is in its place;
/// says which.
Result<MallocLocation> find_malloc(TargetMemory& memory, const std::vector<MapsEntry>& maps);

/// For a glibc whose layout the search does not know. Error: what stands there is no arena in use.
Result<MallocLocation> find_malloc_at(TargetMemory& memory, const std::vector<MapsEntry>& maps,
                                      const DebugLayout& debug);

Result<ArenaState> read_arena(TargetMemory& memory, const Layout& layout, std::uint64_t address,
                              std::uint64_t main_arena);

/// All arenas, main_arena first. Error: the ring of `next` does not close or leads astray.
Result<std::vector<ArenaState>> read_arenas(TargetMemory& memory, const MallocLocation& location);

Result<MallocParameters> read_parameters(TargetMemory& memory, const MallocLocation& location);

}  // namespace asrtrace::heap
