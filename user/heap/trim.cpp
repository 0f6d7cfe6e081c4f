// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/heap/trim.h"

#include <algorithm>

namespace asrtrace::heap {
namespace {

constexpr std::uint64_t kStructChunk = 48;  // sizeof(struct malloc_chunk)

struct Run {
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
};

/// mtrim: the whole pages of a free chunk behind its header and links.
std::uint64_t inner_pages(const Residency& residency, const Run& run, std::uint64_t page) {
    const std::uint64_t size = run.end - run.begin;
    if (size <= page - 1 + kStructChunk) return 0;
    const std::uint64_t from = (run.begin + kStructChunk + page - 1) & ~(page - 1);
    if (run.end <= from) return 0;
    return residency.anonymous_bytes(from, from + ((run.end - from) & ~(page - 1)));
}

/// systrim: whole pages at the end of the main arena's top, if it ends at the break.
std::uint64_t top_pages(const Snapshot& snapshot, const Segment& segment, std::uint64_t top_begin,
                        std::uint64_t page) {
    const MapsEntry* mapping = find_mapping(snapshot.maps, segment.end - 1);
    if (mapping == nullptr || mapping->path != "[heap]" || mapping->end != segment.end) return 0;
    const std::uint64_t top = segment.end - top_begin;
    const std::uint64_t unit =
        snapshot.parameters.thp_pagesize != 0 ? snapshot.parameters.thp_pagesize : page;
    if (top <= kMinChunk + 1) return 0;
    const std::uint64_t extra = (top - kMinChunk - 1) / unit * unit;
    return snapshot.residency.anonymous_bytes(segment.end - extra, segment.end);
}

}  // namespace

std::uint64_t releasable_bytes(const Snapshot& snapshot, const Segment& segment,
                               std::uint64_t page_size) {
    std::uint64_t sum = 0;
    Run run;
    const auto close = [&] {
        if (run.begin != run.end) sum += inner_pages(snapshot.residency, run, page_size);
        run = {};
    };
    for (std::size_t i = segment.chunk_begin; i < segment.chunk_end; ++i) {
        if (!snapshot.chunks.is(i, kInBin | kInFastbin)) {
            close();
            continue;
        }
        if (run.begin == run.end) run.begin = snapshot.chunks.address(i);
        run.end = snapshot.chunks.address(i) + snapshot.chunks.bytes(segment, i);
    }
    std::uint64_t top_begin = segment.last_end;
    if (segment.has_top && run.begin != run.end && run.end == segment.last_end) {
        top_begin = run.begin;  // consolidation merges it into the top
        run = {};
    }
    close();
    if (segment.kind == SegmentKind::kMain && segment.has_top) {
        sum += top_pages(snapshot, segment, top_begin, page_size);
    }
    return sum;
}

Pin find_pin(const Snapshot& snapshot, const Segment& segment) {
    for (std::size_t i = segment.chunk_end; i > segment.chunk_begin; --i) {
        if (snapshot.chunks.is(i - 1, kInBin | kInFastbin)) continue;
        return {snapshot.chunks.address(i - 1) + kChunkHeader,
                snapshot.chunks.bytes(segment, i - 1), snapshot.chunks.is(i - 1, kInTcache),
                kUnknownStack};
    }
    return {};
}

}  // namespace asrtrace::heap
