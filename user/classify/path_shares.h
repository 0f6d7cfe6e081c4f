// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Whose requests hold what these stacks allocated, where requests have paths.
#pragma once

#include <cstdint>
#include <vector>

#include "user/ledger/recording.h"

namespace asrtrace::classify {

struct PathShare {
    ledger::PathIndex path = 0;  ///< 0: of no request
    std::uint64_t bytes = 0;
    double fraction = 0;  ///< of all that these stacks hold
};

/// Most bytes first; empty if requests have no paths or the stacks hold nothing.
std::vector<PathShare> path_shares(const ledger::Recording& recording,
                                   const std::vector<StackId>& stacks);

}  // namespace asrtrace::classify
