// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Unmappings that are told behind the call come late: the kernel may have given the range to
// another thread, and that mapping may be told first. Then the old range goes at once and is owed;
// the unmapping pays when it comes, instead of taking the new mapping away.
//
//     kernel:  munmap(A) by 1, mmap = A by 2      ring:  mmap = A by 2, munmap(A) by 1
//     ledger:  A goes and is owed by somebody, A is 2's; then the debt is paid
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "user/ledger/mappings.h"

namespace asrtrace::ledger {

class UnmapDebts {
  public:
    /// `pieces` were mapped where `tid` was given a mapping.
    void owe(const std::vector<Region>& pieces, std::uint32_t tid, std::uint64_t time_ns);

    struct Settlement {
        std::vector<Region> paid;
        std::vector<std::pair<std::uint64_t, std::uint64_t>> rest;  ///< ranges nobody owes
    };
    /// `tid` unmapped [begin, end). What it was given itself it does not pay for: that is unmapped
    /// now.
    Settlement settle(std::uint64_t begin, std::uint64_t end, std::uint32_t tid,
                      std::uint64_t time_ns);

    void clear() { debts_.clear(); }

  private:
    struct Debt {
        Region region;
        std::uint32_t tid = 0;
        std::uint64_t time_ns = 0;
    };

    void pay(std::size_t index, std::uint64_t begin, std::uint64_t end, Settlement& out);
    void forgive(std::uint64_t now_ns);

    std::vector<Debt> debts_;  ///< oldest first
};

}  // namespace asrtrace::ledger
