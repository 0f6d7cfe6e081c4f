// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Every chunk of a heap in 8 bytes: the address (16-aligned) with the state in its low bits; the
// size is the distance to the next one.
//
//   Segment  first          chunk_begin .. chunk_end        last_end      end
//   |headers |chunk|chunk|chunk| ... |chunk|                |top or fence |
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace asrtrace::heap {

/// State bits of a chunk; none: in use by the program.
enum ChunkState : std::uint64_t {
    kInBin = 1,      ///< free, in a bin
    kInFastbin = 2,  ///< free, in a fastbin (its in-use bit stays set)
    kInTcache = 4,   ///< freed by the program, kept by a thread
    kMarked = 8,     ///< reached by marking
    kFreed = kInBin | kInFastbin | kInTcache,
};

enum class SegmentKind : std::uint8_t { kMain, kHeap, kMapped };

/// A contiguous piece of memory that malloc got from the kernel.
struct Segment {
    SegmentKind kind = SegmentKind::kMain;
    std::uint32_t arena = 0;     ///< index into the arenas; of no meaning for kMapped
    std::uint64_t begin = 0;     ///< first byte that belongs to malloc
    std::uint64_t first = 0;     ///< first chunk
    std::uint64_t last_end = 0;  ///< end of the last chunk: the top, a fence or the end
    std::uint64_t end = 0;
    std::uint64_t committed = 0;  ///< end of what malloc made writable, >= end
    bool end_known = true;        ///< false: `end` is only how far it may reach
    bool has_top = false;
    std::size_t chunk_begin = 0;  ///< index into the table
    std::size_t chunk_end = 0;

    std::uint64_t top_bytes() const { return has_top ? end - last_end : 0; }
};

class ChunkTable {
  public:
    static constexpr std::uint64_t kStateMask = 15;

    std::size_t size() const { return chunks_.size(); }
    std::uint64_t address(std::size_t i) const { return chunks_[i] & ~kStateMask; }
    std::uint64_t state(std::size_t i) const { return chunks_[i] & kStateMask; }
    bool is(std::size_t i, std::uint64_t bits) const { return (chunks_[i] & bits) != 0; }
    void set(std::size_t i, std::uint64_t bits) { chunks_[i] |= bits; }
    void clear(std::size_t i, std::uint64_t bits) { chunks_[i] &= ~bits; }
    void push(std::uint64_t chunk) { chunks_.push_back(chunk); }
    /// Makes room and faults it in, so that a stopped target does not wait for our page faults.
    void prefault(std::size_t chunks, std::size_t links);

    /// Bytes of chunk i, which lies in `segment`.
    std::uint64_t bytes(const Segment& segment, std::size_t i) const {
        return (i + 1 < segment.chunk_end ? address(i + 1) : segment.last_end) - address(i);
    }

    /// `fd` of the chunk pushed last; kept for chunks that can be in a list.
    void push_link(std::uint64_t fd) {
        link_chunks_.push_back(static_cast<std::uint32_t>(chunks_.size() - 1));
        links_.push_back(fd);
    }
    std::optional<std::uint64_t> link(std::size_t chunk) const;
    std::size_t link_count() const { return links_.size(); }

    /// Forgets all chunks and keeps the room.
    void clear();
    /// Forgets all chunks from index `count` on, with their links.
    void truncate(std::size_t count);

    /// Makes the last chunk one whose state is not known yet: its link goes, too.
    void reopen_last();

    /// Index of the chunk in `segment` that `address` lies in (its header included), if any.
    std::optional<std::size_t> find(const Segment& segment, std::uint64_t address) const;

    /// Bytes that the records take up.
    std::uint64_t footprint() const {
        return chunks_.capacity() * 8 + links_.capacity() * 8 + link_chunks_.capacity() * 4;
    }

  private:
    std::vector<std::uint64_t> chunks_;
    std::vector<std::uint32_t> link_chunks_;  ///< ascending
    std::vector<std::uint64_t> links_;
};

/// The segment that holds `address`, or null; `segments` sorted by address.
const Segment* find_segment(const std::vector<Segment>& segments, std::uint64_t address);

}  // namespace asrtrace::heap
