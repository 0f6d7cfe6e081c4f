// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/unwind/cache_writer.h"

#include <malloc.h>

#include <utility>

namespace asrtrace::unwind {
namespace {

/// The directory belongs to the user that we run as: writing there takes no capability.
constexpr Confinement kWriter{.name = "cache", .writes_files = true};
constexpr std::chrono::hours kLong{1};

}  // namespace

CacheWriter::CacheWriter(UniqueFd directory)
    : directory_(std::move(directory)), thread_(kWriter, [this] { run(); }) {}

CacheWriter::~CacheWriter() {
    work_.close();
    thread_.join();
}

void CacheWriter::run() {
    for (bool last = false; !last;) {
        last = work_.closed();
        for (const Work& work : work_.wait(kLong)) {
            if (const auto* entry = std::get_if<CacheEntry>(&work))
                (void)write_entry(directory_.get(), *entry);  // costs time at the next attach
            else
                prune_entries(directory_.get(), std::get<std::uint64_t>(work));
        }
        ::malloc_trim(0);  // a table may be of tens of megabytes
    }
}

}  // namespace asrtrace::unwind
