// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/report/folded.h"

#include <algorithm>
#include <map>

#include "user/base/escape.h"
#include "user/report/names.h"

namespace asrtrace::report {
namespace {

using ledger::Recording;
using ledger::SiteEpoch;
using ledger::SiteKind;

}  // namespace

std::optional<FlameKind> flame_kind(std::string_view name) {
    if (name == "live") return FlameKind::kLive;
    if (name == "growth") return FlameKind::kGrowth;
    if (name == "faults") return FlameKind::kFaults;
    return std::nullopt;
}

const char* flame_title(FlameKind kind) {
    switch (kind) {
        case FlameKind::kLive:
            return "Heap bytes held at the end";
        case FlameKind::kGrowth:
            return "Heap bytes that outlived their request, held at the end";
        case FlameKind::kFaults:
            break;
    }
    return "Memory touched for the first time";
}

std::vector<WeighedStack> weighed_stacks(const Recording& recording, FlameKind kind) {
    std::map<StackId, std::uint64_t> weights;
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
    std::vector<WeighedStack> stacks;
    for (const auto& [stack, bytes] : weights)
        if (bytes != 0) stacks.push_back({stack, bytes});
    return stacks;
}

std::string why_empty(const Recording& recording, FlameKind kind) {
    if (recording.epochs.empty()) return "the trace holds no epoch; record for longer";
    if (kind == FlameKind::kFaults) return "no page fault was sampled";
    if (recording.overhead.tier == "watch")
        return "the watch tier traces no allocations; record with --tier full";
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
                       std::string(basename_of((*frame)->module))});
    if (out.empty()) out.push_back({marks.empty() ? "[unknown]" : marks.front(), "", ""});
    return out;
}

std::string folded(const Recording& recording, const std::vector<WeighedStack>& stacks) {
    std::map<std::string, std::uint64_t> lines;
    for (const auto& stack : stacks) {
        std::string line;
        for (const auto& frame : flame_frames(recording, stack.stack)) {
            auto name = escape_invalid(frame.name);
            std::replace(name.begin(), name.end(), ';', ':');
            line += (line.empty() ? "" : ";") + name;
        }
        lines[line] += stack.bytes;
    }
    std::string out;
    for (const auto& [line, bytes] : lines) out += line + " " + std::to_string(bytes) + "\n";
    return out;
}

}  // namespace asrtrace::report
