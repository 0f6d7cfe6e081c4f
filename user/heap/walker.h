// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Walks the chunks of one segment from header to header. Memory is read in windows of present pages
// that grow while chunks are small and shrink to a page where they are large: a walk reads what it
// needs, not everything.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "user/heap/chunk_table.h"
#include "user/heap/layout.h"
#include "user/heap/memory.h"
#include "user/heap/page_buffer.h"
#include "user/heap/residency.h"

namespace asrtrace::heap {

/// What a census may use; whatever the target's memory holds, these are kept.
struct WalkLimits {
    std::chrono::steady_clock::time_point deadline;
    std::uint64_t max_record_bytes = 1ULL << 30;
    /// How often a walk may step back and read again; 0 where the target stands still.
    unsigned step_backs = 0;
};

class Walker {
  public:
    Walker(TargetMemory& memory, Residency& residency, const WalkLimits& limits, ChunkTable& table);

    /// Appends the chunks of `segment` (kind, begin, first, end given) to the table and fills in
    /// chunk_begin, chunk_end, last_end, has_top, and a nearer end where a fence or the top stands
    /// (segment.end is how far it may reach). A chunk that ends at `segment.end` at `top` (or,
    /// where the target runs, anywhere) is the top; where it runs, so is all behind `top`. Error:
    /// what is wrong, at which address.
    Status walk(Segment& segment, std::uint64_t top, bool keep_fast_links);

    /// Chunks in use whose size is that of some tcache structure: candidates for one.
    const std::vector<std::size_t>& tcache_candidates() const { return tcache_candidates_; }
    unsigned steps_back() const { return steps_back_; }
    /// The last failure was a page in swap.
    bool met_swap() const { return met_swap_; }
    bool over_limit() const { return over_limit_; }

  private:
    struct Header {
        std::uint64_t prev_size, size, fd;
    };
    bool load(std::uint64_t address, std::uint64_t bytes);
    bool header_at(std::uint64_t address, std::uint64_t end, Header& out);
    const char* visit(Segment& segment, std::uint64_t& at, const Header& header);
    const char* close_previous(std::uint64_t at, const Header& header);
    bool is_fence(const Segment& segment, std::uint64_t at, std::uint64_t size);
    void close_segment(Segment& segment, std::uint64_t at, std::uint64_t size, bool fence);
    bool step_back(const Segment& segment, std::uint64_t& at);
    bool outgrown(const Segment& segment, std::uint64_t at);
    bool stuck();
    void look_for_new_pages(const Segment& segment, std::uint64_t at);
    const char* check_limits();

    TargetMemory& memory_;
    Residency& residency_;  ///< gains what a running target touches meanwhile
    const WalkLimits& limits_;
    ChunkTable& table_;
    PageBuffer window_;
    std::uint64_t window_begin_ = 0;
    std::uint64_t window_end_ = 0;
    std::uint64_t next_length_;
    std::vector<std::size_t> tcache_candidates_;
    // State of the walk under way.
    std::uint64_t top_ = 0;
    std::uint64_t pending_fd_ = 0;
    bool keep_fast_links_ = false;
    bool done_ = false;
    bool met_swap_ = false;
    bool over_limit_ = false;
    unsigned steps_back_ = 0;
    std::size_t back_distance_ = 1;
    std::size_t furthest_ = 0;
    std::uint64_t last_fault_ = 0;
    unsigned rewinds_ = 0;  ///< how often all of the segment was read anew
    std::chrono::steady_clock::time_point first_rewind_;
};

}  // namespace asrtrace::heap
