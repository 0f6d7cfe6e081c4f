// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Recordings whose truth is known, for verdicts.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <string>
#include <string_view>

#include "user/classify/findings.h"

namespace asrtrace::classify {

using ledger::Reading;
using ledger::Recording;
using ledger::SiteEpoch;
using ledger::SiteKind;

constexpr std::uint64_t kEpochs = 60;
constexpr std::uint64_t kRequestsPerEpoch = 5;
constexpr std::uint64_t kBlockBytes = 1000;

/// 300 requests, a heap of 50 MiB that was read after each epoch and does not grow.
inline Recording quiet() {
    Recording recording;
    recording.overhead.tier = "full";
    recording.request_source = ledger::RequestSource::kUsdt;
    recording.requests_completed = kEpochs * kRequestsPerEpoch;
    recording.stacks.resize(4);
    for (std::uint64_t i = 0; i < kEpochs; ++i) {
        ledger::Epoch epoch{.end_ns = (i + 1) * 1000, .requests = (i + 1) * kRequestsPerEpoch};
        epoch.distinct_args = {std::min<std::uint64_t>(epoch.requests / 2, 120), 1};
        recording.epochs.push_back(epoch);
        Reading reading;
        reading.t_ns = i * 1000 + 500;
        reading.requests = i * kRequestsPerEpoch;
        reading.books.heap_live = 50 << 20;
        reading.arenas = 1;
        reading.mmap_threshold = 128 << 10;
        recording.readings.push_back(reading);
    }
    recording.site_epochs.resize(kEpochs);
    return recording;
}

/// A site that holds `blocks(requests)` blocks.
inline void add_site(Recording& recording,
                     const std::function<std::uint64_t(std::uint64_t)>& blocks,
                     double unreachable = 0, std::uint64_t freed_an_epoch = 0) {
    for (std::uint64_t i = 0; i < recording.epochs.size(); ++i) {
        SiteEpoch site;
        site.stack = StackId(1);
        site.live_blocks = site.outlived_blocks = blocks((i + 1) * kRequestsPerEpoch);
        site.live_bytes = site.outlived_bytes = site.outlived_blocks * kBlockBytes;
        site.freed_blocks = site.late_freed_blocks = freed_an_epoch;
        if (i + 1 == recording.epochs.size()) {
            site.unreachable_blocks =
                static_cast<std::uint64_t>(unreachable * static_cast<double>(site.outlived_blocks));
            site.unreachable_bytes = site.unreachable_blocks * kBlockBytes;
        }
        recording.site_epochs[i].push_back(site);
    }
}

/// The heap grows by as much as add_site() with one block a request.
inline void grow_heap(Recording& recording, std::uint64_t bytes_per_request = kBlockBytes) {
    for (Reading& reading : recording.readings)
        reading.books.heap_live = (50 << 20) + reading.requests * bytes_per_request;
}

inline void mark(Recording& recording) {
    recording.reach.push_back({.t_ns = kEpochs * 1000, .requests = recording.requests_completed});
}

/// A chunk of so many bytes is lost in each request; 40 were before.
inline void mark_six_times(Recording& recording, std::uint64_t chunk_bytes) {
    for (std::uint64_t i = 0; i <= 5; ++i)
        recording.reach.push_back({.t_ns = i * 10'000,
                                   .requests = i * 50,
                                   .unreachable_bytes = 4000 + i * 50 * chunk_bytes,
                                   .unreachable_chunks = 40 + i * 50});
}

inline void grow(Recording& recording, std::uint64_t ledger::Books::*book,
                 const std::function<std::uint64_t(std::uint64_t)>& bytes) {
    for (Reading& reading : recording.readings) reading.books.*book = bytes(reading.requests);
}

inline Finding only(const Recording& recording) {
    const auto findings = analyze(recording).findings;
    EXPECT_EQ(findings.size(), 1U);
    return findings.empty() ? Finding{} : findings.front();
}

inline bool says(const Finding& finding, std::string_view words) {
    return std::ranges::any_of(finding.evidence, [&](const std::string& line) {
        return line.find(words) != std::string::npos;
    });
}

}  // namespace asrtrace::classify
