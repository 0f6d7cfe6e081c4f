// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include <algorithm>
#include <map>

#include "user/heap/census.h"

namespace asrtrace::heap {
namespace {

/// Counts one snapshot into a census.
class Figures {
  public:
    Figures(const Snapshot& snapshot, std::uint64_t page_size)
        : snapshot_(snapshot), page_size_(page_size) {}

    Census run() {
        start_arenas();
        for (const Segment& segment : snapshot_.segments) {
            add_range(segment);
            if (segment.kind == SegmentKind::kMapped) {
                add_mapped(segment);
            } else {
                add_heap(segment);
            }
        }
        finish_totals();
        for (const auto& [upper, sums] : classes_) census_.classes.push_back(sums);
        return std::move(census_);
    }

  private:
    std::uint64_t resident(std::uint64_t begin, std::uint64_t end) const {
        return snapshot_.residency.anonymous_bytes(begin, end);
    }

    void start_arenas() {
        for (std::size_t i = 0; i < snapshot_.arenas.size(); ++i) {
            const ArenaCounts& counts = snapshot_.counts[i];
            ArenaFigures figures;
            figures.id = snapshot_.arenas[i].address;
            figures.size = size_of_arena(i);
            figures.in_use = figures.size - counts.bin_bytes - counts.fast_bytes - counts.top_bytes;
            census_.arenas.push_back(std::move(figures));
        }
    }

    /// What was walked; equals system_mem where the target stood still.
    std::uint64_t size_of_arena(std::size_t index) const {
        std::uint64_t sum = index == 0 ? snapshot_.foreign_in_system : 0;
        for (const Segment& segment : snapshot_.segments) {
            if (segment.kind != SegmentKind::kMapped && segment.arena == index) {
                sum += segment.end - segment.begin;
            }
        }
        return sum;
    }

    void add_range(const Segment& segment) {
        const std::uint64_t end =
            (std::max(segment.committed, segment.end) + page_size_ - 1) & ~(page_size_ - 1);
        // Shrunk heaps may keep pages behind their end.
        if (end > segment.end) census_.books.overhead += resident(segment.end, end);
        for (std::uint64_t at = segment.begin; at < end;) {
            const MapsEntry* mapping = find_mapping(snapshot_.maps, at);
            const std::uint64_t to = mapping == nullptr ? end : std::min(end, mapping->end);
            add_piece({at, to, segment.kind, resident(at, to)}, mapping);
            at = to;
        }
    }

    /// `mapping`: the one that the piece lies in.
    void add_piece(const MallocRange& piece, const MapsEntry* mapping) {
        if (!census_.ranges.empty()) {
            MallocRange& last = census_.ranges.back();
            const bool together = mapping != nullptr && mapping->contains(last.begin);
            if (together && last.end == piece.begin && last.kind == piece.kind) {
                last.end = piece.end;
                last.resident += piece.resident;
                return;
            }
        }
        census_.ranges.push_back(piece);
    }

    void add_live(std::uint64_t bytes) {
        const std::uint64_t upper = size_class(bytes);
        SizeClass& sums = classes_[upper];
        sums.upper = upper;
        ++sums.chunks;
        sums.bytes += bytes;
        ++census_.totals.live_chunks;
    }

    void add_mapped(const Segment& segment) {
        const std::uint64_t usable = segment.first + kChunkHeader;
        census_.books.overhead += resident(segment.begin, usable);
        census_.books.live += resident(usable, segment.end);
        add_live(segment.end - segment.first);
    }

    /// A chunk's bytes are [chunk + 8, chunk + size + 8): its user may write into the next one's
    /// prev_size (malloc.c, "malloc_chunk details").
    void add_heap(const Segment& segment) {
        ArenaFigures& arena = census_.arenas[segment.arena];
        HeapFigures heap;
        heap.address = segment.begin;
        heap.size = segment.end - segment.begin;
        std::uint64_t cursor = std::min(segment.first + 8, segment.end);
        census_.books.overhead += resident(segment.begin, cursor);
        for (std::size_t i = segment.chunk_begin; i < segment.chunk_end; ++i) {
            const std::uint64_t bytes = snapshot_.chunks.bytes(segment, i);
            const std::uint64_t next = std::min(cursor + bytes, segment.end);
            if (snapshot_.chunks.is(i, kFreed)) {
                const std::uint64_t kept = resident(cursor, next);
                heap.resident_free += kept;
                if (snapshot_.chunks.is(i, kInTcache)) census_.books.retained_tcache += kept;
                if (bytes >= kLargeChunk) census_.books.retained_large += kept;
            } else {
                census_.books.overhead += resident(cursor, cursor + 8);
                census_.books.live += resident(cursor + 8, next);
                add_live(bytes);
            }
            cursor = next;
        }
        const std::uint64_t rest = resident(cursor, segment.end);
        (segment.has_top ? heap.resident_free : census_.books.overhead) += rest;
        if (segment.has_top) census_.books.retained_top += rest;
        census_.books.retained += heap.resident_free;
        heap.releasable = releasable_bytes(snapshot_, segment, page_size_);
        heap.pin = find_pin(snapshot_, segment);
        arena.resident_free += heap.resident_free;
        arena.releasable += heap.releasable;
        if (segment.has_top) arena.pin = heap.pin;
        arena.heaps.push_back(heap);
    }

    void finish_totals() {
        CensusTotals& totals = census_.totals;
        for (std::size_t i = 0; i < census_.arenas.size(); ++i) {
            const ArenaCounts& counts = snapshot_.counts[i];
            totals.system += census_.arenas[i].size;
            totals.in_use += census_.arenas[i].in_use;
            totals.free += counts.bin_bytes + counts.fast_bytes + counts.top_bytes;
            totals.fastbin += counts.fast_bytes;
            totals.fastbin_chunks += counts.fast_chunks;
            totals.free_chunks += counts.bin_chunks + 1;
            totals.top += counts.top_bytes;
            totals.resident_free += census_.arenas[i].resident_free;
            totals.releasable += census_.arenas[i].releasable;
        }
        if (!snapshot_.counts.empty()) totals.keepcost = snapshot_.counts[0].top_bytes;
        totals.mmapped_bytes = snapshot_.mapped_bytes;
        totals.mmapped_chunks = snapshot_.mapped_chunks;
        totals.in_use += snapshot_.mapped_bytes;
        totals.tcache = snapshot_.tcache_bytes;
        totals.mmap_threshold = snapshot_.parameters.mmap_threshold;
        totals.trim_threshold = snapshot_.parameters.trim_threshold;
        totals.live = totals.in_use - std::min(totals.in_use, totals.tcache);
    }

    const Snapshot& snapshot_;
    const std::uint64_t page_size_;
    Census census_;
    std::map<std::uint64_t, SizeClass> classes_;
};

}  // namespace

void add_stacks(Census& census, const std::function<StackId(std::uint64_t address)>& stack_at) {
    const auto add = [&](auto& block) {
        if (block.address != 0) block.stack = stack_at(block.address);
    };
    for (ArenaFigures& arena : census.arenas) {
        add(arena.pin);
        for (HeapFigures& heap : arena.heaps) add(heap.pin);
    }
    if (!census.reach) return;
    for (Leaked& block : census.reach->leaked) add(block);
    for (Leaked& block : census.reach->weak) add(block);
}

Census compute_census(const Snapshot& snapshot, std::uint64_t page_size) {
    Census census = Figures(snapshot, page_size).run();
    census.layout = snapshot.layout().name;
    census.libc = snapshot.location.module;
    census.tracer_bytes = snapshot.chunks.footprint();
    return census;
}

}  // namespace asrtrace::heap
