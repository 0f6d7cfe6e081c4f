// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Free by the walk against free by malloc's own lists: two independent accounts that must agree.
#include <algorithm>
#include <string>

#include "user/heap/snapshot.h"

namespace asrtrace::heap {
namespace {

/// Index of the chunk that begins exactly at `address`, in an arena's memory.
struct Place {
    const Segment* segment = nullptr;
    std::size_t chunk = 0;
};

bool place_of(const Snapshot& snapshot, std::uint64_t address, Place& out) {
    const Segment* segment = find_segment(snapshot.segments, address);
    if (segment == nullptr || segment->kind == SegmentKind::kMapped) return false;
    const auto chunk = snapshot.chunks.find(*segment, address);
    if (!chunk || snapshot.chunks.address(*chunk) != address) return false;
    out = {segment, *chunk};
    return true;
}

Status broken(const std::string& what) {
    return Error{what};
}

/// Follows every bin of an arena; marks what it passes. Exact, or an error.
Status follow_bins(Snapshot& snapshot, std::uint32_t index, ArenaCounts& by_bins) {
    const ArenaState& arena = snapshot.arenas[index];
    for (std::uint32_t bin = 1; bin <= kBins; ++bin) {
        const std::uint64_t head = arena.bin_address(snapshot.layout(), bin);
        std::uint64_t at = arena.bins[std::size_t{2} * (bin - 1)];
        while (at != head) {
            Place place;
            if (!place_of(snapshot, at, place)) return broken("a bin leads to no chunk");
            if (place.segment->arena != index)
                return broken("a bin leads to another arena's chunk");
            if (!snapshot.chunks.is(place.chunk, kInBin))
                return broken("a bin holds a chunk in use");
            if (snapshot.chunks.is(place.chunk, kMarked)) return broken("a bin runs in a circle");
            snapshot.chunks.set(place.chunk, kMarked);
            const std::uint64_t bytes = snapshot.chunks.bytes(*place.segment, place.chunk);
            if (bin > 1 && bin_index(bytes) != bin) return broken("a chunk is in the wrong bin");
            ++by_bins.bin_chunks;
            by_bins.bin_bytes += bytes;
            const auto next = snapshot.chunks.link(place.chunk);
            if (!next) return broken("a bin's chunk has no link");
            at = *next;
        }
    }
    return ok_status();
}

/// A target that runs moves chunks between bins while they are read: then each free chunk's link
/// must at least lead to a free chunk or to a bin of its arena, for all but 5 % of them.
Status check_links(const Snapshot& snapshot) {
    std::uint64_t right = 0, wrong = 0;
    for (const Segment& segment : snapshot.segments) {
        if (segment.kind == SegmentKind::kMapped) continue;
        const ArenaState& arena = snapshot.arenas[segment.arena];
        const std::uint64_t bins = arena.bin_address(snapshot.layout(), 1);
        for (std::size_t i = segment.chunk_begin; i < segment.chunk_end; ++i) {
            if (!snapshot.chunks.is(i, kInBin)) continue;
            const std::uint64_t link = snapshot.chunks.link(i).value_or(0);
            Place place;
            const bool to_head = link >= bins && link < bins + 16ULL * kBins;
            const bool good = to_head || (place_of(snapshot, link, place) &&
                                          snapshot.chunks.is(place.chunk, kInBin));
            ++(good ? right : wrong);
        }
    }
    if (wrong > 16 && wrong * 20 > right + wrong) {
        return broken(std::to_string(wrong) + " of " + std::to_string(right + wrong) +
                      " free chunks have links that lead nowhere");
    }
    return ok_status();
}

/// Fastbin chunks look in use; malloc_state's lists tell them (malloc.c fastbin_index).
Status follow_fastbins(Snapshot& snapshot, std::uint32_t index, bool still) {
    ArenaCounts& counts = snapshot.counts[index];
    for (std::uint32_t bin = 0; bin < kFastbins; ++bin) {
        std::uint64_t at = snapshot.arenas[index].fastbins[bin];
        while (at != 0) {
            Place place;
            const bool there =
                place_of(snapshot, at, place) && place.segment->arena == index &&
                !snapshot.chunks.is(place.chunk, kFreed) &&
                snapshot.chunks.bytes(*place.segment, place.chunk) == kMinChunk + 16ULL * bin;
            const auto link = there ? snapshot.chunks.link(place.chunk) : std::nullopt;
            if (!link) {
                if (still) return broken("a fastbin leads to no free chunk of its size");
                break;
            }
            snapshot.chunks.set(place.chunk, kInFastbin);
            ++counts.fast_chunks;
            counts.fast_bytes += kMinChunk + 16ULL * bin;
            at = reveal(snapshot.layout(), at + kChunkHeader, *link);
        }
    }
    return ok_status();
}

void count_walked(Snapshot& snapshot) {
    for (const Segment& segment : snapshot.segments) {
        if (segment.kind == SegmentKind::kMapped) continue;
        ArenaCounts& counts = snapshot.counts[segment.arena];
        counts.top_bytes += segment.top_bytes();
        for (std::size_t i = segment.chunk_begin; i < segment.chunk_end; ++i) {
            if (!snapshot.chunks.is(i, kInBin)) continue;
            ++counts.bin_chunks;
            counts.bin_bytes += snapshot.chunks.bytes(segment, i);
        }
    }
}

Status one_top_each(const Snapshot& snapshot) {
    std::vector<unsigned> tops(snapshot.arenas.size());
    for (const Segment& segment : snapshot.segments) {
        if (segment.kind != SegmentKind::kMapped && segment.has_top) ++tops[segment.arena];
    }
    for (std::size_t i = 0; i < tops.size(); ++i) {
        if (snapshot.arenas[i].system_mem != 0 && tops[i] != 1) {
            return broken("an arena has " + std::to_string(tops[i]) + " tops");
        }
    }
    return ok_status();
}

}  // namespace

Status check_bins(Snapshot& snapshot, bool still) {
    snapshot.counts.assign(snapshot.arenas.size(), {});
    count_walked(snapshot);
    if (Status top = one_top_each(snapshot); !top) return top;
    Status exact = ok_status();
    for (std::uint32_t i = 0; i < snapshot.arenas.size() && exact.ok(); ++i) {
        ArenaCounts by_bins;
        exact = follow_bins(snapshot, i, by_bins);
        const ArenaCounts& walked = snapshot.counts[i];
        if (exact.ok() &&
            (by_bins.bin_chunks != walked.bin_chunks || by_bins.bin_bytes != walked.bin_bytes)) {
            exact = Error{"free by the walk is " + std::to_string(walked.bin_bytes) +
                          " bytes, free by the bins " + std::to_string(by_bins.bin_bytes)};
        }
    }
    for (std::size_t i = 0; i < snapshot.chunks.size(); ++i) snapshot.chunks.clear(i, kMarked);
    if (!exact.ok()) {
        if (still) return exact;
        if (Status links = check_links(snapshot); !links) return links;
    }
    for (std::uint32_t i = 0; i < snapshot.arenas.size(); ++i) {
        if (Status fast = follow_fastbins(snapshot, i, still); !fast) return fast;
    }
    return ok_status();
}

}  // namespace asrtrace::heap
