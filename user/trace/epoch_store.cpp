// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/trace/epoch_store.h"

#include <algorithm>
#include <tuple>

#include "user/trace/rows.h"

namespace asrtrace::trace {
namespace {

using ledger::SiteEpoch;

/// Below this many epochs rows are no reason to merge: slopes need points.
constexpr std::size_t kFewEpochs = 32;

bool before(const SiteEpoch& a, const SiteEpoch& b) {
    return std::tie(a.kind, a.stack) < std::tie(b.kind, b.stack);
}

bool same_site(const SiteEpoch& a, const SiteEpoch& b) {
    return a.kind == b.kind && a.stack == b.stack;
}

SiteEpoch merge_site(const SiteEpoch& earlier, SiteEpoch later) {
    later.allocated_bytes += earlier.allocated_bytes;
    later.allocated_blocks += earlier.allocated_blocks;
    later.freed_bytes += earlier.freed_bytes;
    later.freed_blocks += earlier.freed_blocks;
    later.late_freed_bytes += earlier.late_freed_bytes;
    later.late_freed_blocks += earlier.late_freed_blocks;
    later.retracted_blocks += earlier.retracted_blocks;
    return later;
}

std::vector<SiteEpoch> read_sites(Database& database, std::uint64_t epoch) {
    auto select = database.prepare("SELECT * FROM site_epochs WHERE epoch=? ORDER BY kind, stack");
    select.bind(1, to_integer(epoch));
    std::vector<SiteEpoch> sites;
    while (select.step()) sites.push_back(read_row<SiteRow>(select).site);
    auto followed = database.prepare("SELECT * FROM followed_sites WHERE epoch=? ORDER BY stack");
    followed.bind(1, to_integer(epoch));
    while (followed.step()) set_followed(sites, read_row<FollowedRow>(followed));
    return sites;
}

void remove_epoch(Database& database, Blocks& blocks, std::uint64_t epoch) {
    for (const auto* sql :
         {"DELETE FROM followed_sites WHERE epoch=?", "DELETE FROM site_epochs WHERE epoch=?",
          "DELETE FROM epochs WHERE id=?"}) {
        auto remove = database.prepare(sql);
        remove.bind(1, to_integer(epoch));
        remove.run();
    }
    blocks.erase({EpochRow::kTable, epoch});
}

}  // namespace

bool set_followed(std::vector<SiteEpoch>& sites, const FollowedRow& row) {
    const SiteEpoch key{.kind = ledger::SiteKind::kHeap, .stack = row.stack};
    const auto site = std::lower_bound(sites.begin(), sites.end(), key, before);
    if (site == sites.end() || !same_site(*site, key)) return false;
    site->followed_bytes = row.bytes;
    site->followed_blocks = row.blocks;
    return true;
}

std::vector<SiteEpoch> merge_sites(const std::vector<SiteEpoch>& earlier,
                                   const std::vector<SiteEpoch>& later) {
    std::vector<SiteEpoch> out;
    auto a = earlier.begin();
    auto b = later.begin();
    while (a != earlier.end() || b != later.end()) {
        if (b == later.end() || (a != earlier.end() && before(*a, *b)))
            out.push_back(*a++);
        else if (a == earlier.end() || before(*b, *a))
            out.push_back(*b++);
        else
            out.push_back(merge_site(*a++, *b++));
    }
    return out;
}

void EpochStore::write(Database& database, Blocks& blocks,
                       const std::vector<ledger::EpochRecord>& records) {
    for (const auto& record : records) {
        auto sites = record.sites;
        std::stable_sort(sites.begin(), sites.end(), before);
        sites.erase(std::unique(sites.begin(), sites.end(), same_site), sites.end());
        entries_.push_back({next_id_++, record.epoch, 1, sites.size()});
        rows_ += sites.size();
        insert(database, blocks, entries_.back(), sites);
        while (too_much()) merge_pair(database, blocks);
    }
}

bool EpochStore::too_much() const {
    return entries_.size() > std::max<std::size_t>(max_epochs_, 1) ||
           (rows_ > max_rows_ && entries_.size() > std::min(kFewEpochs, max_epochs_));
}

void EpochStore::insert(Database& database, Blocks& blocks, const Entry& entry,
                        const std::vector<SiteEpoch>& sites) const {
    const BlockKey block{EpochRow::kTable, entry.id};
    const EpochRow row{entry.id, entry.epoch, entry.merged};
    auto insert_epoch = database.prepare(insert_statement<EpochRow>());
    bind_row(insert_epoch, row);
    blocks.add(block, digest_row(row));
    auto insert_site = database.prepare(insert_statement<SiteRow>());
    auto insert_followed = database.prepare(insert_statement<FollowedRow>());
    for (const auto& site : sites) {
        const SiteRow site_row{entry.id, site};
        bind_row(insert_site, site_row);
        blocks.add(block, digest_row(site_row));
        if (site.kind != ledger::SiteKind::kHeap || site.followed_blocks == 0) continue;
        const FollowedRow followed{entry.id, site.stack, site.followed_bytes, site.followed_blocks};
        bind_row(insert_followed, followed);
        blocks.add(block, digest_row(followed));
    }
}

void EpochStore::merge_pair(Database& database, Blocks& blocks) {
    std::size_t best = 0;
    for (std::size_t i = 1; i + 1 < entries_.size(); ++i)
        if (entries_[i].merged + entries_[i + 1].merged <
            entries_[best].merged + entries_[best + 1].merged)
            best = i;
    const Entry earlier = entries_[best];
    Entry& later = entries_[best + 1];
    const auto sites =
        merge_sites(read_sites(database, earlier.id), read_sites(database, later.id));
    remove_epoch(database, blocks, earlier.id);
    remove_epoch(database, blocks, later.id);
    rows_ = rows_ - earlier.rows - later.rows + sites.size();
    later.merged += earlier.merged;
    later.rows = sites.size();
    insert(database, blocks, later, sites);
    entries_.erase(entries_.begin() + static_cast<std::ptrdiff_t>(best));
}

}  // namespace asrtrace::trace
