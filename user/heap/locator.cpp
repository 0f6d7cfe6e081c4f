// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/heap/locator.h"

#include <algorithm>
#include <bit>

namespace asrtrace::heap {
namespace {

constexpr std::uint64_t kMaxGranules = 1 << 20;

}  // namespace

Locator::Locator(const Snapshot& snapshot) : snapshot_(snapshot) {
    std::uint64_t bytes = 0, highest = 0;
    for (const Segment& segment : snapshot.segments) {
        if (segment.first >= segment.last_end) continue;
        bytes += segment.end - segment.first;
        filter_.lowest = std::min(filter_.lowest, segment.first);
        highest = std::max(highest, segment.end);
    }
    if (highest > filter_.lowest) filter_.span = highest - filter_.lowest;
    while (bytes >> granule_shift_ > kMaxGranules) ++granule_shift_;
    const std::uint64_t granules = (bytes >> granule_shift_) + 2 * snapshot.segments.size();
    const std::uint64_t capacity = std::bit_ceil(granules * 2 + 16);
    slots_.resize(capacity);
    mask_ = capacity - 1;
    indices_.resize(snapshot.segments.size());
    for (std::uint32_t i = 0; i < snapshot.segments.size(); ++i) {
        const Segment& segment = snapshot.segments[i];
        if (segment.first >= segment.last_end) continue;
        const std::uint64_t last = (segment.end - 1) >> granule_shift_;
        for (std::uint64_t g = segment.first >> granule_shift_; g <= last; ++g) insert(g, i);
        if (segment.chunk_end - segment.chunk_begin > 1) index_pages(segment, indices_[i]);
    }
}

void Locator::insert(std::uint64_t granule, std::uint32_t segment) {
    std::uint64_t at = (granule * 0x9e3779b97f4a7c15ULL >> 20) & mask_;
    while (slots_[at].granule != ~0ULL && slots_[at].granule != granule) at = (at + 1) & mask_;
    if (slots_[at].granule == granule) return;  // segments come in order: the first one stays
    slots_[at] = {granule, segment};
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
