// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "tools/asrtrace/census.h"
#include "user/base/escape.h"

namespace asrtrace {
namespace {

using Json = nlohmann::ordered_json;

std::string address(std::uint64_t value) {
    return fmt::format("{:#x}", value);
}

Json stack_of(StackId stack, const StackJson& stack_json) {
    return stack == kUnknownStack || !stack_json ? Json(nullptr) : stack_json(stack);
}

Json pin_json(const heap::Pin& pin, const StackJson& stack_json) {
    if (pin.address == 0) return nullptr;
    return {{"bytes", pin.bytes},
            {"address", address(pin.address)},
            {"in_tcache", pin.in_tcache},
            {"stack", stack_of(pin.stack, stack_json)}};
}

Json totals_json(const heap::CensusTotals& totals) {
    return {{"in_use", totals.in_use},
            {"live", totals.live},
            {"free", totals.free},
            {"tcache", totals.tcache},
            {"fastbin", totals.fastbin},
            {"top", totals.top},
            {"mmapped_bytes", totals.mmapped_bytes},
            {"mmapped_chunks", totals.mmapped_chunks},
            {"system", totals.system},
            {"resident_free", totals.resident_free},
            {"releasable", totals.releasable},
            {"free_chunks", totals.free_chunks},
            {"fastbin_chunks", totals.fastbin_chunks},
            {"live_chunks", totals.live_chunks},
            {"keepcost", totals.keepcost},
            {"pause_ms", totals.pause_ms}};
}

Json arena_json(const heap::ArenaFigures& arena, const StackJson& stack_json) {
    Json heaps = Json::array();
    for (const heap::HeapFigures& heap : arena.heaps) {
        heaps.push_back({{"address", address(heap.address)},
                         {"size", heap.size},
                         {"resident_free", heap.resident_free},
                         {"releasable", heap.releasable},
                         {"pin", pin_json(heap.pin, stack_json)}});
    }
    return {{"id", address(arena.id)},
            {"heaps", arena.heaps.size()},
            {"size", arena.size},
            {"in_use", arena.in_use},
            {"resident_free", arena.resident_free},
            {"releasable", arena.releasable},
            {"pin", pin_json(arena.pin, stack_json)},
            {"heap_list", std::move(heaps)}};
}

Json blocks_json(const std::vector<heap::Leaked>& blocks, bool weak, const StackJson& stack_json) {
    Json list = Json::array();
    for (const heap::Leaked& block : blocks) {
        Json row{{"address", address(block.address)},
                 {"bytes", block.bytes},
                 {"stack", stack_of(block.stack, stack_json)}};
        if (weak) row["likely"] = block.likely;
        list.push_back(std::move(row));
    }
    return list;
}

Json reach_json(const heap::Reach& reach, const StackJson& stack_json) {
    Json holders = Json::array();
    for (const heap::Holder& holder : reach.holders) {
        holders.push_back({{"root", escape_invalid(holder.root)},
                           {"bytes", holder.bytes},
                           {"chunks", holder.chunks}});
    }
    return {{"unreachable_bytes", reach.unreachable_bytes},
            {"unreachable_chunks", reach.unreachable_chunks},
            {"snapshots", reach.snapshots},
            {"leaked", blocks_json(reach.leaked, false, stack_json)},
            {"weak",
             {{"bytes", reach.weak_bytes},
              {"chunks", reach.weak_chunks},
              {"likely_bytes", reach.likely_bytes},
              {"likely_chunks", reach.likely_chunks},
              {"blocks", blocks_json(reach.weak, true, stack_json)}}},
            {"holders", std::move(holders)}};
}

}  // namespace

std::string census_json(pid_t pid, const heap::Census& census, const StackJson& stack_json) {
    Json document;
    document["schema"] = "asrtrace.census/1";
    document["pid"] = pid;
    document["libc"] = escape_invalid(census.libc);
    document["layout"] = census.layout;
    document["note"] = census.note.empty() ? Json() : Json(escape_invalid(census.note));
    document["exact"] = census.exact;
    document["rejected"] = census.rejected;
    document["threads"] = census.threads;
    document["seconds"] = census.seconds;
    document["tracer_bytes"] = census.tracer_bytes;
    document["totals"] = totals_json(census.totals);
    document["resident"] = {{"live", census.books.live},
                            {"retained", census.books.retained},
                            {"overhead", census.books.overhead}};
    document["arenas"] = Json::array();
    for (const heap::ArenaFigures& arena : census.arenas) {
        document["arenas"].push_back(arena_json(arena, stack_json));
    }
    document["size_classes"] = Json::array();
    for (const heap::SizeClass& sums : census.classes) {
        document["size_classes"].push_back(
            {{"upper", sums.upper}, {"chunks", sums.chunks}, {"bytes", sums.bytes}});
    }
    if (census.reach) document["reach"] = reach_json(*census.reach, stack_json);
    return document.dump(2) + "\n";
}

}  // namespace asrtrace
