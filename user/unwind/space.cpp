// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/unwind/space.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <iterator>

#include "bpf/unwind.h"

namespace asrtrace::unwind {
namespace {

constexpr std::uint64_t kChunkCells = UNWIND_CHUNK_CELLS;
constexpr std::uint64_t kBankCells = kChunkCells * UNWIND_BANK_CHUNKS;
constexpr std::uint64_t kBankBytes = kBankCells * 8;

/// The first position at or after `cell` where data of that length may lie.
std::uint64_t align_for(std::uint64_t cell, std::uint64_t cells) {
    const std::uint64_t inside = cell % kChunkCells;
    if (inside == 0 || inside + cells <= kChunkCells) return cell;
    return cell + kChunkCells - inside;
}

}  // namespace

Result<Extent> Space::allocate(std::uint64_t bytes) {
    const std::uint64_t cells = (bytes + 7) / 8;
    if (cells == 0) return Extent{};
    if (cells > kBankCells * UNWIND_BANKS)
        return Error{"unwind table: larger than the whole space"};
    for (;;) {
        for (const auto& [begin, length] : free_) {
            const std::uint64_t at = align_for(begin, cells);
            if (at + cells > begin + length) continue;
            const std::uint64_t before = begin;
            const std::uint64_t end = begin + length;
            free_.erase(before);
            add_free(before, at - before);
            add_free(at + cells, end - at - cells);
            used_cells_ += cells;
            return Extent{at, cells};
        }
        if (auto status = grow(); !status) return status.error();
    }
}

void Space::release(Extent extent) {
    if (extent.cells == 0) return;
    used_cells_ -= extent.cells;
    add_free(extent.cell, extent.cells);
}

void Space::write(Extent extent, Bytes data) {
    if (data.size() > extent.cells * 8) std::abort();
    std::uint64_t at = extent.cell * 8;
    while (!data.empty()) {
        const std::span<std::uint8_t> bank = banks_[at / kBankBytes];
        const std::uint64_t inside = at % kBankBytes;
        const std::size_t bytes = std::min<std::size_t>(data.size(), kBankBytes - inside);
        std::memcpy(bank.data() + inside, data.data(), bytes);
        data = data.subspan(bytes);
        at += bytes;
    }
}

std::uint64_t Space::reserved_bytes() const {
    return banks_.size() * kBankBytes;
}

Status Space::grow() {
    if (banks_.size() == UNWIND_BANKS) return Error{"unwind tables: all banks are full"};
    const auto number = static_cast<std::uint32_t>(banks_.size());
    auto bank = provider_.create_bank(number);
    if (!bank) return bank.error();
    if (bank->size() < kBankBytes) return Error{"unwind tables: bank is too small"};
    banks_.push_back(*bank);
    add_free(number * kBankCells, kBankCells);
    return ok_status();
}

void Space::add_free(std::uint64_t cell, std::uint64_t cells) {
    if (cells == 0) return;
    auto next = free_.lower_bound(cell);
    if (next != free_.end() && cell + cells == next->first) {
        cells += next->second;
        next = free_.erase(next);
    }
    if (next != free_.begin()) {
        const auto previous = std::prev(next);
        if (previous->first + previous->second == cell) {
            previous->second += cells;
            return;
        }
    }
    free_.emplace(cell, cells);
}

}  // namespace asrtrace::unwind
