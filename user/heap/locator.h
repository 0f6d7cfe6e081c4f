// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// From a word to the chunk that it points into, as fast as marking needs it: a hash of 1 MiB
// granules finds the segment, an index of pages the chunk. Both grow with the chunks, not with the
// address space that a hostile heap may claim.
//
// Of a running target it also knows where newer blocks may be: malloc goes on behind the break, in
// what an arena has reserved, and wherever the kernel finds room for a mapping.
#pragma once

#include <vector>

#include "user/heap/snapshot.h"

namespace asrtrace::heap {

class Locator {
  public:
    /// `running`: blocks may be newer than the snapshot.
    Locator(const Snapshot& snapshot, bool running);

    enum class Where : std::uint8_t {
        kElsewhere,
        kNearby,  ///< no chunk, but malloc may have handed out a block there since
        kChunk,   ///< in the usable bytes [chunk + 16, chunk + size + 8) of `chunk`
    };
    Where find(std::uint64_t word, std::size_t& segment, std::size_t& chunk) const;

    /// Says no for nearly all words that are no pointers to the heap: to be asked before find(). A
    /// value, so that a loop keeps it in registers.
    struct Filter {
        /// What is no kElsewhere lies in one of two [lowest, lowest + span): the largest gap,
        /// mostly that between the break and the mappings, holds much text if its bytes are read as
        /// words.
        std::uint64_t lowest[2] = {};
        std::uint64_t span[2] = {};
        bool operator()(std::uint64_t word) const {
            return word - lowest[0] < span[0] || word - lowest[1] < span[1];
        }
    };
    Filter filter() const { return filter_; }

  private:
    struct Slot {
        std::uint64_t granule = ~0ULL;
        std::uint32_t segment = 0;  ///< the first that reaches into the granule
    };
    void insert(std::uint64_t begin, std::uint64_t end, std::uint32_t segment);
    const Snapshot& snapshot_;
    Filter filter_;
    std::uint64_t mask_ = 0;
    unsigned granule_shift_ = 20;
    std::vector<Slot> slots_;
    struct PageIndex {
        std::size_t base = 0;  ///< where the segment's pages begin in pages_
        std::size_t count = 0;
        unsigned shift = 12;  ///< larger where chunks are few
    };
    void index_pages(const Segment& segment, PageIndex& index);

    std::vector<PageIndex> indices_;    ///< by segment
    std::vector<std::uint32_t> pages_;  ///< chunk that holds the page's first byte, or the first
};

}  // namespace asrtrace::heap
