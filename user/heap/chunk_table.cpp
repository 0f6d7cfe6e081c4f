// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/heap/chunk_table.h"

#include <algorithm>

namespace asrtrace::heap {

void ChunkTable::prefault(std::size_t chunks, std::size_t links) {
    chunks_.resize(chunks);
    links_.resize(links);
    link_chunks_.resize(links);
    clear();
}

void ChunkTable::clear() {
    chunks_.clear();
    links_.clear();
    link_chunks_.clear();
}

std::optional<std::uint64_t> ChunkTable::link(std::size_t chunk) const {
    const auto at = std::lower_bound(link_chunks_.begin(), link_chunks_.end(), chunk);
    if (at == link_chunks_.end() || *at != chunk) return std::nullopt;
    return links_[static_cast<std::size_t>(at - link_chunks_.begin())];
}

void ChunkTable::truncate(std::size_t count) {
    if (count >= chunks_.size()) return;
    chunks_.resize(count);
    while (!link_chunks_.empty() && link_chunks_.back() >= count) {
        link_chunks_.pop_back();
        links_.pop_back();
    }
}

void ChunkTable::reopen_last() {
    const std::size_t last = chunks_.size() - 1;
    clear(last, kInBin);
    if (!link_chunks_.empty() && link_chunks_.back() == last) {
        link_chunks_.pop_back();
        links_.pop_back();
    }
}

std::optional<std::size_t> ChunkTable::find(const Segment& segment, std::uint64_t address) const {
    if (address < segment.first || address >= segment.last_end) return std::nullopt;
    const auto begin = chunks_.begin() + static_cast<std::ptrdiff_t>(segment.chunk_begin);
    const auto end = chunks_.begin() + static_cast<std::ptrdiff_t>(segment.chunk_end);
    // A chunk's state sits in its low bits: compare against the last value of this address.
    const auto behind = std::upper_bound(begin, end, address | kStateMask);
    if (behind == begin) return std::nullopt;
    return static_cast<std::size_t>(behind - chunks_.begin()) - 1;
}

const Segment* find_segment(const std::vector<Segment>& segments, std::uint64_t address) {
    const auto behind = std::partition_point(segments.begin(), segments.end(),
                                             [&](const Segment& s) { return s.begin <= address; });
    if (behind == segments.begin()) return nullptr;
    const Segment& segment = *(behind - 1);
    return address < segment.end ? &segment : nullptr;
}

}  // namespace asrtrace::heap
