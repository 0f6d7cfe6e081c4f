// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Does somebody map memory in a way that the probes do not see? Readings of what the kernel says is
// mapped, less what the ledger was told. Calls that are under way make such a reading differ for a
// moment, now here, now there; what passes by the probes makes it differ for good.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>

namespace asrtrace {

class MappingBalance {
  public:
    /// A reading; bytes.
    void add(std::int64_t difference);
    /// What is mapped or unmapped without having been seen, at most so far; 0: nothing.
    std::uint64_t unseen_bytes() const { return unseen_bytes_; }

    static constexpr std::size_t kReadings = 5;  ///< of which all have to differ

  private:
    std::deque<std::int64_t> readings_;
    std::uint64_t unseen_bytes_ = 0;
};

}  // namespace asrtrace
