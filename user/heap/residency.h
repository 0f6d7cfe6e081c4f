// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Which bytes of the target are resident, queried by byte: chunks share pages, so that a page's
// residency is split by bytes.
#pragma once

#include <vector>

#include "user/base/maps.h"
#include "user/heap/memory.h"

namespace asrtrace::heap {

class Residency {
  public:
    Residency() = default;
    /// `ranges` sorted and disjoint, as TargetMemory::pages returns them.
    explicit Residency(std::vector<PageRange> ranges);

    /// Asks for all readable private mappings that can hold heap memory or pointers to it.
    static Result<Residency> read(TargetMemory& memory, const std::vector<MapsEntry>& maps);

    /// Asks again for [begin, end), a part of one private anonymous mapping: a running target
    /// touches new pages. If that fails, what was known stays.
    void look_again(TargetMemory& memory, std::uint64_t begin, std::uint64_t end);

    /// Bytes of [begin, end) that are anonymous memory (no zero page, no swap).
    std::uint64_t anonymous_bytes(std::uint64_t begin, std::uint64_t end) const;

    /// The range that holds `address`, or null.
    const PageRange* find(std::uint64_t address) const;
    /// The first range that ends behind `address`, or null.
    const PageRange* find_from(std::uint64_t address) const;
    bool swapped(std::uint64_t begin, std::uint64_t end) const;

    const std::vector<PageRange>& ranges() const { return ranges_; }

  private:
    void count();

    std::vector<PageRange> ranges_;
    std::vector<std::uint64_t> anonymous_before_;  ///< bytes in front of range i
    mutable std::size_t hint_ = 0;                 ///< queries come in the order of addresses
};

}  // namespace asrtrace::heap
