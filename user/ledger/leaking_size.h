// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Which size of block leaks, as far as markings of the heap tell: where allocations are sampled by
// bytes, small blocks of a leak are seldom among the samples until their size is sampled more
// often.
#pragma once

#include <cstdint>
#include <optional>

#include "user/ledger/marking.h"

namespace asrtrace::ledger {

/// Sizes as asked of malloc, both inclusive.
struct SizeRange {
    std::uint64_t low = 0, high = 0;
};

class LeakingSize {
  public:
    /// Takes in the unreachable chunks of one marking. The sizes that chunks of the class hold
    /// whose unreachable bytes grew most since the first marking; nothing while none grew by two
    /// blocks.
    std::optional<SizeRange> next(const BlocksBySize& lost);

  private:
    std::optional<BlocksBySize> first_;
};

}  // namespace asrtrace::ledger
