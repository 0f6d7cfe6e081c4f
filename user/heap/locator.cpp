// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/heap/locator.h"

#include <algorithm>
#include <bit>
#include <utility>

namespace asrtrace::heap {
namespace {

constexpr std::uint64_t kMaxGranules = 1 << 20;
/// A new arena's heap lies at most so far from the mapping next to it (arena.c: twice HEAP_MAX_SIZE
/// are mapped to keep an aligned half), and no more is mapped between a walk and a marking.
constexpr std::uint64_t kGrowth = 128 << 20;
constexpr std::uint64_t kUserEnd = 1ULL << 63;  // behind it there is [vsyscall]

struct Stretch {
    std::uint64_t begin, end;
};

/// Where there was no memory, beside what there was; what an arena reserves has no rights.
std::vector<Stretch> room_to_grow(const std::vector<MapsEntry>& maps) {
    std::vector<Stretch> room;
    for (std::size_t i = 0; i < maps.size() && maps[i].end < kUserEnd; ++i) {
        const MapsEntry& entry = maps[i];
        if (!entry.readable && !entry.writable && !entry.executable)
            room.push_back({entry.begin, std::min(entry.end, entry.begin + kGrowth)});
        if (i == 0 || maps[i - 1].end >= entry.begin) continue;
        const std::uint64_t before = maps[i - 1].end;
        const std::uint64_t up = std::min(entry.begin, before + kGrowth);
        room.push_back({before, up});
        room.push_back({std::max(up, entry.begin - std::min(entry.begin, kGrowth)), entry.begin});
    }
    return room;
}

Locator::Filter filter_for(std::vector<Stretch> all) {
    Locator::Filter filter;
    if (all.empty()) return filter;
    std::sort(all.begin(), all.end(),
              [](const Stretch& a, const Stretch& b) { return a.begin < b.begin; });
    std::uint64_t highest = all.front().end, gap_begin = highest, gap_end = highest;
    for (const Stretch& each : all) {
        if (each.begin > highest && each.begin - highest > gap_end - gap_begin) {
            gap_begin = highest;
            gap_end = each.begin;
        }
        highest = std::max(highest, each.end);
    }
    if (gap_begin == gap_end) gap_begin = gap_end = highest;
    filter.lowest[0] = all.front().begin;
    filter.span[0] = gap_begin - all.front().begin;
    filter.lowest[1] = gap_end;
    filter.span[1] = highest - gap_end;
    return filter;
}

}  // namespace

Locator::Locator(const Snapshot& snapshot, bool running) : snapshot_(snapshot) {
    const std::vector<Stretch> room =
        running ? room_to_grow(snapshot.maps) : std::vector<Stretch>{};
    std::vector<Stretch> all = room;
    for (const Segment& segment : snapshot.segments) {
        if (segment.first < segment.last_end) all.push_back({segment.first, segment.end});
    }
    std::uint64_t bytes = 0;
    for (const Stretch& each : all) bytes += each.end - each.begin;
    filter_ = filter_for(std::move(all));
    while (bytes >> granule_shift_ > kMaxGranules) ++granule_shift_;
    const std::uint64_t granules =
        (bytes >> granule_shift_) + 2 * (snapshot.segments.size() + room.size());
    const std::uint64_t capacity = std::bit_ceil(granules * 2 + 16);
    slots_.resize(capacity);
    mask_ = capacity - 1;
    indices_.resize(snapshot.segments.size());
    for (std::uint32_t i = 0; i < snapshot.segments.size(); ++i) {
        const Segment& segment = snapshot.segments[i];
        if (segment.first >= segment.last_end) continue;
        insert(segment.first, segment.end, i);
        if (segment.chunk_end - segment.chunk_begin > 1) index_pages(segment, indices_[i]);
    }
    const auto no_segment = static_cast<std::uint32_t>(snapshot.segments.size());
    for (const Stretch& each : room) insert(each.begin, each.end, no_segment);
}

void Locator::insert(std::uint64_t begin, std::uint64_t end, std::uint32_t segment) {
    if (begin == end) return;
    const std::uint64_t last = (end - 1) >> granule_shift_;
    for (std::uint64_t granule = begin >> granule_shift_; granule <= last; ++granule) {
        std::uint64_t at = (granule * 0x9e3779b97f4a7c15ULL >> 20) & mask_;
        while (slots_[at].granule != ~0ULL && slots_[at].granule != granule) at = (at + 1) & mask_;
        // Segments come in order, and before the rest: the first one stays.
        if (slots_[at].granule != granule) slots_[at] = {granule, segment};
    }
}

void Locator::index_pages(const Segment& segment, PageIndex& index) {
    const std::uint64_t span = segment.last_end - segment.first;
    const std::uint64_t chunks = segment.chunk_end - segment.chunk_begin;
    while (span >> index.shift > 4 * chunks + 1024) ++index.shift;
    index.base = pages_.size();
    index.count = (span >> index.shift) + 1;
    std::size_t chunk = segment.chunk_begin;
    for (std::uint64_t page = 0; page < index.count; ++page) {
        const std::uint64_t begin = segment.first + (page << index.shift);
        while (chunk + 1 < segment.chunk_end && snapshot_.chunks.address(chunk + 1) <= begin)
            ++chunk;
        pages_.push_back(static_cast<std::uint32_t>(chunk));
    }
}

Locator::Where Locator::find(std::uint64_t word, std::size_t& segment, std::size_t& chunk) const {
    if (!filter_(word)) return Where::kElsewhere;
    const std::uint64_t granule = word >> granule_shift_;
    std::uint64_t at = (granule * 0x9e3779b97f4a7c15ULL >> 20) & mask_;
    while (slots_[at].granule != granule) {
        if (slots_[at].granule == ~0ULL) return Where::kElsewhere;
        at = (at + 1) & mask_;
    }
    segment = slots_[at].segment;
    while (segment < snapshot_.segments.size() && snapshot_.segments[segment].end <= word)
        ++segment;
    if (segment == snapshot_.segments.size()) return Where::kNearby;
    const Segment& home = snapshot_.segments[segment];
    // The eight bytes behind a chunk are its own: look up the byte eight further down.
    const std::uint64_t byte = word - 8;
    if (byte < home.first || byte >= home.last_end || home.chunk_begin == home.chunk_end)
        return Where::kNearby;
    chunk = home.chunk_begin;
    if (home.chunk_end - home.chunk_begin > 1) {
        const PageIndex& index = indices_[segment];
        const std::size_t page = (byte - home.first) >> index.shift;
        std::size_t low = pages_[index.base + page];
        std::size_t high =
            page + 1 < index.count ? pages_[index.base + page + 1] : home.chunk_end - 1;
        while (low < high) {
            const std::size_t middle = low + (high - low + 1) / 2;
            if (snapshot_.chunks.address(middle) <= byte) {
                low = middle;
            } else {
                high = middle - 1;
            }
        }
        chunk = low;
    }
    return word >= snapshot_.chunks.address(chunk) + kChunkHeader ? Where::kChunk : Where::kNearby;
}

}  // namespace asrtrace::heap
