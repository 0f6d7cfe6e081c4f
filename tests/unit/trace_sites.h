// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// A recording of many sites: as many stacks, each of two dozen frames, as a large C++ service has.
#pragma once

#include "tests/unit/trace_script.h"

namespace asrtrace::trace {

constexpr std::uint32_t kManySites = 5000;
constexpr std::uint64_t kManySitesEpochs = 40;

/// The leaf is the site's own, the frames above it are shared by ever more sites.
inline std::vector<ledger::Frame> many_frames(std::uint32_t site) {
    std::vector<ledger::Frame> frames{
        frame("malloc"), frame("service::detail::allocate_" + std::to_string(site), site)};
    for (std::uint32_t depth = 2, shared = 2; depth < 24; ++depth, shared *= 2)
        frames.push_back(frame("service::stage_" + std::to_string(depth) + "::Handler<float, " +
                                   std::to_string(site / shared) + ">::invoke",
                               depth));
    return frames;
}

/// Site i (from 0) leaves a block of 16 + i bytes behind in each epoch of 10 requests.
inline void write_many_sites(Writer& writer) {
    write_head(writer, {.epochs = kManySitesEpochs});
    for (std::uint32_t i = 0; i < kManySites; ++i)
        writer.add_stack(StackId(4 + i), 0, many_frames(i));
    for (std::uint64_t i = 1; i <= kManySitesEpochs; ++i) {
        ledger::EpochRecord record;
        record.epoch = {i * 1'000'000'000, i * 10, 0};
        for (std::uint32_t site = 0; site < kManySites; ++site) {
            const std::uint64_t bytes = 16 + site;
            record.sites.push_back({ledger::SiteKind::kHeap, StackId(4 + site), bytes, 1, 0, 0,
                                    i * bytes, i, i * bytes, i});
        }
        writer.add_epoch(record);
        writer.add_sample(scripted_sample(i));
    }
}

}  // namespace asrtrace::trace
