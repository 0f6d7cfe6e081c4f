// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Who holds the growth of the heap, where allocations are seen in short windows only. The readings
// of the heap tell how many more chunks of each size class are live than at the beginning; the
// windows tell which stacks allocate blocks of that class that stay:
//
//     growth(class, site) = growth(class) x share of the site among the windows' survivors
//
// Growth of a class in which no window saw a survivor goes to the sites whose blocks are of various
// sizes around it, else to the unknown stack. Blocks that nothing points to are shared out the same
// way, by the survivors that are among them.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "user/ledger/sites.h"

namespace asrtrace::ledger {

/// Live chunks of one size class (largest size: `upper`) in a reading of the heap.
struct ClassLevel {
    std::uint64_t upper = 0;
    std::uint64_t chunks = 0;
};

struct SiteEstimate {
    SiteIndex site = 0;
    Amount outlived;
    Amount unreachable;
};

class Apportioner {
  public:
    /// A block of so many bytes, as asked, outlived its request in a window.
    void add_survivor(SiteIndex site, std::uint64_t bytes);
    /// What a reading of the heap counts. The first one is what growth is counted from. `quiet`: no
    /// request was in flight, whose own blocks look like growth.
    void read(const std::vector<ClassLevel>& levels, bool quiet);
    /// From now on growth counts from the next reading.
    void restart();
    /// Of chunks that nothing points to, by class: how many there are, and how many survivors are
    /// among them, by site, that are most of that site's. Those of the first call are no growth,
    /// but where survivors are among them.
    void set_lost(std::map<std::uint64_t, std::uint64_t> chunks,
                  std::map<std::uint64_t, std::map<SiteIndex, std::uint64_t>> survivors);

    /// Of every site that has survivors, and of `unknown`.
    std::vector<SiteEstimate> estimate(SiteIndex unknown) const;

  private:
    using Shares = std::map<SiteIndex, Amount>;
    /// Classes that a site's survivors were seen in, and what they were.
    struct Range {
        std::uint64_t least = 0;
        std::uint64_t most = 0;
        Amount amount;
    };
    using Levels = std::map<std::uint64_t, std::uint64_t>;

    Shares shares_of(std::uint64_t upper, const std::map<SiteIndex, Range>& ranges) const;
    std::map<SiteIndex, Range> ranges() const;
    double growth_of(std::uint64_t upper) const;
    void share_lost(std::uint64_t upper, double growth, const Shares& shares,
                    std::map<SiteIndex, SiteEstimate>& out) const;

    std::map<std::uint64_t, Shares> survivors_;  ///< by class
    std::vector<Levels> readings_;               ///< the last ones, newest last
    Levels first_;
    bool has_first_ = false;
    Levels lost_first_, lost_;
    bool has_lost_ = false;
    std::map<std::uint64_t, std::map<SiteIndex, std::uint64_t>> lost_survivors_;
};

}  // namespace asrtrace::ledger
