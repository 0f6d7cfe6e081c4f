// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/ledger/mappings.h"

#include <algorithm>

namespace asrtrace::ledger {

std::vector<Region> Mappings::cut(std::uint64_t begin, std::uint64_t end) {
    std::vector<Region> pieces;
    auto entry = regions_.upper_bound(begin);
    if (entry != regions_.begin() && std::prev(entry)->second.end > begin) --entry;
    while (entry != regions_.end() && entry->first < end) {
        const Region whole = entry->second;
        entry = regions_.erase(entry);
        Region piece = whole;
        piece.begin = std::max(whole.begin, begin);
        piece.end = std::min(whole.end, end);
        pieces.push_back(piece);
        bytes_ -= piece.bytes();
        if (whole.begin < begin) {
            Region left = whole;
            left.end = begin;
            regions_.emplace(left.begin, left);
        }
        if (whole.end > end) {
            Region right = whole;
            right.begin = end;
            entry = regions_.emplace(right.begin, right).first;
        }
    }
    return pieces;
}

void Mappings::insert(const Region& region) {
    Region& there = regions_[region.begin];
    bytes_ += region.bytes() - there.bytes();
    there = region;
}

void Mappings::clear() {
    regions_.clear();
    bytes_ = 0;
}

}  // namespace asrtrace::ledger
