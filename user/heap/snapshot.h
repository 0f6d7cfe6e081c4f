// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// One reading of a target's heap: every chunk with its state, checked against what malloc itself
// keeps. It is either right by the invariants of facts that glibc maintains, or refused.
//
//   main_arena --next--> arena --next--> ... (ring)
//       |                   |
//   brk, mmap segments   heap <-prev- heap            mapped chunks: one mapping each
//       '------ chunks ------'                        (found by their headers)
#pragma once

#include <vector>

#include "user/heap/chunk_table.h"
#include "user/heap/finder.h"
#include "user/heap/residency.h"
#include "user/heap/walker.h"

namespace asrtrace::heap {

struct ArenaCounts {
    std::uint64_t bin_chunks = 0, bin_bytes = 0;
    std::uint64_t fast_chunks = 0, fast_bytes = 0;
    std::uint64_t top_bytes = 0;
};

struct Snapshot {
    MallocLocation location;
    MallocParameters parameters;
    std::vector<ArenaState> arenas;
    std::vector<ArenaCounts> counts;  ///< of the arena with the same index
    std::vector<Segment> segments;    ///< sorted by address
    ChunkTable chunks;
    std::uint64_t tcache_chunks = 0, tcache_bytes = 0;
    std::vector<std::uint64_t> tcaches;  ///< chunk addresses of the threads' tcache structures
    std::uint64_t mapped_chunks = 0, mapped_bytes = 0;
    std::uint64_t foreign_in_system = 0;  ///< of other users of sbrk, counted in system_mem
    std::vector<MapsEntry> maps;
    std::vector<std::uint64_t> kernel_words;  ///< what the kernel keeps for the target: roots
    Residency residency;
    unsigned steps_back = 0;  ///< how often the walk had to read again

    const Layout& layout() const { return *location.layout; }
    /// Forgets what was read and keeps the room for chunk records.
    void reset();
};

struct SnapshotOptions {
    bool still = false;  ///< the target does not run: invariants hold exactly or not at all
    WalkLimits limits;
};

/// Reads into `snapshot`, which must be new or reset but may have its records prefaulted. Error:
/// the invariant that does not hold, with the address where that is known.
Status take_snapshot(TargetMemory& memory, std::vector<MapsEntry> maps,
                     const MallocLocation& location, const SnapshotOptions& options,
                     Snapshot& snapshot);

// The steps of take_snapshot, one file each.

/// segments.cpp: finds and walks the memory of all arenas.
Status walk_arenas(TargetMemory& memory, Snapshot& snapshot, const SnapshotOptions& options,
                   std::vector<std::size_t>& tcache_candidates);
/// mapped.cpp: chunks that are mappings of their own, checked against mp_.
Status find_mapped_chunks(TargetMemory& memory, Snapshot& snapshot, const SnapshotOptions& options);
/// bins.cpp: bins and fastbins against the walk; sets kInFastbin and the counts. Needs no target: a
/// stopped one may run again first.
Status check_bins(Snapshot& snapshot, bool still);
/// tcache.cpp: the caches of all threads; sets kInTcache, settles the layout.
Status read_tcaches(TargetMemory& memory, Snapshot& snapshot,
                    const std::vector<std::size_t>& candidates, bool still);

/// Follows a singly linked list's pointer (malloc.c REVEAL_PTR).
inline std::uint64_t reveal(const Layout& layout, std::uint64_t where, std::uint64_t link) {
    return layout.protected_links ? link ^ (where >> 12) : link;
}

}  // namespace asrtrace::heap
