// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The space of 64 KiB chunks that the walker reads (bpf/unwind.h): hands out extents, grows by
// banks. Whoever owns the BPF maps supplies a bank's memory, mapped, so that tables are written in
// place.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include "user/base/bytes.h"
#include "user/base/result.h"

namespace asrtrace::unwind {

class BankProvider {
  public:
    virtual ~BankProvider() = default;
    /// Writable memory of bank `number` (0, 1, 2 ...; UNWIND_BANK_CHUNKS * UNWIND_CHUNK_BYTES
    /// bytes) that stays valid and that the walker sees as unwind_banks[number] from then on.
    virtual Result<std::span<std::uint8_t>> create_bank(std::uint32_t number) = 0;
};

struct Extent {
    std::uint64_t cell = 0;   ///< first, in units of 8 bytes
    std::uint64_t cells = 0;  ///< 0: nothing
};

class Space {
  public:
    explicit Space(BankProvider& provider) : provider_(provider) {}

    /// Room for `bytes`: within one chunk if it fits one, else from a chunk's start on, so that
    /// positions modulo a chunk are those of the data. Error: no more banks, or none to be had.
    Result<Extent> allocate(std::uint64_t bytes);
    void release(Extent extent);

    /// Precondition: the data fit the extent.
    void write(Extent extent, Bytes data);

    std::uint64_t used_bytes() const { return used_cells_ * 8; }
    std::uint64_t reserved_bytes() const;

  private:
    Status grow();
    void add_free(std::uint64_t cell, std::uint64_t cells);

    BankProvider& provider_;
    std::vector<std::span<std::uint8_t>> banks_;
    std::map<std::uint64_t, std::uint64_t> free_;  // first cell -> cells; neighbours are merged
    std::uint64_t used_cells_ = 0;
};

}  // namespace asrtrace::unwind
