// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/ledger/sites.h"

#include <algorithm>
#include <cmath>

namespace asrtrace::ledger {
namespace {

void add(Amount& sum, Amount amount) {
    sum.bytes += amount.bytes;
    sum.blocks += amount.blocks;
}

void subtract(Amount& sum, Amount amount) {
    sum.bytes -= amount.bytes;
    sum.blocks -= amount.blocks;
}

/// Weighted sums that should cancel leave a rest of rounding errors, never less than nothing.
std::uint64_t rounded(double amount) {
    return static_cast<std::uint64_t>(std::llround(std::max(0.0, amount)));
}

}  // namespace

SiteIndex Sites::at(SiteKind kind, StackId stack) {
    const std::uint64_t key = std::uint64_t{stack.value} << 8 | static_cast<std::uint8_t>(kind);
    const auto [entry, inserted] = index_.insert({key, static_cast<SiteIndex>(sites_.size())});
    if (inserted) sites_.push_back(Site{.kind = kind, .stack = stack});
    return entry->second;
}

Sites::Site& Sites::change(SiteIndex site) {
    Site& entry = sites_[site];
    if (!entry.changed) {
        entry.changed = true;
        changed_.push_back(site);
    }
    return entry;
}

void Sites::allocate(SiteIndex site, Amount amount, bool held) {
    Site& entry = change(site);
    add(entry.allocated, amount);
    if (held) add(entry.live, amount);
}

void Sites::free(SiteIndex site, Amount amount, Fate fate, bool held) {
    Site& entry = change(site);
    add(entry.freed, amount);
    if (fate.outlived) add(entry.late_freed, amount);
    if (fate.unreachable) add(entry.retracted, amount);
    if (held) forget(site, amount, fate);
}

void Sites::forget(SiteIndex site, Amount amount, Fate fate) {
    Site& entry = change(site);
    subtract(entry.live, amount);
    if (fate.outlived) subtract(entry.outlived, amount);
    if (fate.outlived && fate.followed) subtract(entry.followed, amount);
    if (fate.unreachable) subtract(entry.unreachable, amount);
}

void Sites::estimate(SiteIndex site, Amount outlived, Amount unreachable) {
    Site& entry = change(site);
    entry.estimated = outlived;
    entry.estimated_unreachable = unreachable;
}

void Sites::outlive(SiteIndex site, Amount amount, Fate fate) {
    Site& entry = change(site);
    add(entry.outlived, amount);
    if (fate.followed) add(entry.followed, amount);
}

void Sites::lose(SiteIndex site, Amount amount) {
    add(change(site).unreachable, amount);
}

void Sites::find(SiteIndex site, Amount amount) {
    subtract(change(site).unreachable, amount);
}

void Sites::restore(SiteIndex site, Amount amount, Fate fate, bool held) {
    Site& entry = change(site);
    subtract(entry.freed, amount);
    if (fate.outlived) subtract(entry.late_freed, amount);
    if (fate.unreachable) subtract(entry.retracted, amount);
    if (!held) return;
    add(entry.live, amount);
    if (fate.outlived) outlive(site, amount, fate);
    if (fate.unreachable) add(entry.unreachable, amount);
}

std::vector<SiteEpoch> Sites::close_epoch() {
    std::sort(changed_.begin(), changed_.end());
    std::vector<SiteEpoch> rows;
    rows.reserve(changed_.size());
    for (const SiteIndex index : changed_) {
        Site& site = sites_[index];
        const auto with = [](Amount level, Amount estimated) {
            add(level, estimated);
            return level;
        };
        const Amount live = with(site.live, site.estimated);
        const Amount outlived = with(site.outlived, site.estimated);
        const Amount unreachable = with(site.unreachable, site.estimated_unreachable);
        rows.push_back(SiteEpoch{.kind = site.kind,
                                 .stack = site.stack,
                                 .allocated_bytes = rounded(site.allocated.bytes),
                                 .allocated_blocks = rounded(site.allocated.blocks),
                                 .freed_bytes = rounded(site.freed.bytes),
                                 .freed_blocks = rounded(site.freed.blocks),
                                 .live_bytes = rounded(live.bytes),
                                 .live_blocks = rounded(live.blocks),
                                 .outlived_bytes = rounded(outlived.bytes),
                                 .outlived_blocks = rounded(outlived.blocks),
                                 .late_freed_bytes = rounded(site.late_freed.bytes),
                                 .late_freed_blocks = rounded(site.late_freed.blocks),
                                 .unreachable_bytes = rounded(unreachable.bytes),
                                 .unreachable_blocks = rounded(unreachable.blocks),
                                 .retracted_blocks = rounded(site.retracted.blocks),
                                 .followed_bytes = rounded(site.followed.bytes),
                                 .followed_blocks = rounded(site.followed.blocks)});
        for (Amount* flow : {&site.allocated, &site.freed, &site.late_freed, &site.retracted})
            *flow = {};
        site.changed = false;
    }
    changed_.clear();
    return rows;
}

}  // namespace asrtrace::ledger
