// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// A census of a recorded image: what HeapReader::take does with a process, without one.
#pragma once

#include <string>

#include "user/heap/census.h"
#include "user/heap/image.h"

namespace asrtrace::heap {

struct ImageOutcome {
    std::optional<Census> census;
    std::string reason;
};

inline ImageOutcome image_census(ImageMemory& image, bool still, std::chrono::milliseconds time,
                                 std::span<const AskedSize> asked = {},
                                 PassingWords* passing = nullptr) {
    auto location = find_malloc(image, image.maps());
    if (!location) return {std::nullopt, location.error().message};
    SnapshotOptions options;
    options.still = still;
    options.limits.deadline = std::chrono::steady_clock::now() + time;
    options.limits.max_record_bytes = 64 << 20;
    options.limits.step_backs = still ? 0 : 100;
    Snapshot snapshot;
    Status taken = take_snapshot(image, image.maps(), *location, options, snapshot);
    if (taken) taken = check_bins(snapshot, still);
    if (!taken) return {std::nullopt, taken.error().message};
    ThreadState thread;
    thread.tid = 1;
    thread.stack_pointer = 0x7ffd00001000;
    auto reach =
        find_unreachable(image, snapshot, {thread}, asked, passing, options.limits.deadline);
    if (!reach) return {std::nullopt, reach.error().message};
    ImageOutcome outcome{compute_census(snapshot, image.page_size()), {}};
    outcome.census->reach = std::move(*reach);
    return outcome;
}

}  // namespace asrtrace::heap
