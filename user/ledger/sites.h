// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// What each site (an allocation stack of one kind) asked for, gave back and holds. Amounts are
// doubles because a sampled block counts for more than itself; without sampling they are whole
// numbers, exact up to 2^53.
#pragma once

#include <cstdint>
#include <vector>

#include "tsl/robin_map.h"
#include "user/ledger/recording.h"

namespace asrtrace::ledger {

constexpr std::uint64_t kPageBytes = 4096;

/// Index of a site within the ledger.
using SiteIndex = std::uint32_t;

struct Amount {
    double bytes = 0;
    double blocks = 0;
};

/// Whose a block was, and what had become of it before it was freed.
struct Fate {
    bool outlived = false;     ///< its request has ended
    bool unreachable = false;  ///< nothing pointed to it
    bool followed = false;     ///< it is a followed child's
};

class Sites {
  public:
    /// The site of this kind and stack, made on first use.
    SiteIndex at(SiteKind kind, StackId stack);

    /// `held`: the levels change too; else only the flows, and the levels are estimate()'s.
    void allocate(SiteIndex site, Amount amount, bool held = true);
    void free(SiteIndex site, Amount amount, Fate fate, bool held = true);
    /// A block of this site has outlived its request.
    void outlive(SiteIndex site, Amount amount, Fate fate);
    /// Nothing points to a block of this site any more.
    void lose(SiteIndex site, Amount amount);
    /// Something does.
    void find(SiteIndex site, Amount amount);
    /// Takes an earlier free back (a realloc or munmap that failed).
    void restore(SiteIndex site, Amount amount, Fate fate, bool held = true);
    /// What becomes of a block is not seen any more: it leaves the levels.
    void forget(SiteIndex site, Amount amount, Fate fate);
    /// What the site holds beside the blocks that were seen: all of it outlived its request.
    void estimate(SiteIndex site, Amount outlived, Amount unreachable);
    StackId stack(SiteIndex site) const { return sites_[site].stack; }

    /// The sites that changed since the last call, in the order of their making.
    std::vector<SiteEpoch> close_epoch();

  private:
    struct Site {
        SiteKind kind;
        StackId stack;
        Amount allocated{}, freed{}, late_freed{}, retracted{};  ///< flows
        Amount live{}, outlived{}, unreachable{}, followed{};    ///< levels
        Amount estimated{}, estimated_unreachable{};             ///< on top of them
        bool changed = false;
    };
    Site& change(SiteIndex site);

    std::vector<Site> sites_;
    std::vector<SiteIndex> changed_;
    tsl::robin_map<std::uint64_t, SiteIndex> index_;  ///< stack id << 8 | kind
};

}  // namespace asrtrace::ledger
