// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/report/flame_stacks.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <utility>

#include "user/base/path.h"
#include "user/report/names.h"

namespace asrtrace::report {
namespace {

using ledger::Recording;
using ledger::SiteEpoch;
using ledger::SiteKind;

constexpr std::array<std::pair<FlameKind, const char*>, 6> kNames{{
    {FlameKind::kLive, "live"},
    {FlameKind::kGrowth, "growth"},
    {FlameKind::kFaults, "faults"},
    {FlameKind::kLeak, "leak"},
    {FlameKind::kCache, "cache"},
    {FlameKind::kRetention, "retention"},
}};

using Weights = std::map<StackId, std::uint64_t>;

Weights site_weights(const Recording& recording, FlameKind kind) {
    Weights weights;
    const SiteKind wanted = kind == FlameKind::kFaults ? SiteKind::kFault : SiteKind::kHeap;
    for (const auto& epoch : recording.site_epochs)
        for (const SiteEpoch& site : epoch) {
            if (site.kind != wanted) continue;
            auto& weight = weights[site.stack];
            if (kind == FlameKind::kFaults)
                weight += site.allocated_bytes;
            else
                weight = kind == FlameKind::kLive ? site.live_bytes : site.outlived_bytes;
        }
    return weights;
}

/// Of growth, what findings of one kind account for: of a site perhaps a share.
Weights finding_weights(const Recording& recording, const std::vector<classify::Finding>& findings,
                        classify::FindingKind kind) {
    auto growth = site_weights(recording, FlameKind::kGrowth);
    Weights weights;
    for (const auto& finding : findings) {
        if (finding.kind != kind) continue;
        double all = 0;
        for (const StackId stack : finding.stacks) all += static_cast<double>(growth[stack]);
        for (const StackId stack : finding.stacks)
            weights[stack] += static_cast<std::uint64_t>(std::llround(
                finding.bytes * static_cast<double>(growth[stack]) / std::max(all, 1.0)));
    }
    return weights;
}

Weights pin_weights(const Recording& recording) {
    Weights weights;
    for (const auto& arena : recording.arenas)
        if (arena.pin_address != 0) weights[arena.pin_stack] += arena.resident_free;
    return weights;
}

}  // namespace

std::optional<FlameKind> flame_kind(std::string_view name) {
    for (const auto& [kind, known] : kNames)
        if (name == known) return kind;
    return std::nullopt;
}

const char* flame_name(FlameKind kind) {
    for (const auto& [known, name] : kNames)
        if (kind == known) return name;
    return "";
}

const char* flame_title(FlameKind kind) {
    switch (kind) {
        case FlameKind::kLive:
            return "Heap bytes held at the end";
        case FlameKind::kGrowth:
            return "Heap bytes that outlived their request, held at the end";
        case FlameKind::kLeak:
            return "Leaks: heap bytes held at the end";
        case FlameKind::kCache:
            return "Caches: heap bytes held at the end";
        case FlameKind::kRetention:
            return "Freed but resident, by who allocated what pins it";
        case FlameKind::kFaults:
            break;
    }
    return "Memory touched for the first time";
}

std::vector<WeighedStack> weighed_stacks(const Recording& recording,
                                         const std::vector<classify::Finding>& findings,
                                         FlameKind kind) {
    using classify::FindingKind;
    const Weights weights =
        kind == FlameKind::kLeak        ? finding_weights(recording, findings, FindingKind::kLeak)
        : kind == FlameKind::kCache     ? finding_weights(recording, findings, FindingKind::kCache)
        : kind == FlameKind::kRetention ? pin_weights(recording)
                                        : site_weights(recording, kind);
    std::vector<WeighedStack> stacks;
    for (const auto& [stack, bytes] : weights)
        if (bytes != 0) stacks.push_back({stack, bytes});
    return stacks;
}

std::vector<WeighedStack> weighed_stacks(const Recording& recording, FlameKind kind) {
    const bool by_findings = kind == FlameKind::kLeak || kind == FlameKind::kCache;
    if (!by_findings) return weighed_stacks(recording, {}, kind);
    return weighed_stacks(recording, classify::analyze(recording).findings, kind);
}

std::string why_empty(const Recording& recording, FlameKind kind) {
    if (recording.epochs.empty()) return "the trace holds no epoch; record for longer";
    if (kind == FlameKind::kFaults) return "no page fault was sampled";
    if (kind == FlameKind::kRetention)
        return recording.readings.empty() ? "the heap was not read" : "nothing pins any arena";
    if (recording.overhead.tier == "watch")
        return "the watch tier traces no allocations; record with --tier full";
    if (kind == FlameKind::kLeak || kind == FlameKind::kCache)
        return std::string("no finding is a ") + flame_name(kind);
    if (kind == FlameKind::kLive) return "no traced allocation was held at the end";
    return "nothing outlived its request; --kind live shows what was held";
}

std::vector<FlameFrame> flame_frames(const Recording& recording, StackId stack) {
    std::vector<FlameFrame> out;
    const auto marks = marks_of(recording, stack);
    const bool truncated = std::find(marks.begin(), marks.end(), "[truncated]") != marks.end();
    auto frames = frames_of(recording, stack);
    if (truncated && !frames.empty()) out.push_back({"[truncated]", "", ""});
    for (auto frame = frames.rbegin(); frame != frames.rend(); ++frame)
        out.push_back({function_of(**frame), location_of(**frame),
                       std::string(basename_of((*frame)->module)), (*frame)->file, (*frame)->line});
    if (out.empty()) out.push_back({marks.empty() ? "[unknown]" : marks.front(), "", ""});
    return out;
}

Flame flame_of(const Recording& recording, FlameKind kind) {
    Flame flame;
    flame.kind = kind;
    flame.process = basename_of(recording.target.exe);
    flame.start_unix_seconds = recording.window.start_unix_seconds;
    flame.seconds = recording.window.seconds;
    flame.requests = recording.requests_completed;
    for (const auto& stack : weighed_stacks(recording, kind))
        flame.stacks.push_back({flame_frames(recording, stack.stack), stack.bytes});
    return flame;
}

Flame flame_difference(const Recording& base, const Recording& now, FlameKind kind) {
    using Key = std::vector<std::pair<std::string, std::string>>;
    std::map<Key, FlameStack> stacks;
    const auto same = [&](const FlameStack& from) -> FlameStack& {
        Key key;
        for (const auto& frame : from.frames) key.emplace_back(frame.name, frame.module);
        FlameStack& stack = stacks[key];
        if (stack.frames.empty()) stack.frames = from.frames;
        return stack;
    };
    Flame out = flame_of(now, kind);
    const Flame before = flame_of(base, kind);
    for (const auto& stack : out.stacks) same(stack).bytes += stack.bytes;
    for (const auto& stack : before.stacks) same(stack).base_bytes += stack.bytes;
    out.compared = true;
    out.base_requests = before.requests;
    out.stacks.clear();
    for (auto& [key, stack] : stacks) out.stacks.push_back(std::move(stack));
    return out;
}

}  // namespace asrtrace::report
