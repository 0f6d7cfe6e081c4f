// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/heap/snapshot.h"

#include <algorithm>

namespace asrtrace::heap {
namespace {

bool by_address(const Segment& a, const Segment& b) {
    return a.begin < b.begin;
}

Status check_disjoint(const std::vector<Segment>& segments) {
    for (std::size_t i = 1; i < segments.size(); ++i) {
        if (segments[i].begin < segments[i - 1].end) return Error{"two heaps overlap"};
    }
    return ok_status();
}

/// The mappings that malloc's memory lies in must be there: a vanished one is a changed target.
bool any_swapped(const Snapshot& snapshot) {
    const auto& ranges = snapshot.residency.ranges();
    return std::any_of(ranges.begin(), ranges.end(),
                       [](const PageRange& range) { return range.kind == PageKind::kSwapped; });
}

}  // namespace

void Snapshot::reset() {
    ChunkTable room = std::move(chunks);
    *this = Snapshot{};
    chunks = std::move(room);
    chunks.clear();
}

Status take_snapshot(TargetMemory& memory, std::vector<MapsEntry> maps,
                     const MallocLocation& location, const SnapshotOptions& options,
                     Snapshot& snapshot) {
    snapshot.location = location;
    snapshot.maps = std::move(maps);
    auto arenas = read_arenas(memory, location);
    if (!arenas) return arenas.error();
    snapshot.arenas = std::move(*arenas);
    auto parameters = read_parameters(memory, location);
    if (!parameters) return parameters.error();
    snapshot.parameters = *parameters;
    auto residency = Residency::read(memory, snapshot.maps);
    if (!residency) return residency.error();
    snapshot.residency = std::move(*residency);

    std::vector<std::size_t> candidates;
    Status walked = walk_arenas(memory, snapshot, options, candidates);
    if (!walked) return walked.error();
    std::sort(snapshot.segments.begin(), snapshot.segments.end(), by_address);
    Status mapped = find_mapped_chunks(memory, snapshot, options);
    if (!mapped) {
        if (any_swapped(snapshot))
            return Error{"inconclusive (swapped): " + mapped.error().message};
        return mapped.error();
    }
    std::sort(snapshot.segments.begin(), snapshot.segments.end(), by_address);
    if (Status apart = check_disjoint(snapshot.segments); !apart) return apart.error();
    // The caches first: they settle whether links are protected, which fastbins need to know.
    Status cached = read_tcaches(memory, snapshot, candidates, options.still);
    return cached ? ok_status() : cached;
}

}  // namespace asrtrace::heap
