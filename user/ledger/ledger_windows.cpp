// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The part of the ledger for allocations that are seen in windows only: what a window leaves, and
// what the readings of the heap make of it.
#include <algorithm>

#include "user/base/size_class.h"
#include "user/ledger/ledger.h"

namespace asrtrace::ledger {
namespace {

constexpr std::uint64_t kMarkEveryNs = 50'000'000;
constexpr std::size_t kMarksKept = 32;
/// A survivor is at least that old at the window's end, or half the window.
constexpr std::uint64_t kSurvivorNs = 500'000'000;
/// What a longer window has seen is known exactly and stays.
constexpr std::uint64_t kLongWindowNs = 5'000'000'000;
constexpr double kMostOfASite = 0.5;

}  // namespace

/// Remembers, for the last second or so, which block was the newest when.
void Ledger::mark_age(std::uint64_t now_ns) {
    if (!marks_.empty() && now_ns < marks_.back().first + kMarkEveryNs) return;
    marks_.emplace_back(now_ns, serial_);
    if (marks_.size() > kMarksKept) marks_.pop_front();
}

void Ledger::open_window(std::uint64_t now_ns) {
    advance(now_ns);
    window_open_ = true;
    window_opened_ns_ = now_ns;
    marks_.clear();
}

/// Blocks of requests that still run may yet be freed in time.
tsl::robin_set<std::uint64_t> Ledger::running_blocks() const {
    tsl::robin_set<std::uint64_t> serials;
    requests_.each_of_a_thread([&](const ActiveRequest& request) {
        for (const BlockName& name : request.cohort.blocks) serials.insert(name.serial);
    });
    return serials;
}

void Ledger::close_window(std::uint64_t now_ns) {
    advance(now_ns);
    restore_reallocs();
    const std::uint64_t length = now_ns - window_opened_ns_;
    const std::uint64_t born_by = now_ns - std::min(kSurvivorNs, length / 2);
    std::uint64_t oldest = 0;
    for (const auto& [time_ns, serial] : marks_)
        if (time_ns <= born_by) oldest = serial;
    const auto running = running_blocks();
    const bool keeps = !windowed_ && length >= kLongWindowNs;
    live_.each([&](std::uint64_t address, Block& block) {
        // The heap that is read is the target's: what children hold is not known from now on.
        const bool survives =
            !block.fate.followed && block.serial <= oldest && !running.contains(block.serial);
        if (block.held && !(keeps && survives)) {
            sites_.forget(block.site, weighed(block), block.fate);
            block.held = false;
        }
        if (!survives) return;
        if (!keeps) block.fate.outlived = true;
        apportioner_.add_survivor(block.site, block.size);
        witnesses_[address] = block;
    });
    live_ = {};
    paths_.forget_blocks();
    lifetimes_ = {};
    if (keeps) apportioner_.restart();
    windowed_ = true;
    window_open_ = false;
}

/// A survivor of an earlier window has been freed, now or while nobody looked.
void Ledger::end_witness(std::uint64_t address) {
    const auto witness = witnesses_.find(address);
    if (witness == witnesses_.end()) return;
    const Block block = witness->second;
    witnesses_.erase(witness);
    let_go(block);
}

void Ledger::read_heap(const std::vector<ClassLevel>& levels, bool quiet) {
    apportioner_.read(levels, quiet);
}

/// As book(), where most births were not seen.
void Ledger::book_by_class(Marking& marking) {
    marking.unmatched = {};
    std::map<std::uint64_t, std::map<SiteIndex, std::uint64_t>> lost, all;
    for (const auto& [address, block] : witnesses_)
        ++all[size_class(chunk_size(block.size))][block.site];
    for (const LostBlock& block : marking.lost) {
        const std::uint64_t upper = size_class(block.chunk_bytes);
        const auto witness = witnesses_.find(block.address);
        if (witness == witnesses_.end())
            marking.unmatched.add(block);
        else if (size_class(chunk_size(witness->second.size)) == upper)
            ++lost[upper][witness->second.site];
    }
    // A few of a site's: their addresses have become others' since.
    for (auto& [upper, sites] : lost)
        std::erase_if(sites, [&, upper = upper](const auto& entry) {
            return static_cast<double>(entry.second) <
                   kMostOfASite * static_cast<double>(all[upper][entry.first]);
        });
    apportioner_.set_lost(marking.classes(), std::move(lost));
}

void Ledger::apply_estimates() {
    const SiteIndex unknown = sites_.at(SiteKind::kHeap, kUnknownStack);
    for (const SiteEstimate& each : apportioner_.estimate(unknown))
        sites_.estimate(each.site, each.outlived, each.unreachable);
}

}  // namespace asrtrace::ledger
