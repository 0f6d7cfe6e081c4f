// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/classify/summary.h"

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

#include "user/base/bytes.h"
#include "user/classify/series.h"

namespace asrtrace::classify {
namespace {

using ledger::ProcSample;
using ledger::Recording;
using ledger::SiteKind;
using ledger::Surroundings;

Change change_of(const Recording& recording, std::uint64_t ProcSample::*kilobytes) {
    return {recording.samples.front().*kilobytes * 1024,
            recording.samples.back().*kilobytes * 1024};
}

/// `of` gives the value of one sample's surroundings, if there is one.
template <typename Of>
std::optional<Change> change_around(const Recording& recording, Of of) {
    const auto value = [&](const ProcSample& sample) -> std::optional<std::uint64_t> {
        return sample.around ? of(*sample.around) : std::nullopt;
    };
    const auto first = value(recording.samples.front());
    const auto last = value(recording.samples.back());
    return first && last ? std::optional(Change{*first, *last}) : std::nullopt;
}

void add_surroundings(const Recording& recording, Memory& memory) {
    const auto kilobytes = [&](std::uint64_t Surroundings::*member) {
        return change_around(recording, [=](const Surroundings& around) {
            return std::optional<std::uint64_t>(around.*member * 1024);
        });
    };
    const auto of_group = [&](std::optional<std::uint64_t> Surroundings::*member) {
        return change_around(recording, [=](const Surroundings& around) { return around.*member; });
    };
    memory.page_tables = kilobytes(&Surroundings::page_tables_kb);
    memory.huge_pages = kilobytes(&Surroundings::huge_pages_kb);
    memory.mem_free = kilobytes(&Surroundings::mem_free_kb);
    memory.cached = kilobytes(&Surroundings::cached_kb);
    memory.shmem = kilobytes(&Surroundings::shmem_kb);
    memory.slab_reclaimable = kilobytes(&Surroundings::slab_reclaimable_kb);
    memory.swap_used = change_around(recording, [](const Surroundings& around) {
        return std::optional(
            1024 * (around.swap_total_kb - std::min(around.swap_total_kb, around.swap_free_kb)));
    });
    memory.cgroup_max = of_group(&Surroundings::cgroup_max_bytes);
    memory.cgroup_oom_kills = of_group(&Surroundings::cgroup_oom_kills);
    memory.cgroup_stalled_us = of_group(&Surroundings::cgroup_stalled_us);
}

Memory memory_of(const Recording& recording) {
    Memory memory;
    if (recording.samples.empty()) return memory;
    memory.rss_anon = change_of(recording, &ProcSample::rss_anon_kb);
    memory.rss_file = change_of(recording, &ProcSample::rss_file_kb);
    memory.rss_shmem = change_of(recording, &ProcSample::rss_shmem_kb);
    memory.pss = change_of(recording, &ProcSample::pss_kb);
    memory.swap = change_of(recording, &ProcSample::vm_swap_kb);
    memory.mem_available = change_of(recording, &ProcSample::mem_available_kb);
    const auto first = recording.samples.front().cgroup_current_bytes;
    const auto last = recording.samples.back().cgroup_current_bytes;
    if (first && last) memory.cgroup_current = Change{*first, *last};
    add_surroundings(recording, memory);
    return memory;
}

Site site_of(StackId stack, const SiteHistory& history, const Grid& grid) {
    return {stack,
            history.allocated_bytes,
            history.allocated_blocks,
            history.freed_bytes,
            history.freed_blocks,
            history.live_bytes,
            history.live_blocks,
            history.outlived_bytes,
            history.outlived_blocks,
            grid.size() == 0 ? std::nullopt : theil_sen(grid.points(history.changes))};
}

/// Most bytes per request first; where that says nothing the larger level, sum, stack.
bool comes_first(const Site& a, const Site& b) {
    const auto key = [](const Site& site) {
        return std::tuple(site.per_request ? site.per_request->value : 0.0, site.outlived_bytes,
                          site.live_bytes, site.allocated_bytes, ~site.stack.value);
    };
    return key(a) > key(b);
}

/// The sum of all heap sites' outlived bytes at the end of each epoch.
std::vector<Point> outlived_points(const Recording& recording, const Grid& grid) {
    std::map<StackId, std::uint64_t> levels;
    Changes totals;
    std::uint64_t total = 0;
    for (std::size_t epoch = 0; epoch < recording.site_epochs.size(); ++epoch) {
        for (const auto& site : recording.site_epochs[epoch]) {
            if (site.kind != SiteKind::kHeap) continue;
            auto& level = levels[site.stack];
            total += site.outlived_bytes - std::exchange(level, site.outlived_bytes);
        }
        totals.emplace_back(epoch, total);
    }
    if (levels.empty() || grid.size() == 0) return {};
    return grid.points(totals);
}

/// RssAnon at the end of each epoch (the last sample until then) over requests, without the
/// beginning: the process did not begin with the window.
std::vector<Point> rss_anon_points(const Recording& recording, const Grid& grid) {
    Changes levels;
    auto next = recording.samples.begin();
    for (std::size_t epoch = 0; epoch < recording.epochs.size(); ++epoch) {
        const auto begin = next;
        while (next != recording.samples.end() && next->t_ns <= recording.epochs[epoch].end_ns)
            ++next;
        if (next != begin) levels.emplace_back(epoch, std::prev(next)->rss_anon_kb * 1024);
    }
    if (levels.empty() || grid.size() == 0) return {};
    auto points = grid.points(levels);
    std::erase_if(points, [](const Point& point) { return point.y == 0; });
    return points;
}

}  // namespace

Summary summarize(const Recording& recording) {
    Summary summary;
    summary.memory = memory_of(recording);
    const Grid grid(recording);
    for (const auto& [key, history] : site_histories(recording)) {
        auto& sites = key.first == SiteKind::kHeap     ? summary.heap
                      : key.first == SiteKind::kMapped ? summary.mapped
                                                       : summary.faults;
        sites.push_back(site_of(key.second, history, grid));
    }
    for (auto* sites : {&summary.heap, &summary.mapped, &summary.faults})
        std::sort(sites->begin(), sites->end(), comes_first);
    summary.outlived = outlived_points(recording, grid);
    summary.heap_per_request = theil_sen(summary.outlived);
    summary.rss_anon = rss_anon_points(recording, grid);
    summary.rss_anon_per_request = theil_sen(summary.rss_anon);
    if (recording.request_source != ledger::RequestSource::kEvery)
        summary.latency = latency(recording);
    const auto events = checked_add(recording.events_attributed, recording.events_unattributed);
    if (recording.totals_known && events && *events != 0)
        summary.attributed_fraction =
            static_cast<double>(recording.events_attributed) / static_cast<double>(*events);
    return summary;
}

}  // namespace asrtrace::classify
