// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Reachability: a conservative mark from the roots through live chunks.
//
//   unreachable  no word of the target's memory points into the block, from its first usable byte
//                to the last: a leak. Only pointers that are stored changed (XOR, compressed,
//                offsets) or in the kernel alone make this wrong: docs/heap.md.
//   weak         words do point into it, but none that a program would surely go by: the last eight
//                usable bytes of another block, which half of all blocks never asked for and which
//                keep what stood there before; places further inside than 64 bytes, or such that
//                are not 8-byte aligned; or an address with something in its upper 16 bits. Leaks
//                that a stale word hides are here, among blocks that are in use.
//
// Whatever is held by a block that is itself weak is weak, too.
#pragma once

#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "user/base/ids.h"
#include "user/heap/snapshot.h"

namespace asrtrace::heap {

/// What a block was asked to hold: bytes behind that are slack and hold no pointers. Of use for
/// blocks that were alive before and after the reading; sorted by address.
struct AskedSize {
    std::uint64_t address = 0;  ///< as the program knows it
    std::uint64_t bytes = 0;    ///< as asked of malloc
};

struct Leaked {
    std::uint64_t address = 0;      ///< as the program knows it
    std::uint64_t bytes = 0;        ///< of the chunk
    bool likely = false;            ///< weak, and of a size that leaks
    StackId stack = kUnknownStack;  ///< that allocated it; set by add_stacks (census.h)
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
    std::vector<Leaked> leaked;  ///< by address; if capped, largest first
    std::uint64_t weak_bytes = 0;
    std::uint64_t weak_chunks = 0;
    std::vector<Leaked> weak;        ///< in the same order
    std::uint64_t likely_bytes = 0;  ///< part of weak
    std::uint64_t likely_chunks = 0;
    std::vector<Holder> holders;  ///< most bytes first, at most 20
    unsigned snapshots = 1;       ///< how many readings agree
};

/// Words of a running target that led to no block of the snapshot: perhaps to one that is newer,
/// and all that hangs on it seems unreachable. The next reading knows it, and takes them as roots.
struct PassingWords {
    std::vector<std::uint64_t> words{};  ///< of the reading before, then of this one; sorted
    bool first = true;           ///< reading, which looks twice: the others must agree with it
    bool wanted = true;          ///< false for the last reading
    std::size_t most = 4 << 20;  ///< that are kept; nearly all of them dangle
};

/// Marks `snapshot.chunks` (kMarked) and lists what stays unmarked. `passing`: null if the target
/// is held. Error: the deadline passed, or there were too many passing words.
Result<Reach> find_unreachable(TargetMemory& memory, Snapshot& snapshot,
                               const std::vector<ThreadState>& threads,
                               std::span<const AskedSize> asked, PassingWords* passing,
                               std::chrono::steady_clock::time_point deadline);

/// Keeps what both readings call unreachable (same address, same size), and as weak what both call
/// weak or worse.
Reach intersect(const Reach& a, const Reach& b);

/// Sets Leaked::likely: weak blocks of sizes of which at least as many blocks are unreachable. Most
/// of these are leaks of the same kind, hidden by chance.
void find_likely(Reach& reach);

}  // namespace asrtrace::heap
