// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Banks in plain memory.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "bpf/unwind.h"
#include "user/unwind/space.h"

namespace asrtrace::unwind {

struct MemoryBanks final : BankProvider {
    static constexpr std::size_t kBankBytes = std::size_t{UNWIND_BANK_CHUNKS} * UNWIND_CHUNK_BYTES;

    Result<std::span<std::uint8_t>> create_bank(std::uint32_t number) override {
        if (number != banks.size() || banks.size() == limit) return Error{"no bank"};
        banks.push_back(std::make_unique<std::vector<std::uint8_t>>(kBankBytes));
        return std::span<std::uint8_t>(*banks.back());
    }

    std::uint8_t byte(std::uint64_t at) const { return (*banks[at / kBankBytes])[at % kBankBytes]; }

    std::vector<std::unique_ptr<std::vector<std::uint8_t>>> banks;
    std::size_t limit = UNWIND_BANKS;
};

}  // namespace asrtrace::unwind
