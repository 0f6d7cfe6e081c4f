// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// What the requests of each URL path did, and what of each site is held by whose requests: the
// ledger's account by path. Paths are told apart up to a bound; numbers and ids within them are
// not:
// "/users/17" and "/users/18" are one path.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "tsl/robin_map.h"
#include "user/ledger/recording.h"
#include "user/ledger/sites.h"

namespace asrtrace::ledger {

/// A path as it is told: a segment that is a number, a UUID, or 16 and more hexadecimal digits
/// stands as "{id}"; of "http://host/path" the path.
std::string path_pattern(std::string_view path);

class Paths {
  public:
    /// The path's number, made on first use; the last one is "[other]" for all beyond the bound.
    PathIndex at(std::string_view path);

    void end(PathIndex path, const Request& request, bool served);

    /// Blocks of this site that outlived a request of this path, and those that went after all.
    void hold(SiteIndex site, PathIndex path, Amount amount);
    void let_go(SiteIndex site, PathIndex path, Amount amount);

    /// What is held or was allocated is not known any more, for good: all else goes on.
    void forget_blocks();

    /// By number; empty if there are none.
    std::vector<PathTotals> totals() const;
    /// Most bytes first, so many at most.
    std::vector<SitePath> site_paths(const std::function<StackId(SiteIndex)>& stack_of) const;

  private:
    std::vector<PathTotals> paths_;
    std::vector<Amount> held_;  ///< by path
    std::map<std::string, PathIndex, std::less<>> index_;
    tsl::robin_map<std::uint64_t, Amount> by_site_;  ///< site << 16 | path
    bool blocks_known_ = true;
};

}  // namespace asrtrace::ledger
