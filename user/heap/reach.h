// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Reachability: a conservative mark from the roots through live chunks. What no word of the
// target's memory points into, from the first usable byte to the last, is unreachable: a leak.
// Wrong answers are possible in one direction only for ordinary programs (a stale word keeps a leak
// hidden); pointers that are stored changed (XOR, compressed, offsets) or only in the kernel make
// false leaks: docs/heap.md.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "user/heap/snapshot.h"

namespace asrtrace::heap {

struct Leaked {
    std::uint64_t address = 0;  ///< as the program knows it
    std::uint64_t bytes = 0;    ///< of the chunk
    friend bool operator<(const Leaked& a, const Leaked& b) {
        return a.address != b.address ? a.address < b.address : a.bytes < b.bytes;
    }
};

/// What a root holds and no earlier root does.
struct Holder {
    std::string root;  ///< module+0xoffset, "stack of thread N", "registers of thread N", mapping
    std::uint64_t bytes = 0;
    std::uint64_t chunks = 0;
};

struct Reach {
    std::uint64_t unreachable_bytes = 0;
    std::uint64_t unreachable_chunks = 0;
    std::vector<Leaked> leaked;   ///< by address; after intersecting and capping, largest first
    std::vector<Holder> holders;  ///< most bytes first, at most 20
    unsigned snapshots = 1;       ///< how many readings agree
};

/// Marks `snapshot.chunks` (kMarked) and lists what stays unmarked. Error: the deadline passed.
Result<Reach> find_unreachable(TargetMemory& memory, Snapshot& snapshot,
                               const std::vector<ThreadState>& threads,
                               std::chrono::steady_clock::time_point deadline);

/// Keeps what both readings call unreachable (same address, same size).
Reach intersect(const Reach& a, const Reach& b);

}  // namespace asrtrace::heap
