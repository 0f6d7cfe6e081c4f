// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Levels over completed requests, site by site, out of a recording's epochs.
#pragma once

#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "user/classify/slope.h"
#include "user/ledger/recording.h"

namespace asrtrace::classify {

using SiteKey = std::pair<ledger::SiteKind, StackId>;
using Changes = std::vector<std::pair<std::size_t, std::uint64_t>>;  ///< epoch, value; in order

/// The epochs that slopes are taken from: requests strictly rise (the last epoch of equals stands
/// for them), at most kMaxPoints - 1 of them, evenly spread, the last one among them. Of a
/// recording in windows only epochs in which a census told what sites hold.
class Grid {
  public:
    explicit Grid(const ledger::Recording& recording);
    std::size_t size() const { return at_.size(); }

    /// A level that is `changes` (epoch, value; in order) and holds in between, from (0, 0) on: the
    /// window begins with nothing of the site's.
    std::vector<Point> points(const Changes& changes) const;

  private:
    std::vector<std::pair<std::size_t, double>> at_;  ///< epoch and requests
};

/// A site's sums over the window, its last levels, and the level that growth is measured by:
/// outlived bytes, for faults all bytes touched so far.
struct SiteHistory {
    std::uint64_t allocated_bytes = 0, allocated_blocks = 0;
    std::uint64_t freed_bytes = 0, freed_blocks = 0;
    std::uint64_t live_bytes = 0, live_blocks = 0;
    std::uint64_t outlived_bytes = 0, outlived_blocks = 0;
    std::uint64_t unreachable_bytes = 0, unreachable_blocks = 0;
    std::uint64_t retracted_blocks = 0;
    Changes changes;
    Changes blocks;      ///< outlived blocks
    Changes late_freed;  ///< blocks freed in the epoch that had outlived their request
};

using SiteList = std::vector<std::pair<StackId, const SiteHistory*>>;

/// The level at the end of each epoch, 0 before the first change.
std::vector<double> levels_of(const Changes& changes, std::size_t epochs);

/// Whose part of what outlived its request a history tells of, and with it of what is unreachable.
/// Its flows, and what is live, are always of all processes.
enum class Holders : std::uint8_t { kAll, kTarget, kFollowed };

std::map<SiteKey, SiteHistory> site_histories(const ledger::Recording& recording,
                                              Holders holders = Holders::kAll);

}  // namespace asrtrace::classify
