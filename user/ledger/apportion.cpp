// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/ledger/apportion.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "user/base/size_class.h"

namespace asrtrace::ledger {
namespace {

/// While requests are in flight, the least of so many readings counts: their own blocks come and
/// go, growth stays.
constexpr std::size_t kReadingsKept = 3;

std::uint64_t level(const std::map<std::uint64_t, std::uint64_t>& levels, std::uint64_t upper) {
    const auto found = levels.find(upper);
    return found == levels.end() ? 0 : found->second;
}

}  // namespace

void Apportioner::add_survivor(SiteIndex site, std::uint64_t bytes) {
    Amount& amount = survivors_[size_class(chunk_size(bytes))][site];
    amount.bytes += static_cast<double>(bytes);
    amount.blocks += 1;
}

void Apportioner::read(const std::vector<ClassLevel>& levels, bool quiet) {
    Levels now;
    for (const ClassLevel& each : levels) now[each.upper] = each.chunks;
    if (!std::exchange(has_first_, true)) first_ = now;
    if (quiet) readings_.clear();
    readings_.push_back(std::move(now));
    if (readings_.size() > kReadingsKept) readings_.erase(readings_.begin());
}

void Apportioner::restart() {
    has_first_ = false;
    first_.clear();
    readings_.clear();
    lost_first_ = lost_;
}

void Apportioner::set_lost(std::map<std::uint64_t, std::uint64_t> chunks,
                           std::map<std::uint64_t, std::map<SiteIndex, std::uint64_t>> survivors) {
    lost_ = std::move(chunks);
    lost_survivors_ = std::move(survivors);
    if (std::exchange(has_lost_, true)) return;
    lost_first_ = lost_;
    // The first marking comes late: what grew since the first reading was not lost before it.
    if (readings_.empty()) return;
    for (const auto& [upper, sites] : lost_survivors_) {
        std::uint64_t& before = lost_first_[upper];
        before -= std::min(before, static_cast<std::uint64_t>(growth_of(upper)));
    }
}

std::map<SiteIndex, Apportioner::Range> Apportioner::ranges() const {
    std::map<SiteIndex, Range> ranges;
    for (const auto& [upper, shares] : survivors_) {
        for (const auto& [site, amount] : shares) {
            Range& range = ranges[site];
            if (range.least == 0) range.least = upper;
            range.most = upper;
            range.amount.bytes += amount.bytes;
            range.amount.blocks += amount.blocks;
        }
    }
    return ranges;
}

/// Where nobody was seen in a class: chunks that malloc maps are whole pages, and so of the class
/// behind the one that is expected of their size; and blocks of various sizes may be of any class
/// around those that were seen.
Apportioner::Shares Apportioner::shares_of(std::uint64_t upper,
                                           const std::map<SiteIndex, Range>& ranges) const {
    auto found = survivors_.lower_bound(upper);
    if (found != survivors_.end() && found->first == upper) return found->second;
    if (upper > kPageBytes && found != survivors_.begin() &&
        size_class(std::prev(found)->first + kPageBytes) >= upper)
        return std::prev(found)->second;
    Shares shares;
    for (const auto& [site, range] : ranges) {
        if (range.least == range.most || upper < range.least / 2 || upper > range.most * 2)
            continue;
        shares[site] = {range.amount.blocks * static_cast<double>(upper), range.amount.blocks};
    }
    return shares;
}

double Apportioner::growth_of(std::uint64_t upper) const {
    std::uint64_t least = level(readings_.back(), upper);
    for (const Levels& reading : readings_) least = std::min(least, level(reading, upper));
    const std::uint64_t before = level(first_, upper);
    return least > before ? static_cast<double>(least - before) : 0;
}

void Apportioner::share_lost(std::uint64_t upper, double growth, const Shares& shares,
                             std::map<SiteIndex, SiteEstimate>& out) const {
    const std::uint64_t lost = level(lost_, upper), before = level(lost_first_, upper);
    if (lost <= before) return;
    const double chunks = std::min(growth, static_cast<double>(lost - before));
    std::map<SiteIndex, double> weights;
    if (const auto known = lost_survivors_.find(upper); known != lost_survivors_.end())
        for (const auto& [site, blocks] : known->second)
            weights[site] = static_cast<double>(blocks);
    if (weights.empty())
        for (const auto& [site, amount] : shares) weights[site] = amount.blocks;
    double sum = 0;
    for (const auto& [site, weight] : weights) sum += weight;
    for (const auto& [site, weight] : weights) {
        const auto share = shares.find(site);
        if (share == shares.end()) continue;
        SiteEstimate& estimate = out[site];
        const double blocks = chunks * weight / sum;
        estimate.unreachable.blocks += blocks;
        estimate.unreachable.bytes += blocks * share->second.bytes / share->second.blocks;
    }
}

std::vector<SiteEstimate> Apportioner::estimate(SiteIndex unknown) const {
    std::map<SiteIndex, SiteEstimate> out;
    out[unknown];
    for (const auto& [upper, shares] : survivors_)
        for (const auto& [site, amount] : shares) out[site];
    if (!readings_.empty()) {
        const bool quiet = readings_.size() == 1;
        const auto sizes = ranges();
        for (const auto& [upper, chunks] : readings_.back()) {
            const double growth = growth_of(upper);
            if (growth == 0) continue;
            const Shares shares = shares_of(upper, sizes);
            if (shares.empty()) {
                if (!quiet) continue;
                out[unknown].outlived.blocks += growth;
                out[unknown].outlived.bytes += growth * static_cast<double>(upper);
                continue;
            }
            double blocks = 0;
            for (const auto& [site, amount] : shares) blocks += amount.blocks;
            for (const auto& [site, amount] : shares) {
                out[site].outlived.blocks += growth * amount.blocks / blocks;
                out[site].outlived.bytes += growth * amount.bytes / blocks;
            }
            share_lost(upper, growth, shares, out);
        }
    }
    std::vector<SiteEstimate> estimates;
    estimates.reserve(out.size());
    for (auto& [site, estimate] : out) {
        estimate.site = site;
        estimates.push_back(estimate);
    }
    return estimates;
}

}  // namespace asrtrace::ledger
