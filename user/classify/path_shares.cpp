// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/classify/path_shares.h"

#include <algorithm>
#include <map>
#include <set>

namespace asrtrace::classify {

std::vector<PathShare> path_shares(const ledger::Recording& recording,
                                   const std::vector<StackId>& stacks) {
    const std::set<StackId> wanted(stacks.begin(), stacks.end());
    std::map<ledger::PathIndex, std::uint64_t> held;
    std::uint64_t all = 0;
    for (const ledger::SitePath& row : recording.site_paths) {
        if (!wanted.contains(row.stack) || row.path >= recording.paths.size()) continue;
        held[row.path] += row.held_bytes;
        all += row.held_bytes;
    }
    std::vector<PathShare> shares;
    for (const auto& [path, bytes] : held)
        if (bytes != 0)
            shares.push_back({path, bytes, static_cast<double>(bytes) / static_cast<double>(all)});
    std::stable_sort(shares.begin(), shares.end(),
                     [](const auto& a, const auto& b) { return a.bytes > b.bytes; });
    return shares;
}

}  // namespace asrtrace::classify
