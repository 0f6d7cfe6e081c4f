// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/classify/series.h"

#include <algorithm>

namespace asrtrace::classify {

using ledger::SiteKind;

Grid::Grid(const std::vector<ledger::Epoch>& epochs) {
    std::vector<std::pair<std::size_t, double>> rising;
    for (std::size_t i = 0; i < epochs.size(); ++i) {
        const auto requests = static_cast<double>(epochs[i].requests);
        if (!rising.empty() && requests == rising.back().second)
            rising.back().first = i;
        else if (requests > (rising.empty() ? 0 : rising.back().second))
            rising.emplace_back(i, requests);
    }
    const std::size_t count = std::min(rising.size(), kMaxPoints - 1);
    for (std::size_t k = 1; k <= count; ++k) at_.push_back(rising[k * rising.size() / count - 1]);
}

std::vector<Point> Grid::points(
    const std::vector<std::pair<std::size_t, std::uint64_t>>& changes) const {
    std::vector<Point> points{{0, 0}};
    auto next = changes.begin();
    double level = 0;
    for (const auto& [epoch, requests] : at_) {
        for (; next != changes.end() && next->first <= epoch; ++next)
            level = static_cast<double>(next->second);
        points.push_back({requests, level});
    }
    return points;
}

std::map<SiteKey, SiteHistory> site_histories(const ledger::Recording& recording) {
    std::map<SiteKey, SiteHistory> histories;
    for (std::size_t epoch = 0; epoch < recording.site_epochs.size(); ++epoch)
        for (const auto& site : recording.site_epochs[epoch]) {
            SiteHistory& history = histories[{site.kind, site.stack}];
            history.allocated_bytes += site.allocated_bytes;
            history.allocated_blocks += site.allocated_blocks;
            history.freed_bytes += site.freed_bytes;
            history.freed_blocks += site.freed_blocks;
            history.live_bytes = site.live_bytes;
            history.live_blocks = site.live_blocks;
            history.outlived_bytes = site.outlived_bytes;
            history.outlived_blocks = site.outlived_blocks;
            history.changes.emplace_back(epoch, site.kind == SiteKind::kFault
                                                    ? history.allocated_bytes
                                                    : site.outlived_bytes);
        }
    return histories;
}

}  // namespace asrtrace::classify
