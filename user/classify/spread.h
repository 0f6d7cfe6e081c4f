// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Growth in so many places at once that none of them is worth a finding.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "user/classify/summary.h"
#include "user/ledger/recording.h"

namespace asrtrace::classify {

struct Spread {
    std::size_t places = 0;    ///< sites whose blocks outlive their request
    double bytes = 0;          ///< of all of them
    double largest_share = 0;  ///< of these, by one place
    /// The innermost function that calls most of the places, by whatever way, and the share of the
    /// bytes below it; empty if that is only where the program or the thread begins.
    std::string common_caller;
    double caller_share = 0;
};

/// Nothing if there are not many places (50), or one of them has no small part (5 %) of the bytes.
std::optional<Spread> spread_of(const ledger::Recording& recording, const std::vector<Site>& heap);

}  // namespace asrtrace::classify
