// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/heap/residency.h"

#include <algorithm>

namespace asrtrace::heap {

Residency::Residency(std::vector<PageRange> ranges) : ranges_(std::move(ranges)) {
    count();
}

void Residency::count() {
    anonymous_before_.clear();
    anonymous_before_.reserve(ranges_.size());
    std::uint64_t sum = 0;
    for (const PageRange& range : ranges_) {
        anonymous_before_.push_back(sum);
        if (range.kind == PageKind::kAnonymous) sum += range.end - range.begin;
    }
}

Result<Residency> Residency::read(TargetMemory& memory, const std::vector<MapsEntry>& maps) {
    std::vector<PageRange> all;
    for (const MapsEntry& entry : maps) {
        if (!entry.readable || entry.path.starts_with("[v"))
            continue;  // the kernel's: [vvar], [vdso]
        auto ranges = memory.pages(entry.begin, entry.end, !entry.is_file() && !entry.shared);
        if (!ranges) return ranges.error();
        for (const PageRange& range : *ranges) {
            // A vanished mapping or a hostile image may answer out of order: keep the order.
            if (range.end <= range.begin || (!all.empty() && range.begin < all.back().end))
                continue;
            // Of what may not be written to now, what was written before.
            if (entry.writable || range.kind == PageKind::kAnonymous) all.push_back(range);
        }
    }
    return Residency(std::move(all));
}

void Residency::look_again(TargetMemory& memory, std::uint64_t begin, std::uint64_t end) {
    const auto fresh = memory.pages(begin, end, true);
    if (!fresh || fresh->empty()) return;
    std::vector<PageRange> all;
    all.reserve(ranges_.size() + fresh->size() + 1);
    const auto add = [&all](PageRange range) {
        if (range.begin < range.end) all.push_back(range);
    };
    for (const PageRange& range : ranges_)
        if (range.begin < begin) add({range.begin, std::min(range.end, begin), range.kind});
    for (const PageRange& range : *fresh)
        if (all.empty() || range.begin >= all.back().end) add(range);
    for (const PageRange& range : ranges_)
        if (range.end > end) add({std::max(range.begin, end), range.end, range.kind});
    ranges_ = std::move(all);
    hint_ = 0;
    count();
}

const PageRange* Residency::find_from(std::uint64_t address) const {
    const auto ends_behind = [&](std::size_t i) { return ranges_[i].end > address; };
    if (hint_ < ranges_.size() && ends_behind(hint_) && (hint_ == 0 || !ends_behind(hint_ - 1))) {
        return &ranges_[hint_];
    }
    if (hint_ + 1 < ranges_.size() && !ends_behind(hint_) && ends_behind(hint_ + 1)) {
        return &ranges_[++hint_];
    }
    const auto at = std::partition_point(ranges_.begin(), ranges_.end(),
                                         [&](const PageRange& r) { return r.end <= address; });
    if (at == ranges_.end()) return nullptr;
    hint_ = static_cast<std::size_t>(at - ranges_.begin());
    return &*at;
}

const PageRange* Residency::find(std::uint64_t address) const {
    const PageRange* range = find_from(address);
    return range != nullptr && range->begin <= address ? range : nullptr;
}

std::uint64_t Residency::anonymous_bytes(std::uint64_t begin, std::uint64_t end) const {
    const auto below = [this](std::uint64_t address) -> std::uint64_t {
        const PageRange* range = find_from(address);
        if (range == nullptr) {
            if (ranges_.empty()) return 0;
            const PageRange& last = ranges_.back();
            const bool counts = last.kind == PageKind::kAnonymous;
            return anonymous_before_.back() + (counts ? last.end - last.begin : 0);
        }
        const auto index = static_cast<std::size_t>(range - ranges_.data());
        const bool inside = range->kind == PageKind::kAnonymous && address > range->begin;
        return anonymous_before_[index] + (inside ? address - range->begin : 0);
    };
    if (end <= begin) return 0;
    const std::uint64_t in_front = below(begin);
    return below(end) - in_front;
}

bool Residency::swapped(std::uint64_t begin, std::uint64_t end) const {
    const PageRange* range = find_from(begin);
    for (; range != nullptr && range < ranges_.data() + ranges_.size() && range->begin < end;
         ++range) {
        if (range->kind == PageKind::kSwapped) return true;
    }
    return false;
}

}  // namespace asrtrace::heap
