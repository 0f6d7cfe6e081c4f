// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/heap/reach.h"

#include <algorithm>
#include <iterator>
#include <map>

#include "user/base/quantity.h"
#include "user/heap/marking.h"

namespace asrtrace::heap {
namespace {

constexpr std::size_t kMaxHolders = 20;

/// module+0xoffset, the offset counted from the module's first mapping.
std::string name_data(const Snapshot& snapshot, std::uint64_t address) {
    const MapsEntry* entry = find_mapping(snapshot.maps, address);
    if (entry == nullptr) return hex(address);
    std::size_t index = static_cast<std::size_t>(entry - snapshot.maps.data());
    if (!entry->is_file() && index > 0) --index;
    const std::string& path = snapshot.maps[index].path;
    while (index > 0 && snapshot.maps[index - 1].path == path) --index;
    return path.substr(path.rfind('/') + 1) + "+" + hex(address - snapshot.maps[index].begin);
}

std::string name_of(const Snapshot& snapshot, const HolderKey& key) {
    switch (key.kind) {
        case RootKind::kData:
            return name_data(snapshot, key.where);
        case RootKind::kRegisters:
            return "registers of thread " + std::to_string(key.where);
        case RootKind::kStack:
            return key.where == 0 ? "stack of the main thread"
                                  : "stack and TLS of thread " + hex(key.where);
        case RootKind::kKernel:
            return "data of epoll";
        case RootKind::kPassing:
            return "pointers stored while the heap was read";
        case RootKind::kAnonymous:
            break;
    }
    if (key.where >= snapshot.maps.size()) return "anonymous mapping";
    const MapsEntry& entry = snapshot.maps[key.where];
    return (entry.path.empty() ? "anonymous mapping" : entry.path) + " at " + hex(entry.begin);
}

std::vector<Leaked> list_unmarked(const Snapshot& snapshot) {
    std::vector<Leaked> unmarked;
    for (const Segment& segment : snapshot.segments) {
        for (std::size_t i = segment.chunk_begin; i < segment.chunk_end; ++i) {
            if (snapshot.chunks.is(i, kFreed | kMarked)) continue;
            unmarked.push_back(
                {snapshot.chunks.address(i) + kChunkHeader, snapshot.chunks.bytes(segment, i)});
        }
    }
    return unmarked;
}

/// Both by address; `weak` may hold what is in `leaked`, too.
Reach make_reach(std::vector<Leaked> leaked, const std::vector<Leaked>& weak) {
    Reach reach;
    reach.leaked = std::move(leaked);
    std::set_difference(weak.begin(), weak.end(), reach.leaked.begin(), reach.leaked.end(),
                        std::back_inserter(reach.weak));
    for (const Leaked& block : reach.leaked) reach.unreachable_bytes += block.bytes;
    for (const Leaked& block : reach.weak) reach.weak_bytes += block.bytes;
    reach.unreachable_chunks = reach.leaked.size();
    reach.weak_chunks = reach.weak.size();
    return reach;
}

std::vector<Leaked> join(const std::vector<Leaked>& a, const std::vector<Leaked>& b) {
    std::vector<Leaked> both;
    std::merge(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(both));
    return both;
}

std::vector<Leaked> common(const std::vector<Leaked>& a, const std::vector<Leaked>& b) {
    std::vector<Leaked> both;
    std::set_intersection(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(both));
    return both;
}

}  // namespace

Result<Reach> find_unreachable(TargetMemory& memory, Snapshot& snapshot,
                               const std::vector<ThreadState>& threads,
                               std::span<const AskedSize> asked, PassingWords* passing,
                               std::chrono::steady_clock::time_point deadline) {
    const Error late{"marking what is reachable took too long"};
    const bool looks_twice = passing != nullptr && passing->first;
    const std::vector<RootRange> roots = find_roots(memory, snapshot, threads);
    Marking marking(memory, snapshot, asked, passing, deadline);
    if (!marking.run(roots, threads)) return late;
    if (looks_twice && marking.something_seems_lost() && !marking.look_again(roots)) return late;
    const std::vector<Leaked> not_sure = list_unmarked(snapshot);
    if (!marking.run_weak()) return late;
    Reach reach = make_reach(list_unmarked(snapshot), not_sure);
    for (const auto& [key, holder] : marking.holders()) {
        reach.holders.push_back({name_of(snapshot, key), holder.bytes, holder.chunks});
    }
    std::stable_sort(reach.holders.begin(), reach.holders.end(),
                     [](const Holder& a, const Holder& b) { return a.bytes > b.bytes; });
    if (reach.holders.size() > kMaxHolders) reach.holders.resize(kMaxHolders);
    if (passing != nullptr) {
        auto words = marking.take_newer();
        if (!words) return Error{"too many words of the target lead to no block of its heap"};
        passing->words = std::move(*words);
    }
    return reach;
}

Reach intersect(const Reach& a, const Reach& b) {
    Reach both = make_reach(common(a.leaked, b.leaked),
                            common(join(a.leaked, a.weak), join(b.leaked, b.weak)));
    both.holders = b.holders;
    both.snapshots = a.snapshots + b.snapshots;
    return both;
}

void find_likely(Reach& reach) {
    std::map<std::uint64_t, std::ptrdiff_t> surplus;  // by size: unreachable less weak blocks
    for (const Leaked& block : reach.leaked) ++surplus[block.bytes];
    for (const Leaked& block : reach.weak) --surplus[block.bytes];
    for (Leaked& block : reach.weak) {
        block.likely = surplus[block.bytes] >= 0;
        if (!block.likely) continue;
        reach.likely_bytes += block.bytes;
        ++reach.likely_chunks;
    }
}

}  // namespace asrtrace::heap
