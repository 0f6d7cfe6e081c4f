// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The part of the ledger that follows mmap, munmap, mremap and brk.
#include <sys/mman.h>

#include <algorithm>

#include "user/ledger/ledger.h"

namespace asrtrace::ledger {
namespace {

std::uint64_t page_ceil(std::uint64_t bytes) {
    return (bytes + kPageBytes - 1) & ~(kPageBytes - 1);
}

}  // namespace

void Ledger::seed_mappings(const std::vector<MapsEntry>& maps, std::uint64_t begin_ns,
                           std::uint64_t end_ns) {
    seeded_ns_ = begin_ns;
    seed_end_ns_ = end_ns;
    mappings_.clear();
    unmap_debts_.clear();
    for (const MapsEntry& entry : maps) {
        mappings_.insert({.begin = entry.begin, .end = entry.end, .serial = ++serial_});
    }
}

void Ledger::add_region(std::uint32_t tid, std::uint64_t begin, std::uint64_t end,
                        decode::StackKey stack, bool anonymous) {
    Region region{.begin = begin, .end = end, .serial = ++serial_, .tracked = anonymous};
    Cohort& cohort = charge(tid, 0).cohort;
    if (anonymous) {
        region.site = sites_.at(SiteKind::kMapped, stack_id(stack));
        sites_.allocate(region.site, {static_cast<double>(region.bytes()), 1.0});
        cohort.add(MappingName{begin, end, region.serial}, mappings_);
    }
    mappings_.insert(region);
}

/// Pieces that were cut out leave their sites' accounts.
void Ledger::account_removed(const std::vector<Region>& pieces) {
    for (const Region& piece : pieces) {
        if (!piece.tracked) continue;
        sites_.free(piece.site, {static_cast<double>(piece.bytes()), 1.0}, piece.fate);
    }
}

void Ledger::remove_range(std::uint64_t begin, std::uint64_t end) {
    account_removed(mappings_.cut(begin, end));
}

/// A mapping comes to lie in [begin, end). What is there was replaced, or else is being unmapped by
/// another thread, which is told later. A mapping that the seed may have had already owes nothing.
void Ledger::make_room(const decode::Event& event, std::uint64_t begin, std::uint64_t end,
                       bool replaces) {
    const std::vector<Region> pieces = mappings_.cut(begin, end);
    account_removed(pieces);
    for (const Region& piece : pieces) counts_.unmapped_bytes += piece.bytes();
    if (!replaces && event.time_ns >= seed_end_ns_)
        unmap_debts_.owe(pieces, event.tid, event.time_ns);
}

/// What was in [begin, end) when the kernel took it from the event's thread, some time ago.
Ledger::Taken Ledger::take_range(const decode::Event& event, std::uint64_t begin,
                                 std::uint64_t end) {
    UnmapDebts::Settlement settlement = unmap_debts_.settle(begin, end, event.tid, event.time_ns);
    Taken taken{.pieces = std::move(settlement.paid)};
    for (const Region& piece : taken.pieces) taken.owed_bytes += piece.bytes();
    for (const auto& [from, to] : settlement.rest) {
        const std::vector<Region> pieces = mappings_.cut(from, to);
        account_removed(pieces);
        taken.pieces.insert(taken.pieces.end(), pieces.begin(), pieces.end());
    }
    std::ranges::sort(taken.pieces, {}, &Region::begin);
    return taken;
}

void Ledger::on(const decode::Event& event, const decode::Map& map) {
    if ((map.prot & PROT_EXEC) != 0) output_.code_mapped.insert(process_);
    if (event.time_ns < seeded_ns_) return;
    const std::uint64_t begin = here(map.address);
    const std::uint64_t end = begin + page_ceil(map.length);
    ++counts_.calls["mmap"];
    counts_.mapped_bytes += end - begin;
    make_room(event, begin, end, (map.map_flags & MAP_FIXED) != 0);
    add_region(event.tid, begin, end, map.stack, (map.map_flags & MAP_ANONYMOUS) != 0);
}

void Ledger::on(const decode::Event& event, const decode::UnmapBegin& begin) {
    if (event.time_ns < seeded_ns_) return;
    restore_unmap(event.tid);
    const std::uint64_t address = here(begin.address);
    auto pieces = mappings_.cut(address, address + page_ceil(begin.length));
    account_removed(pieces);
    pending_unmaps_.insert({event.tid, std::move(pieces)});
}

void Ledger::on(const decode::Event& event, const decode::UnmapEnd& end) {
    const auto pending = pending_unmaps_.find(event.tid);
    if (pending == pending_unmaps_.end()) return;
    charge(event.tid, 0);
    if (!end.succeeded) {
        restore_unmap(event.tid);
        return;
    }
    ++counts_.calls["munmap"];
    for (const Region& piece : pending->second) counts_.unmapped_bytes += piece.bytes();
    pending_unmaps_.erase(pending);
}

void Ledger::on(const decode::Event& event, const decode::Unmap& unmap) {
    if (event.time_ns < seeded_ns_) return;
    charge(event.tid, 0);
    ++counts_.calls["munmap"];
    const std::uint64_t begin = here(unmap.address);
    const Taken taken = take_range(event, begin, begin + page_ceil(unmap.length));
    for (const Region& piece : taken.pieces) counts_.unmapped_bytes += piece.bytes();
    counts_.unmapped_bytes -= taken.owed_bytes;
}

void Ledger::on(const decode::Event& event, const decode::Remap& remap) {
    if (event.time_ns < seeded_ns_) return;
    if (remap.alone) {
        const std::uint64_t begin = here(remap.old_address);
        const Taken taken = take_range(event, begin, begin + page_ceil(remap.old_length));
        counts_.unmapped_bytes -= taken.owed_bytes;
        move_mapping(event, remap, taken.pieces);
        return;
    }
    if (remap.end) {
        end_remap(event, remap);
        return;
    }
    restore_unmap(event.tid);
    const std::uint64_t address = here(remap.old_address);
    auto pieces = mappings_.cut(address, address + page_ceil(remap.old_length));
    account_removed(pieces);
    pending_unmaps_.insert({event.tid, std::move(pieces)});
}

void Ledger::end_remap(const decode::Event& event, const decode::Remap& remap) {
    const auto pending = pending_unmaps_.find(event.tid);
    if (pending == pending_unmaps_.end()) return;
    if (remap.new_address == 0) {
        restore_unmap(event.tid);
        return;
    }
    const std::vector<Region> old = pending->second;
    pending_unmaps_.erase(pending);
    move_mapping(event, remap, old);
}

/// The mapping keeps its site and its request, whatever its new place and size.
void Ledger::move_mapping(const decode::Event& event, const decode::Remap& remap,
                          const std::vector<Region>& old) {
    charge(event.tid, 0);
    ++counts_.calls["mremap"];
    const std::uint64_t old_bytes = page_ceil(remap.old_length);
    const std::uint64_t new_bytes = page_ceil(remap.new_length);
    if (new_bytes > old_bytes) counts_.mapped_bytes += new_bytes - old_bytes;
    if (new_bytes < old_bytes) counts_.unmapped_bytes += old_bytes - new_bytes;
    const std::uint64_t begin = here(remap.new_address);
    const std::uint64_t end = begin + new_bytes;
    make_room(event, begin, end, (remap.map_flags & MREMAP_FIXED) != 0);
    Region region = old.empty() ? Region{.serial = ++serial_} : old.front();
    region.begin = begin;
    region.end = end;
    mappings_.insert(region);
    if (!region.tracked) return;
    const Amount amount{static_cast<double>(region.bytes()), 1.0};
    sites_.allocate(region.site, amount);
    if (region.fate.outlived) sites_.outlive(region.site, amount, region.fate);
}

void Ledger::on(const decode::Event& event, const decode::Brk& brk) {
    if (event.time_ns < seeded_ns_) return;
    ++counts_.calls["brk"];
    const std::uint64_t old_end = page_ceil(brk.old_brk);
    const std::uint64_t new_end = page_ceil(brk.brk);
    if (brk.brk > brk.old_brk) {
        counts_.brk_grown_bytes += brk.brk - brk.old_brk;
        if (new_end > old_end) {
            make_room(event, here(old_end), here(new_end), false);
            add_region(event.tid, here(old_end), here(new_end), brk.stack, true);
            return;
        }
    } else if (brk.brk < brk.old_brk) {
        counts_.brk_shrunk_bytes += brk.old_brk - brk.brk;
        if (new_end < old_end)
            counts_.unmapped_bytes -= take_range(event, here(new_end), here(old_end)).owed_bytes;
    }
    charge(event.tid, 0);
}

void Ledger::on(const decode::Event& event, const decode::Advise&) {
    charge(event.tid, 0);
    ++counts_.calls["madvise"];
}

}  // namespace asrtrace::ledger
