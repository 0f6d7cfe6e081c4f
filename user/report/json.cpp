// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/report/json.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "user/base/escape.h"
#include "user/classify/path_shares.h"
#include "user/report/json_document.h"
#include "user/report/names.h"
#include "user/report/sources.h"

namespace asrtrace::report {
namespace {

using classify::Change;
using classify::Site;
using classify::Slope;
using classify::Summary;
using ledger::Recording;

Json text_or_null(const std::string& text) {
    return text.empty() ? Json(nullptr) : Json(escape_invalid(text));
}

template <typename T>
Json or_null(const std::optional<T>& value) {
    return value ? Json(*value) : Json(nullptr);
}

Json texts(const std::vector<std::string>& values) {
    Json out = Json::array();
    for (const auto& value : values) out.push_back(escape_invalid(value));
    return out;
}

Json interval(const Interval& value) {
    return Json::array({value.lo, value.hi});
}

void put_slope(Json& out, const std::optional<Slope>& slope) {
    out["bytes_per_request"] = slope ? Json(slope->value) : Json(nullptr);
    out["ci95"] = slope && slope->ci95 ? interval(*slope->ci95) : Json(nullptr);
}

Json target(const Recording& recording) {
    const auto& from = recording.target;
    Json out;
    out["pid"] = from.pid;
    out["exe"] = text_or_null(from.exe);
    out["cmdline"] = texts(from.cmdline);
    out["libc"] = nullptr;
    if (!from.libc_path.empty())
        out["libc"] = {{"path", escape_invalid(from.libc_path)},
                       {"version", text_or_null(from.libc_version)},
                       {"build_id", text_or_null(from.libc_build_id)}};
    out["allocator"] = text_or_null(from.allocator);
    out["kernel"] = text_or_null(from.kernel);
    out["followed"] = Json::array();
    for (const auto& process : from.followed)
        out["followed"].push_back({{"pid", process.pid},
                                   {"parent", process.parent},
                                   {"exe", text_or_null(process.exe)},
                                   {"exit_status", or_null(process.exit_status)}});
    return out;
}

Json window(const Recording& recording) {
    const auto& from = recording.window;
    return {{"seconds", from.seconds},
            {"requests", recording.requests_completed},
            {"start_unix_seconds", from.start_unix_seconds},
            {"ended_by", text_or_null(from.ended_by)},
            {"exit_status", or_null(from.exit_status)}};
}

Json memory(const classify::Memory& from) {
    if (!from.rss_anon) return nullptr;
    const auto change = [](const std::optional<Change>& value) -> Json {
        if (!value) return nullptr;
        return {{"first", value->first}, {"last", value->last}, {"delta", value->delta()}};
    };
    Json out;
    out["rss_anon"] = change(from.rss_anon);
    out["rss_file"] = change(from.rss_file);
    out["rss_shmem"] = change(from.rss_shmem);
    out["pss"] = change(from.pss);
    out["swap"] = change(from.swap);
    out["mem_available"] = change(from.mem_available);
    out["page_tables"] = change(from.page_tables);
    out["huge_pages"] = change(from.huge_pages);
    out["mem_free"] = change(from.mem_free);
    out["cached"] = change(from.cached);
    out["shmem"] = change(from.shmem);
    out["slab_reclaimable"] = change(from.slab_reclaimable);
    out["swap_used"] = change(from.swap_used);
    out["cgroup_current"] = change(from.cgroup_current);
    out["cgroup_max"] = change(from.cgroup_max);
    out["cgroup_oom_kills"] = change(from.cgroup_oom_kills);
    out["cgroup_stalled_us"] = change(from.cgroup_stalled_us);
    return out;
}

Json classes(const ledger::Books& from) {
    Json out;
    for (const auto& [name, value] : book_classes(from)) out[name] = value;
    return out;
}

/// The last reading within each epoch, if there was one.
Json epochs(const Recording& recording) {
    Json out = Json::array();
    auto next = recording.readings.begin();
    for (const auto& epoch : recording.epochs) {
        const auto begin = next;
        while (next != recording.readings.end() && next->t_ns <= epoch.end_ns) ++next;
        out.push_back(
            {{"t", static_cast<double>(epoch.end_ns) / 1e9},
             {"requests", epoch.requests},
             {"classes", next == begin ? Json(nullptr) : classes(std::prev(next)->books)}});
    }
    return out;
}

Json books(const Recording& recording) {
    if (recording.readings.empty()) return nullptr;
    const auto first = book_classes(recording.readings.front().books);
    const auto last = book_classes(recording.readings.back().books);
    Json out = Json::array();
    for (std::size_t i = 0; i < first.size(); ++i)
        out.push_back({{"class", first[i].first},
                       {"first", first[i].second},
                       {"last", last[i].second},
                       {"delta", last[i].second - first[i].second}});
    return out;
}

Json stack(const Recording& recording, StackId id) {
    Json out = Json::array();
    for (const auto* frame : frames_of(recording, id)) {
        Json line;
        line["function"] = escape_invalid(function_of(*frame));
        line["file"] = text_or_null(frame->file);
        line["line"] = frame->line == 0 ? Json(nullptr) : Json(frame->line);
        line["module"] = text_or_null(frame->module);
        line["offset"] = fmt::format("0x{:x}", frame->module_offset);
        line["inlined"] = frame->inlined;
        out.push_back(std::move(line));
    }
    if (!out.empty()) return out;
    const auto marks = marks_of(recording, id);
    out.push_back({{"function", marks.empty() ? "[unknown]" : marks.front()},
                   {"file", nullptr},
                   {"line", nullptr},
                   {"module", nullptr},
                   {"offset", nullptr},
                   {"inlined", false}});
    return out;
}

Json pin(const Recording& recording, const ledger::Arena& arena) {
    if (arena.pin_address == 0) return nullptr;
    return {{"bytes", arena.pin_bytes},
            {"address", fmt::format("0x{:x}", arena.pin_address)},
            {"stack", stack(recording, arena.pin_stack)}};
}

Json retention(const Recording& recording) {
    if (recording.readings.empty()) return nullptr;
    const ledger::Reading& last = recording.readings.back();
    Json out;
    out["resident_free"] = last.books.heap_retained;
    out["releasable"] = last.releasable;
    out["arenas"] = Json::array();
    for (const auto& arena : recording.arenas)
        out["arenas"].push_back({{"id", fmt::format("0x{:x}", arena.address)},
                                 {"heaps", arena.heaps},
                                 {"size", arena.size},
                                 {"in_use", arena.in_use},
                                 {"resident_free", arena.resident_free},
                                 {"releasable", arena.releasable},
                                 {"pin", pin(recording, arena)}});
    return out;
}

/// Null if requests have no paths, or the finding is about memory that is nobody's.
Json path_shares(const Recording& recording, const classify::Finding& from) {
    if (!blocks_by_path(recording) || from.kind == classify::FindingKind::kRetention)
        return nullptr;
    Json out = Json::array();
    for (const auto& share : classify::path_shares(recording, from.stacks))
        out.push_back(
            {{"path", share.path == 0 ? Json(nullptr)
                                      : Json(escape_invalid(recording.paths[share.path].path))},
             {"bytes", share.bytes},
             {"fraction", share.fraction}});
    return out;
}

Json by_path(const Recording& recording) {
    if (recording.paths.empty()) return nullptr;
    const bool known = blocks_by_path(recording);
    Json out = Json::array();
    for (const auto* row : paths_by_weight(recording)) {
        const auto mean = [&](std::uint64_t sum, double unit = 1) -> Json {
            if (row->requests == 0) return nullptr;
            return static_cast<double>(sum) / static_cast<double>(row->requests) / unit;
        };
        out.push_back(
            {{"path", escape_invalid(row->path)},
             {"count", row->requests},
             {"aborted", row->aborted},
             {"bytes_per_request", known ? mean(row->held_bytes) : nullptr},
             {"held_bytes", known ? Json(row->held_bytes) : nullptr},
             {"held_blocks", known ? Json(row->held_blocks) : nullptr},
             {"allocated_bytes_per_request", known ? mean(row->allocated_bytes) : nullptr},
             {"body_bytes_per_request", mean(row->body_bytes)},
             {"response_bytes_per_request", mean(row->response_bytes)},
             {"mean_ms", mean(row->duration_ns, 1e6)}});
    }
    return out;
}

Json lifetimes(const ledger::Lifetimes& from) {
    if (from == ledger::Lifetimes{}) return nullptr;
    const auto sum = [](const ledger::Lifetimes::Sum& value) -> Json {
        return {{"bytes", value.bytes}, {"blocks", value.blocks}};
    };
    return {{"same_request", sum(from.same)},
            {"next_requests", sum(from.next)},
            {"later", sum(from.later)},
            {"not_freed", sum(from.held)}};
}

Json finding(const Recording& recording, const classify::Finding& from, const std::string& id) {
    Json out;
    out["id"] = id;
    out["kind"] = classify::kind_name(from.kind);
    out["subkind"] = text_or_null(from.subkind);
    out["bytes"] = std::llround(from.bytes);
    put_slope(out, from.per_request);
    out["confidence"] = classify::confidence_name(from.confidence);
    out["evidence"] = texts(from.evidence);
    out["advice"] = text_or_null(from.advice);
    out["forecast"] = nullptr;
    if (from.forecast)
        out["forecast"] = {{"plateau_bytes", std::llround(from.forecast->plateau_bytes)},
                           {"at_request", std::llround(from.forecast->at_request)}};
    out["requests_needed"] = or_null(from.requests_needed);
    out["paths"] = path_shares(recording, from);
    out["stack"] = from.stacks.empty() ? Json::array() : stack(recording, from.stacks.front());
    out["more_stacks"] = from.stacks.empty() ? 0 : from.stacks.size() - 1;
    return out;
}

Json findings(const Recording& recording, const std::vector<classify::Finding>& from,
              std::size_t most) {
    Json out = Json::array();
    const auto ids = classify::finding_ids(from);
    for (std::size_t i = 0; i < std::min(from.size(), most); ++i)
        out.push_back(finding(recording, from[i], ids[i]));
    return out;
}

Json site(const Recording& recording, const Site& from) {
    Json out;
    out["live_bytes"] = from.live_bytes;
    out["live_blocks"] = from.live_blocks;
    put_slope(out, from.per_request);
    out["outlived_bytes"] = from.outlived_bytes;
    out["outlived_blocks"] = from.outlived_blocks;
    out["allocated_bytes"] = from.allocated_bytes;
    out["allocated_blocks"] = from.allocated_blocks;
    out["freed_bytes"] = from.freed_bytes;
    out["freed_blocks"] = from.freed_blocks;
    out["marks"] = marks_of(recording, from.stack);
    out["stack"] = stack(recording, from.stack);
    return out;
}

Json fault_site(const Recording& recording, const Site& from) {
    Json out;
    out["bytes"] = from.allocated_bytes;
    put_slope(out, from.per_request);
    out["marks"] = marks_of(recording, from.stack);
    out["stack"] = stack(recording, from.stack);
    return out;
}

/// `measured` tells an empty list from none.
template <typename Make>
void put_sites(Json& out, const std::string& key, const std::vector<Site>& sites, bool measured,
               std::size_t most, Make make) {
    out[key] = measured ? Json::array() : Json(nullptr);
    for (std::size_t i = 0; measured && i < std::min(sites.size(), most); ++i)
        out[key].push_back(make(sites[i]));
    out[key + "_omitted"] = sites.size() - std::min(sites.size(), most);
}

Json requests(const Recording& recording, const Summary& summary) {
    if (recording.request_source == ledger::RequestSource::kNone) return nullptr;
    const auto ms = [](std::uint64_t ns) { return static_cast<double>(ns) / 1e6; };
    Json out;
    out["source"] = source_name(recording.request_source);
    out["spec"] = text_or_null(recording.request_spec);
    out["count"] = recording.requests_completed;
    out["attributed_fraction"] = or_null(summary.attributed_fraction);
    out["latency_ms"] = nullptr;
    if (summary.latency)
        out["latency_ms"] = {{"p50", ms(summary.latency->p50_ns)},
                             {"p95", ms(summary.latency->p95_ns)},
                             {"p99", ms(summary.latency->p99_ns)}};
    out["http"] = nullptr;
    if (recording.request_source == ledger::RequestSource::kHttp)
        out["http"] = {{"aborted", recording.http.aborted},
                       {"excluded", recording.http.excluded},
                       {"confused", recording.http.confused},
                       {"tls", recording.http.tls},
                       {"http2", recording.http.http2},
                       {"upgraded", recording.http.upgraded},
                       {"io_uring_calls", recording.http.io_uring_calls}};
    out["by_path"] = by_path(recording);
    out["lifetimes"] = lifetimes(recording.lifetimes);
    out["rows_dropped"] = recording.requests_dropped;
    return out;
}

Json overhead(const Recording& recording) {
    if (!recording.totals_known) return nullptr;
    const auto& from = recording.overhead;
    Json out;
    out["tier"] = text_or_null(from.tier);
    out["probe_hits"] = from.probe_hits;
    out["program_seconds"] = or_null(from.program_seconds);
    out["trap_seconds_estimated"] = or_null(from.trap_seconds_estimated);
    out["target_cpu_fraction"] = or_null(from.target_cpu_fraction);
    out["target_cpu_seconds"] = from.target_cpu_seconds;
    out["tracer_cpu_seconds"] = from.tracer_cpu_seconds;
    out["tracer_rss"] = from.tracer_rss_bytes;
    out["attach_seconds"] = from.attach_seconds;
    out["detach_seconds"] = from.detach_seconds;
    return out;
}

/// All but the damage was counted by who recorded, and may be missing itself.
Json losses(const Recording& recording) {
    const bool known = recording.totals_known;
    Json out;
    for (const auto& [name, value] : loss_counters(recording.losses))
        out[name] = known ? Json(value) : nullptr;
    out["attach_failed"] = known ? texts(recording.losses.attach_failed) : nullptr;
    out["trace_damage"] = texts(recording.damage);
    return out;
}

Json raw_events(const Recording& recording) {
    if (!recording.raw_events) return nullptr;
    return {{"kept", recording.raw_events->kept}, {"not_kept", recording.raw_events->not_kept}};
}

Json counts(const Recording& recording) {
    if (!recording.totals_known) return nullptr;
    const auto& from = recording.counts;
    Json out;
    out["calls"] = Json::object();
    for (const auto& [name, value] : from.calls) out["calls"][escape_invalid(name)] = value;
    out["allocated_bytes"] = from.allocated_bytes;
    out["allocated_blocks"] = from.allocated_blocks;
    out["freed_bytes"] = from.freed_bytes;
    out["freed_blocks"] = from.freed_blocks;
    out["freed_unknown_blocks"] = from.freed_unknown_blocks;
    out["ended_bytes"] = from.ended_bytes;
    out["ended_blocks"] = from.ended_blocks;
    out["failed_allocations"] = from.failed_allocations;
    out["allocated_bytes_estimate"] = nullptr;
    if (const auto& estimate = from.allocated_bytes_estimate)
        out["allocated_bytes_estimate"] = {{"value", estimate->value},
                                           {"ci95", interval(estimate->ci95)}};
    out["mapped_bytes"] = from.mapped_bytes;
    out["unmapped_bytes"] = from.unmapped_bytes;
    out["brk_grown_bytes"] = from.brk_grown_bytes;
    out["brk_shrunk_bytes"] = from.brk_shrunk_bytes;
    out["faults_user"] = from.faults_user;
    out["faults_kernel"] = from.faults_kernel;
    out["fault_bytes"] = from.fault_bytes;
    out["peak_rss_anon_bytes"] = from.peak_rss_anon_bytes;
    return out;
}

/// Sites of which nothing outlived a request are no part of `sites`.
std::vector<Site> outliving(const std::vector<Site>& sites) {
    std::vector<Site> out;
    for (const auto& site : sites)
        if (site.outlived_bytes != 0 || site.outlived_blocks != 0) out.push_back(site);
    return out;
}

Json growth(const Summary& summary) {
    Json heap;
    put_slope(heap, summary.heap_per_request);
    Json rss_anon;
    put_slope(rss_anon, summary.rss_anon_per_request);
    return {{"heap", heap}, {"rss_anon", rss_anon}};
}

}  // namespace

Json document(const Recording& recording, const classify::Analysis& analysis,
              DocumentLimits limits) {
    const Summary& summary = analysis.summary;
    const auto make_site = [&](const Site& from) { return site(recording, from); };
    const auto make_fault = [&](const Site& from) { return fault_site(recording, from); };
    const bool heap_traced = recording.overhead.tier != "watch" || !summary.heap.empty();
    Json out;
    out["schema"] = "asrtrace.report/1";
    out["tool_version"] = text_or_null(recording.tool_version);
    out["target"] = target(recording);
    out["window"] = window(recording);
    out["memory"] = memory(summary.memory);
    out["books"] = books(recording);
    out["epochs"] = epochs(recording);
    out["retention"] = retention(recording);
    out["findings"] = findings(recording, analysis.findings, limits.findings);
    out["unaccounted_growth"] =
        static_cast<std::uint64_t>(classify::unaccounted_growth(recording, analysis.findings));
    out["growth"] = growth(summary);
    put_sites(out, "sites", outliving(summary.heap), heap_traced, limits.sites, make_site);
    put_sites(out, "mapped", outliving(summary.mapped), true, limits.sites, make_site);
    put_sites(out, "faults", summary.faults, true, limits.sites, make_fault);
    out["requests"] = requests(recording, summary);
    out["counts"] = counts(recording);
    out["overhead"] = overhead(recording);
    out["losses"] = losses(recording);
    out["raw_events"] = raw_events(recording);
    out["notes"] = texts(recording.notes);
    return out;
}

std::string json(const Recording& recording, const classify::Analysis& analysis) {
    return document(recording, analysis, {kMaxJsonSites, analysis.findings.size()})
               .dump(2, ' ', false, Json::error_handler_t::replace) +
           "\n";
}

}  // namespace asrtrace::report
