// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include <algorithm>
#include <string>

#include "user/base/bytes.h"
#include "user/heap/snapshot.h"

namespace asrtrace::heap {
namespace {

constexpr std::size_t kMaxHeapsPerArena = 1 << 20;
constexpr std::size_t kMaxStarts = 100000;  // places where a segment is tried to begin

std::uint64_t align_up(std::uint64_t value, std::uint64_t to) {
    return (value + to - 1) & ~(to - 1);
}

struct HeapInfo {
    std::uint64_t arena, prev, size, mprotect_size;
};

/// Walks all arenas; one object a snapshot.
class ArenaWalk {
  public:
    ArenaWalk(TargetMemory& memory, Snapshot& snapshot, const SnapshotOptions& options)
        : memory_(memory),
          snapshot_(snapshot),
          options_(options),
          walker_(memory, snapshot.residency, options.limits, snapshot.chunks) {}

    Status run() {
        for (std::uint32_t i = 0; i < snapshot_.arenas.size(); ++i) {
            Status walked = i == 0 ? walk_main() : walk_heaps(i);
            if (!walked) return walked;
        }
        snapshot_.steps_back = walker_.steps_back();
        return ok_status();
    }
    const std::vector<std::size_t>& candidates() const { return walker_.tcache_candidates(); }

  private:
    Status walk(Segment segment, const ArenaState& arena) {
        const auto& fast = arena.fastbins;
        const bool has_fast = std::any_of(fast.begin(), fast.end(), [](auto p) { return p != 0; });
        Status walked = walker_.walk(segment, arena.top, has_fast);
        if (walked) snapshot_.segments.push_back(segment);
        return walked;
    }

    // arena.c: heaps of an arena are chained by prev from the one that holds the top.
    Status walk_heaps(std::uint32_t index) {
        const ArenaState& arena = snapshot_.arenas[index];
        const Layout& layout = snapshot_.layout();
        const std::uint64_t max = snapshot_.parameters.heap_max();
        const std::uint64_t home = arena.address - layout.heap_info_size;
        std::uint64_t heap = arena.top & ~(max - 1);
        std::uint64_t sum = 0;
        for (std::size_t count = 0;; ++count) {
            if (is_swapped(heap)) return Error{kSwappedHeap};
            const auto info = memory_.read_value<HeapInfo>(heap);
            if (!info) return Error{"a heap_info cannot be read"};
            const bool sizes = info->size <= info->mprotect_size && info->mprotect_size <= max &&
                               info->size % memory_.page_size() == 0 && info->size >= 0x1000;
            if (info->arena != arena.address || !sizes || count > kMaxHeapsPerArena) {
                return Error{"a heap_info does not belong to its arena"};
            }
            Segment segment;
            segment.kind = SegmentKind::kHeap;
            segment.arena = index;
            segment.begin = heap;
            segment.end = heap + info->size;
            segment.committed = heap + info->mprotect_size;
            segment.first = heap + layout.heap_info_size;
            if (heap == home) segment.first = align_up(arena.address + layout.state_size(), 16);
            Status walked = walk(segment, arena.top);
            if (!walked) return walked;
            sum += info->size;
            if (info->prev == 0) break;
            heap = info->prev;
        }
        if (heap != home)
            return Error{"the chain of an arena's heaps does not end at its first heap"};
        return expect_system_mem(arena, sum);
    }

    Status walk(const Segment& segment, std::uint64_t top) {
        ArenaState arena = snapshot_.arenas[segment.arena];
        arena.top = top;
        return walk(segment, arena);
    }

    Status expect_system_mem(const ArenaState& arena, std::uint64_t sum) {
        if (sum == arena.system_mem) return ok_status();
        if (!options_.still) {
            auto now = read_arena(memory_, snapshot_.layout(), arena.address,
                                  snapshot_.location.main_arena);
            if (now && now->system_mem == sum) return ok_status();
            if (now && std::min(now->system_mem, arena.system_mem) <= sum &&
                sum <= std::max(now->system_mem, arena.system_mem)) {
                return ok_status();
            }
        }
        return Error{"the chunks of an arena add up to " + std::to_string(sum) +
                     " bytes, its system_mem is " + std::to_string(arena.system_mem)};
    }

    Status walk_main() {
        const ArenaState& arena = snapshot_.arenas[0];
        if (arena.system_mem == 0) return ok_status();  // initial_top: nothing but mapped chunks
        const std::uint64_t base = snapshot_.parameters.sbrk_base;
        if (is_swapped(arena.top)) return Error{kSwappedHeap};
        const auto head = memory_.read_value<std::uint64_t>(arena.top + 8);
        const MapsEntry* mapping = find_mapping(snapshot_.maps, base);
        if (!head || mapping == nullptr) return Error{"the main arena's memory cannot be read"};
        Segment segment;
        segment.begin = base;
        segment.first = align_up(base, 16);
        segment.end = mapping->end;
        segment.end_known = arena.contiguous;
        if (arena.contiguous) segment.end = arena.top + (*head & ~kSizeBits);
        const std::uint64_t limit = segment.end;
        segment.committed = segment.end;
        Status walked = walk(segment, arena);
        if (!walked) return walked;
        std::uint64_t sum = last().end - base;
        while (!last().has_top && last().kind == SegmentKind::kMain) {
            const std::uint64_t gap_begin = last().end;
            if (!find_segment_in(gap_begin, std::min(limit, mapping->end), 16)) break;
            sum += last().end - last().begin;
            // Contiguous: foreign memory in between is counted by malloc, too (sysmalloc).
            if (arena.contiguous) snapshot_.foreign_in_system += last().begin - gap_begin;
        }
        if (!arena.contiguous) {
            Status found = find_mapped_segments(sum);
            if (!found) return found;
        }
        for (Segment& own : snapshot_.segments) own.committed = std::max(own.committed, own.end);
        return expect_system_mem(arena, sum + snapshot_.foreign_in_system);
    }

    /// A main arena whose brk was blocked goes on in anonymous mappings (MMAP_AS_MORECORE).
    Status find_mapped_segments(std::uint64_t& sum) {
        const std::uint64_t wanted = snapshot_.arenas[0].system_mem;
        for (const MapsEntry& entry : snapshot_.maps) {
            const bool anonymous = entry.path.empty() || entry.path.starts_with("[anon");
            if (!anonymous || !entry.writable || entry.shared || entry.is_file()) continue;
            std::uint64_t from = entry.begin;
            while (sum < wanted && find_segment_in(from, entry.end, memory_.page_size())) {
                sum += last().end - last().begin;
                from = last().end;
            }
        }
        return ok_status();
    }

    /// Tries to begin a segment of the main arena at every multiple of `step` in [from, to) that
    /// holds a plausible first header, until one is walked to a fence or to the top.
    bool find_segment_in(std::uint64_t from, std::uint64_t to, std::uint64_t step) {
        for (std::uint64_t at = align_up(from, step); at + kChunkHeader <= to; at += step) {
            const PageRange* range = snapshot_.residency.find_from(at);
            if (range == nullptr || range->begin >= to) return false;
            if (range->kind == PageKind::kSwapped) at = range->end;
            at = std::max(at, align_up(range->begin, step));
            if (const Segment* known = covering(at); known != nullptr) {
                at = align_up(known->end, step) - step;
                continue;
            }
            if (++starts_ > kMaxStarts) return false;
            const auto size = memory_.read_value<std::uint64_t>(at + 8);
            if (!size || (*size & kSizeBits) != kPrevInUse || *size < kMinChunk) continue;
            if ((*size & ~kSizeBits) % kAlignment != 0 || (*size & ~kSizeBits) > to - at) continue;
            Segment segment;
            segment.begin = segment.first = at;
            segment.end = segment.committed = to;
            segment.end_known = snapshot_.arenas[0].contiguous;
            const std::size_t mark = snapshot_.chunks.size();
            if (walk(segment, snapshot_.arenas[0])) return true;
            snapshot_.chunks.truncate(mark);
            if (walker_.over_limit()) return false;
        }
        return false;
    }

    bool is_swapped(std::uint64_t address) const {
        const PageRange* range = snapshot_.residency.find(address);
        return range != nullptr && range->kind == PageKind::kSwapped;
    }

    const Segment* covering(std::uint64_t address) const {
        for (const Segment& segment : snapshot_.segments) {
            if (segment.begin <= address && address < segment.end) return &segment;
        }
        return nullptr;
    }
    const Segment& last() const { return snapshot_.segments.back(); }

    TargetMemory& memory_;
    Snapshot& snapshot_;
    const SnapshotOptions& options_;
    Walker walker_;
    std::size_t starts_ = 0;
};

}  // namespace

Status walk_arenas(TargetMemory& memory, Snapshot& snapshot, const SnapshotOptions& options,
                   std::vector<std::size_t>& tcache_candidates) {
    ArenaWalk walk(memory, snapshot, options);
    Status walked = walk.run();
    if (walked) tcache_candidates = walk.candidates();
    return walked;
}

}  // namespace asrtrace::heap
