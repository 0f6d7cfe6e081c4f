// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The blocks that are alive, by address. A block is named by address and serial: the serial tells
// it from a later block at the same address.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "tsl/robin_map.h"
#include "user/decode/event.h"
#include "user/ledger/sites.h"

namespace asrtrace::ledger {

struct Block {
    std::uint64_t size = 0;  ///< bytes as asked
    std::uint64_t serial = 0;
    SiteIndex site = 0;
    std::uint32_t outlived_at = 0;  ///< requests completed when its own ended
    PathIndex path = 0;             ///< of its request
    bool of_request = false;        ///< allocated by one
    decode::Sampling sampling = decode::Sampling::kAll;
    bool held = true;  ///< part of its site's levels; else these are estimates
    Fate fate{};
};

struct BlockName {
    std::uint64_t address = 0;
    std::uint64_t serial = 0;
};

class LiveBlocks {
  public:
    /// Puts a block in; what was at its address, if anything, comes back: its end was lost.
    std::optional<Block> insert(std::uint64_t address, Block block) {
        auto [entry, inserted] = blocks_.insert({address, block});
        if (inserted) return std::nullopt;
        const Block old = entry->second;
        entry.value() = block;
        return old;
    }

    std::optional<Block> take(std::uint64_t address) {
        const auto entry = blocks_.find(address);
        if (entry == blocks_.end()) return std::nullopt;
        const Block block = entry->second;
        blocks_.erase(entry);
        return block;
    }

    /// Takes out all blocks at addresses in [begin, end).
    std::vector<Block> take_range(std::uint64_t begin, std::uint64_t end) {
        std::vector<Block> taken;
        for (auto entry = blocks_.begin(); entry != blocks_.end();) {
            if (entry->first < begin || entry->first >= end) {
                ++entry;
                continue;
            }
            taken.push_back(entry->second);
            entry = blocks_.erase(entry);
        }
        return taken;
    }

    /// The block of that name if it is still alive, else null.
    Block* find(BlockName name) {
        const auto entry = blocks_.find(name.address);
        if (entry == blocks_.end() || entry->second.serial != name.serial) return nullptr;
        return &entry.value();
    }

    /// The block at this address, else null.
    Block* at(std::uint64_t address) {
        const auto entry = blocks_.find(address);
        return entry == blocks_.end() ? nullptr : &entry.value();
    }

    /// Calls `visit(address, block)` for all, in no order.
    template <typename Visit>
    void each(Visit visit) const {
        for (const auto& [address, block] : blocks_) visit(address, block);
    }
    template <typename Visit>
    void each(Visit visit) {
        for (auto entry = blocks_.begin(); entry != blocks_.end(); ++entry)
            visit(entry->first, entry.value());
    }

    std::size_t size() const { return blocks_.size(); }

  private:
    /// Addresses are multiples of 16: spread them.
    struct AddressHash {
        std::size_t operator()(std::uint64_t address) const noexcept {
            return static_cast<std::size_t>((address >> 4) * 0x9e3779b97f4a7c15ULL >> 20);
        }
    };
    tsl::robin_map<std::uint64_t, Block, AddressHash> blocks_;
};

}  // namespace asrtrace::ledger
