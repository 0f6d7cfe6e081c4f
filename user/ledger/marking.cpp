// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/ledger/marking.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "user/base/size_class.h"

namespace asrtrace::ledger {

BlocksBySize Marking::classes() const {
    BlocksBySize blocks;
    for (const auto& [chunk_bytes, count] : sizes) blocks[size_class(chunk_bytes)] += count;
    return blocks;
}

Marking make_marking(std::vector<LostBlock> lost, std::uint64_t serial,
                     std::vector<std::uint64_t>& lost_before) {
    Marking marking;
    marking.serial = serial;
    marking.lost = std::move(lost);
    std::ranges::sort(marking.lost, {}, &LostBlock::address);
    std::vector<std::uint64_t> addresses;
    addresses.reserve(marking.lost.size());
    for (const LostBlock& block : marking.lost) {
        addresses.push_back(block.address);
        ++marking.sizes[block.chunk_bytes];
    }
    std::ranges::set_difference(lost_before, addresses, std::back_inserter(marking.found));
    lost_before = std::move(addresses);
    return marking;
}

}  // namespace asrtrace::ledger
