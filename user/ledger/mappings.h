// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The target's address space as mmap, munmap, mremap and brk changed it: disjoint regions, each
// with the site that made it. Ranges are [begin, end), whole pages.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "user/ledger/sites.h"

namespace asrtrace::ledger {

struct Region {
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
    std::uint64_t serial = 0;  ///< pieces of one mapping share it
    SiteIndex site = 0;
    bool tracked = false;  ///< anonymous and mapped since the attach: its site counts it
    Fate fate{};

    std::uint64_t bytes() const { return end - begin; }
};

/// A mapping of which there may be pieces within [begin, end).
struct MappingName {
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
    std::uint64_t serial = 0;
};

class Mappings {
  public:
    /// Cuts [begin, end) out; the pieces that were mapped there come back, in order.
    std::vector<Region> cut(std::uint64_t begin, std::uint64_t end);

    /// Precondition: nothing is mapped in the region's range.
    void insert(const Region& region);

    /// Calls `visit(Region&)` for each piece of the mapping.
    template <typename Visit>
    void each_piece(const MappingName& name, Visit visit) {
        for (auto entry = regions_.lower_bound(name.begin); entry != regions_.end(); ++entry) {
            if (entry->first >= name.end) return;
            if (entry->second.serial == name.serial) visit(entry->second);
        }
    }

    void clear();
    std::uint64_t bytes() const { return bytes_; }

  private:
    std::map<std::uint64_t, Region> regions_;  ///< by begin
    std::uint64_t bytes_ = 0;                  ///< of all regions
};

}  // namespace asrtrace::ledger
