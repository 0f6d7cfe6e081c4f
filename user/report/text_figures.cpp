// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The parts of the text report that are figures of the whole process and of the recording.
#include <fmt/core.h>

#include <optional>
#include <string>
#include <vector>

#include "user/base/escape.h"
#include "user/base/quantity.h"
#include "user/report/chart.h"
#include "user/report/sources.h"
#include "user/report/text_parts.h"

namespace asrtrace::report {
namespace {

using classify::Change;
using classify::Slope;

constexpr const char* kUnknownTotals = "  not known: that part of the trace is damaged";

void put_change(Page& page, const char* name, const std::optional<Change>& change,
                const std::string& remark = {}) {
    if (!change) return;
    page.line(fmt::format("  {:<14} {:>12} {:>12} {:>13}  {}", name, bytes(change->first),
                          bytes(change->last), signed_bytes(static_cast<double>(change->delta())),
                          remark));
}

void put_change_unless_zero(Page& page, const char* name, const std::optional<Change>& change) {
    if (change && (change->first | change->last) != 0) put_change(page, name, change);
}

std::string of_limit(const classify::Memory& memory) {
    if (!memory.cgroup_current || !memory.cgroup_max || memory.cgroup_max->last == 0) return {};
    return fmt::format("of {} that the cgroup may use, {:.0f} %", bytes(memory.cgroup_max->last),
                       100.0 * static_cast<double>(memory.cgroup_current->last) /
                           static_cast<double>(memory.cgroup_max->last));
}

/// What came upon the control group meanwhile.
void put_group_events(Page& page, const classify::Memory& memory) {
    const auto& kills = memory.cgroup_oom_kills;
    if (kills && kills->delta() > 0)
        page.line(fmt::format("  processes of the cgroup killed for want of memory: {}",
                              grouped(static_cast<std::uint64_t>(kills->delta()))));
    const auto& stalled = memory.cgroup_stalled_us;
    if (stalled && stalled->delta() > 0)
        page.line(fmt::format("  tasks of the cgroup waited {:.3f} s for memory",
                              static_cast<double>(stalled->delta()) * 1e-6));
}

void put_machine(Page& page, const classify::Memory& memory) {
    put_change(page, "MemAvailable", memory.mem_available, "of the machine, as what follows");
    put_change(page, "MemFree", memory.mem_free);
    put_change(page, "Cached", memory.cached);
    put_change(page, "Shmem", memory.shmem);
    put_change(page, "SReclaimable", memory.slab_reclaimable);
    put_change_unless_zero(page, "swap used", memory.swap_used);
}

std::string per_unit(const std::optional<Slope>& slope, const char* unit) {
    if (!slope || !slope->ci95) return {};
    return fmt::format("{}/{} ({})", signed_bytes(slope->value), unit, byte_range(*slope->ci95));
}

std::string seconds_or_unknown(const std::optional<double>& value) {
    return value ? fmt::format("{:.3f} s", *value) : "not measured";
}

/// Where workers are replaced memory goes up and down: the sawtooth.
void put_family_memory(Page& page, const ledger::Recording& recording) {
    if (recording.target.followed.empty()) return;
    std::vector<ChartPoint> points;
    for (const auto& sample : recording.samples)
        points.push_back({static_cast<double>(sample.t_ns) * 1e-9,
                          1024 * static_cast<double>(sample.rss_anon_kb)});
    page.line("  RssAnon of the target and its children together, over time:");
    put_chart(page, points);
}

}  // namespace

void put_memory(Page& page, const Source& source) {
    const auto& memory = source.summary.memory;
    page.heading("MEMORY");
    if (!memory.rss_anon) {
        page.line("  not sampled");
    } else {
        page.line(fmt::format("  {:<14} {:>12} {:>12} {:>13}", "", "first", "last", "change"));
        put_change(page, "RssAnon", memory.rss_anon,
                   per_unit(source.summary.rss_anon_per_request, source.unit()));
        put_change(page, "RssFile", memory.rss_file);
        put_change(page, "RssShmem", memory.rss_shmem);
        put_change(page, "Pss", memory.pss);
        put_change(page, "swap", memory.swap);
        put_change(page, "page tables", memory.page_tables);
        put_change_unless_zero(page, "huge pages", memory.huge_pages);
        put_change(page, "cgroup", memory.cgroup_current, of_limit(memory));
        put_machine(page, memory);
        put_group_events(page, memory);
    }
    const auto peak = source.recording.counts.peak_rss_anon_bytes;
    if (peak != 0) page.line(fmt::format("  highest RssAnon sampled: {}", bytes(peak)));
    put_family_memory(page, source.recording);
}

void put_counts(Page& page, const Source& source) {
    page.heading("COUNTS");
    if (!source.recording.totals_known) return page.line(kUnknownTotals);
    const auto& counts = source.recording.counts;
    std::string calls;
    for (const auto& [name, number] : counts.calls)
        if (number != 0)
            calls += fmt::format("{}{} {}", calls.empty() ? "" : ", ", escape_terminal(name, 60),
                                 grouped(number));
    page.paragraph("calls: " + (calls.empty() ? "none" : calls), 2);
    if (const auto& estimate = counts.allocated_bytes_estimate)
        page.line(fmt::format("  allocated (estimated from samples): {} (95 % interval {})",
                              bytes(estimate->value), byte_range(estimate->ci95)));
    else
        page.line(fmt::format("  allocated {} in {} blocks", bytes(counts.allocated_bytes),
                              grouped(counts.allocated_blocks)));
    page.line(fmt::format("  freed {} in {} blocks; {} blocks from before the attach or unseen",
                          bytes(counts.freed_bytes), grouped(counts.freed_blocks),
                          grouped(counts.freed_unknown_blocks)));
    if (const std::size_t followed = source.recording.target.followed.size(); followed != 0)
        page.line(fmt::format(
            "  followed {} child processes; gone with their end or exec: {} in {} blocks",
            grouped(followed), bytes(counts.ended_bytes), grouped(counts.ended_blocks)));
    page.line(fmt::format("  failed allocations: {}", grouped(counts.failed_allocations)));
    page.line(fmt::format("  mapped {}, unmapped {}; brk grew {}, shrank {}",
                          bytes(counts.mapped_bytes), bytes(counts.unmapped_bytes),
                          bytes(counts.brk_grown_bytes), bytes(counts.brk_shrunk_bytes)));
    page.line(fmt::format("  page faults: {}, {} of them of the kernel itself; {} of new memory",
                          grouped(counts.faults_user + counts.faults_kernel),
                          grouped(counts.faults_kernel), bytes(counts.fault_bytes)));
}

void put_overhead(Page& page, const Source& source) {
    page.heading("OVERHEAD");
    if (!source.recording.totals_known) return page.line(kUnknownTotals);
    const auto& overhead = source.recording.overhead;
    page.line(fmt::format(
        "  tier {}; {} probe hits; share of the target's CPU: {}",
        overhead.tier.empty() ? "unknown" : escape_terminal(overhead.tier, 20),
        grouped(overhead.probe_hits),
        overhead.target_cpu_fraction ? percent(*overhead.target_cpu_fraction) : "not measured"));
    page.line(fmt::format("  in programs: {}; in traps, estimated: {}; the target used {:.2f} s",
                          seconds_or_unknown(overhead.program_seconds),
                          seconds_or_unknown(overhead.trap_seconds_estimated),
                          overhead.target_cpu_seconds));
    page.line(
        fmt::format("  tracer: {:.2f} s of CPU, {} resident; attach {:.2f} s, detach {:.2f} s",
                    overhead.tracer_cpu_seconds, bytes(overhead.tracer_rss_bytes),
                    overhead.attach_seconds, overhead.detach_seconds));
}

void put_losses(Page& page, const Source& source) {
    const auto& recording = source.recording;
    page.heading("LOSSES");
    bool any = !recording.damage.empty();
    if (any) page.line("  parts of the trace itself: see the top");
    if (!recording.totals_known) {
        page.line(kUnknownTotals);
        any = true;
    }
    for (const auto& [name, number] : loss_counters(recording.losses)) {
        if (number == 0) continue;
        page.line(fmt::format("  {} {}", grouped(number), loss_meaning(name)));
        any = true;
    }
    for (const auto& failed : recording.losses.attach_failed) {
        page.paragraph("not attached: " + escape_terminal(failed, 500), 2, 2);
        any = true;
    }
    if (!any) page.line("  nothing lost");
    if (recording.requests_dropped != 0)
        page.line(fmt::format("  of the oldest {} requests only the times were kept",
                              grouped(recording.requests_dropped)));
    if (const auto& raw = recording.raw_events)
        page.line(fmt::format("  raw events: {} in the trace, {} beyond its limit",
                              grouped(raw->kept), grouped(raw->not_kept)));
    if (recording.notes.empty()) return;
    page.heading("NOTES");
    for (const auto& note : recording.notes) page.paragraph("- " + escape_terminal(note, 1000), 2);
}

}  // namespace asrtrace::report
