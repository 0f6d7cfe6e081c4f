// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/classify/series.h"

#include <algorithm>

namespace asrtrace::classify {

using ledger::SiteKind;

namespace {

/// Epochs that say what sites hold: all of them, but where sites were seen in windows and share out
/// what a census found, only those in which one came in. Others repeat the level before.
std::vector<bool> telling_epochs(const ledger::Recording& recording) {
    const bool apportioned = recording.overhead.tier == "auto";
    std::vector<bool> telling(recording.epochs.size(), !apportioned);
    if (!apportioned) return telling;
    std::map<StackId, std::uint64_t> levels;
    for (std::size_t i = 0; i < recording.site_epochs.size(); ++i)
        for (const auto& site : recording.site_epochs[i]) {
            if (site.kind != SiteKind::kHeap) continue;
            auto& level = levels[site.stack];
            if (level != site.outlived_bytes) telling[i] = true;
            level = site.outlived_bytes;
        }
    if (!telling.empty()) telling.back() = true;
    return telling;
}

/// Of what followed children hold nobody knows what is unreachable.
ledger::SiteEpoch part_of(ledger::SiteEpoch site, Holders holders) {
    if (holders == Holders::kTarget) {
        site.outlived_bytes -= std::min(site.outlived_bytes, site.followed_bytes);
        site.outlived_blocks -= std::min(site.outlived_blocks, site.followed_blocks);
    } else if (holders == Holders::kFollowed) {
        site.outlived_bytes = site.followed_bytes;
        site.outlived_blocks = site.followed_blocks;
        site.unreachable_bytes = site.unreachable_blocks = site.retracted_blocks = 0;
    }
    return site;
}

}  // namespace

Grid::Grid(const ledger::Recording& recording) {
    const auto& epochs = recording.epochs;
    const std::vector<bool> telling = telling_epochs(recording);
    std::vector<std::pair<std::size_t, double>> rising;
    for (std::size_t i = 0; i < epochs.size(); ++i) {
        if (!telling[i]) continue;
        const auto requests = static_cast<double>(epochs[i].requests);
        if (!rising.empty() && requests == rising.back().second)
            rising.back().first = i;
        else if (requests > (rising.empty() ? 0 : rising.back().second))
            rising.emplace_back(i, requests);
    }
    const std::size_t count = std::min(rising.size(), kMaxPoints - 1);
    for (std::size_t k = 1; k <= count; ++k) at_.push_back(rising[k * rising.size() / count - 1]);
}

std::vector<Point> Grid::points(const Changes& changes) const {
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

std::vector<double> levels_of(const Changes& changes, std::size_t epochs) {
    std::vector<double> levels(epochs, 0);
    for (std::size_t i = 0; i < changes.size(); ++i) {
        const std::size_t end = i + 1 < changes.size() ? changes[i + 1].first : epochs;
        std::fill(levels.begin() + static_cast<std::ptrdiff_t>(changes[i].first),
                  levels.begin() + static_cast<std::ptrdiff_t>(end),
                  static_cast<double>(changes[i].second));
    }
    return levels;
}

std::map<SiteKey, SiteHistory> site_histories(const ledger::Recording& recording, Holders holders) {
    std::map<SiteKey, SiteHistory> histories;
    for (std::size_t epoch = 0; epoch < recording.site_epochs.size(); ++epoch)
        for (const auto& all : recording.site_epochs[epoch]) {
            const ledger::SiteEpoch site = part_of(all, holders);
            SiteHistory& history = histories[{site.kind, site.stack}];
            history.allocated_bytes += site.allocated_bytes;
            history.allocated_blocks += site.allocated_blocks;
            history.freed_bytes += site.freed_bytes;
            history.freed_blocks += site.freed_blocks;
            history.live_bytes = site.live_bytes;
            history.live_blocks = site.live_blocks;
            history.outlived_bytes = site.outlived_bytes;
            history.outlived_blocks = site.outlived_blocks;
            history.unreachable_bytes = site.unreachable_bytes;
            history.unreachable_blocks = site.unreachable_blocks;
            history.retracted_blocks += site.retracted_blocks;
            history.blocks.emplace_back(epoch, site.outlived_blocks);
            if (site.late_freed_blocks != 0)
                history.late_freed.emplace_back(epoch, site.late_freed_blocks);
            history.changes.emplace_back(epoch, site.kind == SiteKind::kFault
                                                    ? history.allocated_bytes
                                                    : site.outlived_bytes);
        }
    return histories;
}

}  // namespace asrtrace::classify
