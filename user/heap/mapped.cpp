// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include <algorithm>
#include <array>
#include <optional>
#include <string>

#include "user/heap/snapshot.h"

namespace asrtrace::heap {
namespace {

constexpr std::size_t kMaxBatch = 256;

/// Looks for the headers of mapped chunks at the beginnings of pages that nobody else owns.
class MappedSearch {
  public:
    MappedSearch(TargetMemory& memory, const Snapshot& snapshot)
        : memory_(memory), snapshot_(snapshot), page_(memory.page_size()) {}

    std::vector<MappedHeader> run() {
        for (const MapsEntry& entry : snapshot_.maps) {
            const bool anonymous = entry.path.empty() || entry.path.starts_with("[anon") ||
                                   entry.path.find("anon_hugepage") != std::string::npos;
            if (!anonymous || !entry.readable || !entry.writable || entry.shared) continue;
            search(entry);
        }
        return std::move(found_);
    }

  private:
    void search(const MapsEntry& entry) {
        std::uint64_t at = entry.begin;
        std::size_t batch = 1;
        while (at < entry.end) {
            const std::vector<std::uint64_t> pages = next_pages(at, entry.end, batch);
            if (pages.empty()) return;
            std::vector<std::uint64_t> words(pages.size() * 2);
            memory_.read_each(pages, 16, bytes_of(words));
            at = pages.back() + page_;
            batch = std::min(batch * 2, kMaxBatch);
            for (std::size_t i = 0; i < pages.size(); ++i) {
                const auto header = decide(pages[i], words[2 * i], words[2 * i + 1], entry.end);
                if (!header) continue;
                found_.push_back(*header);
                at = header->base + header->total;
                batch = 1;
                break;
            }
        }
    }

    static std::span<std::uint8_t> bytes_of(std::vector<std::uint64_t>& words) {
        return {reinterpret_cast<std::uint8_t*>(words.data()), words.size() * 8};
    }

    /// Up to `count` present pages from `at` on, outside the arenas' memory.
    std::vector<std::uint64_t> next_pages(std::uint64_t at, std::uint64_t end, std::size_t count) {
        std::vector<std::uint64_t> pages;
        while (pages.size() < count && at < end) {
            const PageRange* range = snapshot_.residency.find_from(at);
            if (range == nullptr || range->begin >= end) break;
            at = std::max(at, range->begin);
            if (range->kind != PageKind::kAnonymous) {
                at = range->end;
            } else if (const Segment* own = find_segment(snapshot_.segments, at); own != nullptr) {
                at = std::max((std::max(own->committed, own->end) + page_ - 1) & ~(page_ - 1),
                              at + page_);
            } else {
                pages.push_back(at);
                at += page_;
            }
        }
        return pages;
    }

    /// Is there a mapped chunk whose mapping begins at `base`? An aligned one lies further in,
    /// where _int_memalign (malloc.c) put it, and leaves the first header behind.
    std::optional<MappedHeader> decide(std::uint64_t base, std::uint64_t prev_size,
                                       std::uint64_t size, std::uint64_t end) {
        MappedHeader plain;
        if ((prev_size & ~1ULL) != 0 || !decode_mapped(base, prev_size, size, page_, plain))
            return {};
        std::vector<std::uint64_t> places;
        const std::uint64_t memory = base + kChunkHeader;
        for (std::uint64_t align = 32; align != 0 && align <= end - base; align *= 2) {
            if (memory % align == 0) continue;
            const std::uint64_t first = ((memory + align - 1) & ~(align - 1)) - kChunkHeader;
            for (std::uint64_t place : {first, first + align}) {
                if (place > base && place + 32 <= end && present(place)) places.push_back(place);
            }
        }
        std::vector<std::uint64_t> words(places.size() * 2);
        memory_.read_each(places, 16, bytes_of(words));
        for (std::size_t i = 0; i < places.size(); ++i) {
            MappedHeader aligned;
            if (!decode_mapped(places[i], words[2 * i], words[2 * i + 1], page_, aligned)) continue;
            if (aligned.base == base && aligned.total <= end - base) return aligned;
        }
        if (plain.total > end - base) return {};
        return plain;
    }

    bool present(std::uint64_t address) const {
        const PageRange* range = snapshot_.residency.find(address);
        return range != nullptr && range->kind == PageKind::kAnonymous;
    }

    TargetMemory& memory_;
    const Snapshot& snapshot_;
    const std::uint64_t page_;
    std::vector<MappedHeader> found_;
};

std::uint64_t distance(std::uint64_t a, std::uint64_t b) {
    return a > b ? a - b : b - a;
}

/// Something else that begins like a mapped chunk: the one whose absence makes count and sum right.
void drop_impostor(std::vector<MappedHeader>& found, std::uint64_t excess) {
    const auto is_it = [&](const MappedHeader& header) { return header.total == excess; };
    if (std::count_if(found.begin(), found.end(), is_it) != 1) return;
    found.erase(std::find_if(found.begin(), found.end(), is_it));
}

}  // namespace

Status find_mapped_chunks(TargetMemory& memory, Snapshot& snapshot,
                          const SnapshotOptions& options) {
    if (snapshot.parameters.n_mmaps == 0) return ok_status();
    std::vector<MappedHeader> found = MappedSearch(memory, snapshot).run();
    const auto total = [&found] {
        std::uint64_t sum = 0;
        for (const MappedHeader& header : found) sum += header.total;
        return sum;
    };
    std::uint64_t wanted = snapshot.parameters.mmapped_mem;
    std::uint64_t wanted_count = snapshot.parameters.n_mmaps;
    if (!options.still) {
        auto now = read_parameters(memory, snapshot.location);
        if (now && distance(now->mmapped_mem, total()) < distance(wanted, total())) {
            wanted = now->mmapped_mem;
            wanted_count = now->n_mmaps;
        }
    }
    if (found.size() == wanted_count + 1 && total() > wanted)
        drop_impostor(found, total() - wanted);
    const std::uint64_t slack = options.still ? 0 : wanted / 50 + (1 << 20);
    if (distance(total(), wanted) > slack || (options.still && found.size() != wanted_count)) {
        return Error{"mapped chunks: found " + std::to_string(found.size()) + " of " +
                     std::to_string(total()) + " bytes, mp_ counts " +
                     std::to_string(wanted_count) + " of " + std::to_string(wanted)};
    }
    for (const MappedHeader& header : found) {
        Segment segment;
        segment.kind = SegmentKind::kMapped;
        segment.begin = header.base;
        segment.first = header.chunk;
        segment.last_end = segment.end = segment.committed = header.base + header.total;
        segment.chunk_begin = snapshot.chunks.size();
        snapshot.chunks.push(header.chunk);
        segment.chunk_end = snapshot.chunks.size();
        snapshot.segments.push_back(segment);
    }
    snapshot.mapped_chunks = found.size();
    snapshot.mapped_bytes = total();
    return ok_status();
}

}  // namespace asrtrace::heap
