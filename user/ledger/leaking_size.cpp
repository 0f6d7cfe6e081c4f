// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/ledger/leaking_size.h"

namespace asrtrace::ledger {
namespace {

constexpr std::uint64_t kFewestBlocks = 2;
constexpr std::uint64_t kSmallestChunk = 32;

/// malloc/malloc.c, request2size: a chunk holds 8 bytes less than its size, in steps of 16.
SizeRange sizes_in(std::uint64_t chunk_bytes) {
    if (chunk_bytes <= kSmallestChunk) return {0, kSmallestChunk - 8};
    return {chunk_bytes - 23, chunk_bytes - 8};
}

}  // namespace

std::optional<SizeRange> LeakingSize::next(const BlocksBySize& lost) {
    if (!first_) {
        first_ = lost;
        return std::nullopt;
    }
    std::uint64_t most = 0, leaking = 0;
    for (const auto& [chunk_bytes, count] : lost) {
        const auto before = first_->find(chunk_bytes);
        const std::uint64_t base = before == first_->end() ? 0 : before->second;
        if (count < base + kFewestBlocks || (count - base) * chunk_bytes <= most) continue;
        most = (count - base) * chunk_bytes;
        leaking = chunk_bytes;
    }
    if (leaking == 0) return std::nullopt;
    return sizes_in(leaking);
}

}  // namespace asrtrace::ledger
