// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/heap/walker.h"

#include <algorithm>
#include <string>
#include <utility>

#include "user/base/bytes.h"
#include "user/base/quantity.h"

namespace asrtrace::heap {
namespace {

constexpr std::uint64_t kMaxWindow = 256 << 10;  // stays in the second-level cache
constexpr std::uint64_t kPage = 4096;
constexpr std::uint64_t kNewPagesSought = 1 << 20;
constexpr std::size_t kChunksBetweenChecks = 65536;
/// A segment of which all was read anew so often, for so long, has left the state that the reading
/// began with: the next one begins where the heap is by then.
constexpr unsigned kRewinds = 3;
constexpr std::chrono::milliseconds kRewindTime{2};

}  // namespace

Walker::Walker(TargetMemory& memory, Residency& residency, const WalkLimits& limits,
               ChunkTable& table)
    : memory_(memory),
      residency_(residency),
      limits_(limits),
      table_(table),
      window_(kMaxWindow),
      next_length_(kPage) {}

Status Walker::walk(Segment& segment, std::uint64_t top, bool keep_fast_links) {
    top_ = top;
    keep_fast_links_ = keep_fast_links;
    done_ = false;
    back_distance_ = 1;
    rewinds_ = 0;
    last_fault_ = 0;
    segment.chunk_begin = table_.size();
    furthest_ = table_.size();
    window_begin_ = window_end_ = 0;
    std::uint64_t at = segment.first;
    while (!done_) {
        const char* fault = nullptr;
        Header header{};
        if (at + kChunkHeader > segment.end) {
            fault = "a chunk reaches past the end of its heap";
        } else if (!header_at(at, segment.end, header)) {
            fault = met_swap_ ? "swapped" : "a chunk header lies on memory that is not there";
            if (!met_swap_ && limits_.step_backs != 0) look_for_new_pages(segment, at);
        } else {
            fault = visit(segment, at, header);
        }
        if (fault == nullptr && table_.size() % kChunksBetweenChecks == 0) fault = check_limits();
        if (fault == nullptr) continue;
        if (met_swap_ || over_limit_ || !step_back(segment, at)) {
            if (met_swap_) return Error{kSwappedHeap};
            return Error{std::string(fault) + " (at " + hex(at) + ")"};
        }
    }
    segment.chunk_end = table_.size();
    return ok_status();
}

const char* Walker::check_limits() {
    over_limit_ = true;
    if (std::chrono::steady_clock::now() > limits_.deadline) return "the walk took too long";
    if (table_.footprint() > limits_.max_record_bytes)
        return "more chunks than the memory cap allows";
    over_limit_ = false;
    return nullptr;
}

/// Reads a window at `address`, clipped to the present pages around it.
bool Walker::load(std::uint64_t address, std::uint64_t end) {
    const PageRange* range = residency_.find(address);
    if (range == nullptr || range->kind == PageKind::kSwapped) {
        met_swap_ = range != nullptr;
        return false;
    }
    const std::uint64_t page = address & ~(kPage - 1);
    const bool dense = page <= window_end_ + kPage && page >= window_begin_;
    next_length_ = dense ? std::min(next_length_ * 2, kMaxWindow) : kPage;
    // The link behind a header may stand on the next page.
    if (address + 24 > page + next_length_) next_length_ = 2 * kPage;
    std::uint64_t limit = range->end;
    // Adjacent ranges of other kinds are readable too; a header may straddle them.
    const PageRange* next = residency_.find_from(limit);
    if (next != nullptr && next->begin == limit && next->kind != PageKind::kSwapped)
        limit = next->end;
    limit = std::min({limit, (end + kPage - 1) & ~(kPage - 1), page + next_length_});
    if (limit <= page) return false;
    const std::size_t got = memory_.read(page, window_.first(limit - page));
    window_begin_ = page;
    window_end_ = page + got;
    return got != 0;
}

bool Walker::header_at(std::uint64_t address, std::uint64_t end, Header& out) {
    met_swap_ = false;
    const std::uint64_t wanted = std::min<std::uint64_t>(end - address, 24);
    if (address < window_begin_ || address + wanted > window_end_) {
        if (!load(address, end)) return false;
        if (address + kChunkHeader > window_end_) return false;  // half on an absent page
    }
    const std::uint8_t* bytes = window_.data() + (address - window_begin_);
    std::memcpy(&out.prev_size, bytes, 8);
    std::memcpy(&out.size, bytes + 8, 8);
    out.fd = 0;
    if (address + 24 <= window_end_) std::memcpy(&out.fd, bytes + 16, 8);
    return true;
}

/// The chunk in front of `at` is free if PREV_INUSE is clear here (malloc.c, "Physical chunk
/// operations"); then prev_size repeats its size.
const char* Walker::close_previous(std::uint64_t at, const Header& header) {
    if ((header.size & kPrevInUse) != 0) {
        if (keep_fast_links_ && table_.size() != 0) {
            const std::size_t last = table_.size() - 1;
            if (at - table_.address(last) <= kMaxFastChunk) table_.push_link(pending_fd_);
        }
        return nullptr;
    }
    const std::size_t last = table_.size() - 1;
    const std::uint64_t bytes = at - table_.address(last);
    if (header.prev_size != bytes) return "size and prev_size of a free chunk differ";
    table_.set(last, kInBin);
    table_.push_link(pending_fd_);
    return nullptr;
}

/// Ends of segments: two chunks of 0x10 (main arena) or 0x10 and 0 (heaps), malloc.c sysmalloc. In
/// the main arena a fence stands wherever somebody else's memory begins.
bool Walker::is_fence(const Segment& segment, std::uint64_t at, std::uint64_t size) {
    if (segment.kind == SegmentKind::kHeap && size == 0) return at + 0x10 == segment.end;
    if (size != 0x10 || segment.end - at < 0x20) return false;
    if (segment.kind == SegmentKind::kHeap && at + 0x20 != segment.end) return false;
    const auto next = memory_.read_value<std::uint64_t>(at + 0x18);
    return next && (*next & ~kSizeBits) == (segment.kind == SegmentKind::kHeap ? 0U : 0x10U);
}

void Walker::close_segment(Segment& segment, std::uint64_t at, std::uint64_t size, bool fence) {
    segment.last_end = at;
    segment.has_top = !fence;
    if (!fence) {
        segment.end = at + size;
    } else if (segment.kind == SegmentKind::kMain) {
        // A top of 0x30 bytes leaves a third chunk of 0x10; old tops end at a page (sysmalloc).
        segment.end = at + ((at + 0x30) % kPage == 0 ? 0x30 : 0x20);
    } else if (size == 0 && table_.size() > segment.chunk_begin) {
        // A top too small to be freed became part of the fence: no chunk of the program.
        segment.last_end = table_.address(table_.size() - 1);
        table_.truncate(table_.size() - 1);
    }
    done_ = true;
}

/// Takes the chunk at `at` into the table and steps behind it; the fault, or null.
const char* Walker::visit(Segment& segment, std::uint64_t& at, const Header& header) {
    const bool still = limits_.step_backs == 0;
    // Where the top began when the reading began, a running target may have cut chunks off it by
    // now, and grown it past the pages that are known.
    const bool was_top = !still && at == top_ && segment.end_known;
    const std::uint64_t size = was_top ? segment.end - at : header.size & ~kSizeBits;
    const bool is_first = table_.size() == segment.chunk_begin;
    if (is_first && (header.size & kPrevInUse) == 0) return "the first chunk follows a free one";
    const bool fence = size < kMinChunk && is_fence(segment, at, size);
    if (!fence) {
        if (size < kMinChunk || size % kAlignment != 0) return "a chunk of impossible size";
        if (size > segment.end - at) return "a chunk larger than its heap";
        if ((header.size & kIsMmapped) != 0) return "a mapped chunk inside a heap";
        const bool foreign =
            (header.size & kNonMainArena) != 0 && segment.kind == SegmentKind::kMain;
        if (foreign) return "a chunk of another arena";
    }
    if (!is_first) {
        const char* fault = close_previous(at, header);
        if (fault != nullptr) return fault;
    }
    const bool at_end = at + size == segment.end;
    if (!fence && at_end && still && at != top_) return "the last chunk is not the arena's top";
    if (!fence && at == top_ && still && segment.kind == SegmentKind::kHeap && !at_end) {
        return "the top does not end at the end of its heap";
    }
    if (fence || at_end || (at == top_ && (still || !segment.end_known))) {
        close_segment(segment, at, size, fence);
        return nullptr;
    }
    table_.push(at);
    pending_fd_ = header.fd;
    // Layout::may_hold_tcache of any layout: two sizes each.
    if (size - 0x290 <= kAlignment || size - 0x300 <= kAlignment) {
        tcache_candidates_.push_back(table_.size() - 1);
    }
    at += size;
    return nullptr;
}

/// Since the pages were asked for, a running target may have touched more, and cut chunks there.
void Walker::look_for_new_pages(const Segment& segment, std::uint64_t at) {
    const std::uint64_t page = at & ~(kPage - 1);
    const std::uint64_t end = (segment.end + kPage - 1) & ~(kPage - 1);
    residency_.look_again(memory_, page, std::min(end, page + kNewPagesSought));
}

/// The same fault twice behind what was the top: the target has grown its heap.
bool Walker::outgrown(const Segment& segment, std::uint64_t at) {
    const bool behind = segment.end_known && top_ >= segment.begin && at > top_;
    return std::exchange(last_fault_, at) == at && behind;
}

/// Called when all of a segment is about to be read anew.
bool Walker::stuck() {
    const auto now = std::chrono::steady_clock::now();
    if (rewinds_++ == 0) first_rewind_ = now;
    return rewinds_ > kRewinds && now - first_rewind_ > kRewindTime;
}

/// The target changed under the reader: go back some chunks, each time further, and read anew.
bool Walker::step_back(const Segment& segment, std::uint64_t& at) {
    if (steps_back_ >= limits_.step_backs || outgrown(segment, at)) return false;
    ++steps_back_;
    const std::size_t held = table_.size() - segment.chunk_begin;
    back_distance_ = table_.size() > furthest_ ? 1 : std::min(held, back_distance_ * 2);
    furthest_ = std::max(furthest_, table_.size());
    const std::size_t keep = table_.size() - std::min(held, back_distance_);
    if (keep == segment.chunk_begin && stuck()) return false;
    if (keep < table_.size()) at = table_.address(keep);
    if (keep == segment.chunk_begin) at = segment.first;
    table_.truncate(keep);
    if (keep > segment.chunk_begin) {
        // Whether the last chunk kept is free is decided again by the header behind it.
        table_.reopen_last();
        pending_fd_ =
            memory_.read_value<std::uint64_t>(table_.address(keep - 1) + kChunkHeader).value_or(0);
    }
    while (!tcache_candidates_.empty() && tcache_candidates_.back() >= keep) {
        tcache_candidates_.pop_back();
    }
    window_begin_ = window_end_ = 0;
    return std::chrono::steady_clock::now() < limits_.deadline;
}

}  // namespace asrtrace::heap
