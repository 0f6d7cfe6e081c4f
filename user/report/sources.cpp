// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/report/sources.h"

#include <algorithm>
#include <tuple>

#include <map>

namespace asrtrace::report {

const char* source_name(ledger::RequestSource source) {
    switch (source) {
        case ledger::RequestSource::kUsdt:
            return "usdt";
        case ledger::RequestSource::kFunc:
            return "func";
        case ledger::RequestSource::kHttp:
            return "http";
        case ledger::RequestSource::kEvery:
            return "every";
        case ledger::RequestSource::kNone:
            break;
    }
    return "none";
}

std::vector<std::pair<const char*, std::int64_t>> book_classes(const ledger::Books& books) {
    const auto whole = [](std::uint64_t bytes) { return static_cast<std::int64_t>(bytes); };
    return {{"heap.live", whole(books.heap_live)},
            {"heap.retained", whole(books.heap_retained)},
            {"heap.overhead", whole(books.heap_overhead)},
            {"stack", whole(books.stack)},
            {"anon.mapped", whole(books.anon_mapped)},
            {"image", whole(books.image)},
            {"unexplained", books.unexplained}};
}

std::vector<std::pair<const char*, std::uint64_t>> loss_counters(const ledger::Losses& losses) {
    return {{"ring_events", losses.ring_events},
            {"ring_calls", losses.ring_calls},
            {"map_full_events", losses.map_full_events},
            {"map_full_stacks", losses.map_full_stacks},
            {"missed_programs", losses.missed_programs},
            {"missed_tracepoints", losses.missed_tracepoints},
            {"stacks_failed", losses.stacks_failed},
            {"stacks_truncated", losses.stacks_truncated},
            {"stacks_heuristic", losses.stacks_heuristic},
            {"inflight_reset", losses.inflight_reset},
            {"missed_frees", losses.missed_frees},
            {"undecodable", losses.undecodable},
            {"unknown_requests", losses.unknown_requests},
            {"census_rejected", losses.census_rejected},
            {"unseen_http_calls", losses.unseen_http_calls},
            {"unsized_faults", losses.unsized_faults},
            {"unseen_mapping_bytes", losses.unseen_mapping_bytes},
            {"unnamed_frames", losses.unnamed_frames},
            {"modules_failed", losses.modules_failed},
            {"mappings_dropped", losses.mappings_dropped}};
}

const char* loss_meaning(const std::string& name) {
    static const std::map<std::string, const char*> meanings{
        {"ring_events", "events: the ring buffer was full"},
        {"ring_calls", "of these events were calls of malloc and its family"},
        {"map_full_events", "events: a kernel map was full"},
        {"map_full_stacks", "of these events came, but without their stack: they are [unknown]"},
        {"missed_programs", "probe hits that the kernel skipped"},
        {"missed_tracepoints", "runs at tracepoints that the kernel skipped, in whichever process"},
        {"stacks_failed", "stacks that could not be taken, shown as [unknown]"},
        {"stacks_truncated", "stacks not walked to the root, marked [truncated]"},
        {"stacks_heuristic", "stacks through code without unwind tables, marked [heuristic]"},
        {"inflight_reset", "calls whose return was never seen"},
        {"missed_frees", "blocks whose free was not seen: another block took their address"},
        {"undecodable", "records that could not be decoded"},
        {"unknown_requests", "request ends without a beginning, or abandoned requests"},
        {"census_rejected", "readings of the heap that were rejected"},
        {"unseen_http_calls", "socket calls that passed no probe; their requests do not count"},
        {"unsized_faults", "page faults that count as one page, but may have brought a huge one"},
        {"unseen_mapping_bytes",
         "bytes were mapped or unmapped by system calls that no probe stands behind"},
        {"unnamed_frames", "frames without a function: the names before them took all the room"},
        {"modules_failed", "executable files that could not be read: their code has no names"},
        {"mappings_dropped", "mappings of code too many to remember: it has no names"}};
    const auto found = meanings.find(name);
    return found == meanings.end() ? "" : found->second;
}

std::vector<const ledger::PathTotals*> paths_by_weight(const ledger::Recording& recording) {
    std::vector<const ledger::PathTotals*> rows;
    for (std::size_t i = 1; i < recording.paths.size(); ++i)
        if (recording.paths[i].requests + recording.paths[i].aborted != 0)
            rows.push_back(&recording.paths[i]);
    std::stable_sort(rows.begin(), rows.end(), [](const auto* a, const auto* b) {
        return std::tie(a->held_bytes, a->requests) > std::tie(b->held_bytes, b->requests);
    });
    return rows;
}

bool blocks_by_path(const ledger::Recording& recording) {
    const std::string& tier = recording.overhead.tier;
    return !recording.paths.empty() && tier != "auto" && tier != "watch";
}

}  // namespace asrtrace::report
