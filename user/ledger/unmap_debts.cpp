// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/ledger/unmap_debts.h"

#include <algorithm>

namespace asrtrace::ledger {
namespace {

/// A thread is not kept from its next instruction for longer. What is owed then was unmapped in a
/// way that is not seen, or its record was lost: it must not stand for a later unmapping.
constexpr std::uint64_t kForgivenNs = 1'000'000'000;

}  // namespace

void UnmapDebts::owe(const std::vector<Region>& pieces, std::uint32_t tid, std::uint64_t time_ns) {
    forgive(time_ns);
    for (const Region& piece : pieces)
        debts_.push_back({.region = piece, .tid = tid, .time_ns = time_ns});
}

void UnmapDebts::forgive(std::uint64_t now_ns) {
    const auto kept = std::find_if(debts_.begin(), debts_.end(), [&](const Debt& debt) {
        return debt.time_ns + kForgivenNs >= now_ns;
    });
    debts_.erase(debts_.begin(), kept);
}

/// Pays [begin, end) of a debt that holds it; what is left of it stays owed.
void UnmapDebts::pay(std::size_t index, std::uint64_t begin, std::uint64_t end, Settlement& out) {
    Debt left = debts_[index];
    Debt right = left;
    Region piece = left.region;
    piece.begin = begin;
    piece.end = end;
    out.paid.push_back(piece);
    left.region.end = begin;
    right.region.begin = end;
    auto at = debts_.erase(debts_.begin() + static_cast<std::ptrdiff_t>(index));
    if (right.region.begin < right.region.end) at = debts_.insert(at, right);
    if (left.region.begin < left.region.end) debts_.insert(at, left);
}

UnmapDebts::Settlement UnmapDebts::settle(std::uint64_t begin, std::uint64_t end, std::uint32_t tid,
                                          std::uint64_t time_ns) {
    Settlement out;
    forgive(time_ns);
    std::vector<std::pair<std::uint64_t, std::uint64_t>> open{{begin, end}};
    while (!open.empty()) {
        const std::uint64_t from = open.back().first, to = open.back().second;
        open.pop_back();
        const auto debt = std::find_if(debts_.begin(), debts_.end(), [&](const Debt& owed) {
            return owed.tid != tid && owed.region.begin < to && from < owed.region.end;
        });
        if (debt == debts_.end()) {
            out.rest.emplace_back(from, to);
            continue;
        }
        const std::uint64_t paid_from = std::max(from, debt->region.begin);
        const std::uint64_t paid_to = std::min(to, debt->region.end);
        pay(static_cast<std::size_t>(debt - debts_.begin()), paid_from, paid_to, out);
        if (from < paid_from) open.emplace_back(from, paid_from);
        if (paid_to < to) open.emplace_back(paid_to, to);
    }
    return out;
}

}  // namespace asrtrace::ledger
