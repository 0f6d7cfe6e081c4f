// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// What marking the heap found that nothing points to: all of it, which may be millions of blocks.
// It is sorted, counted and compared with the marking before where there is time for it; the ledger
// looks up one block after the other, and may do so in parts.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <vector>

namespace asrtrace::ledger {

/// A block that nothing points to, by its address; bytes of its chunk.
struct LostBlock {
    std::uint64_t address = 0;
    std::uint64_t chunk_bytes = 0;
};

/// Blocks from before the attach, or that were not sampled.
struct Unmatched {
    std::uint64_t chunks = 0;
    std::uint64_t bytes = 0;

    void add(const LostBlock& block) {
        ++chunks;
        bytes += block.chunk_bytes;
    }
};

/// How many blocks, by the size of a chunk or the upper end of a class.
using BlocksBySize = std::map<std::uint64_t, std::uint64_t>;

struct Marking {
    std::uint64_t serial = 0;          ///< of the newest block that the reading can know of
    std::vector<LostBlock> lost;       ///< by address
    std::vector<std::uint64_t> found;  ///< lost at the marking before, and not any more
    BlocksBySize sizes;                ///< of `lost`, by chunk

    // How far Ledger::book() is with it.
    std::size_t booked = 0;
    Unmatched unmatched;  ///< of these: no site is known of them

    /// Of `lost`, by size class.
    BlocksBySize classes() const;
};

/// `lost` in any order; `lost_before`: addresses of the marking before, sorted, replaced by those
/// of this one.
Marking make_marking(std::vector<LostBlock> lost, std::uint64_t serial,
                     std::vector<std::uint64_t>& lost_before);

}  // namespace asrtrace::ledger
