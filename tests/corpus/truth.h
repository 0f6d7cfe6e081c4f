// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// What a corpus program knows of itself: what it made grow, counted while it runs, and which of its
// blocks are lost or in use. The table of blocks lies in a mapping of its own, is touched before
// the program says that it is ready, and holds addresses masked: no word of it leads to a block.
#pragma once

#include <pthread.h>

#include <cstddef>
#include <cstdint>

namespace asrtrace::corpus {

/// One cause of growth, or one thing that must not be taken for a cause ("none").
struct Growth {
    const char* kind = "";
    const char* subkind = "";
    const char* site = "";  ///< the function of this program that must lead the stack, or ""
    std::uint64_t blocks = 0;
    std::uint64_t bytes = 0;        ///< as asked for
    std::uint64_t chunk_bytes = 0;  ///< as malloc or the kernel handed out
};

/// Safe to use from several threads.
class Truth {
  public:
    Truth();

    /// The strings must live as long as the program; at most kMaxGrowths.
    Growth* growth(const char* kind, const char* subkind, const char* site);

    /// A block that is kept. With a growth it counts there.
    void keep(void* block, std::size_t asked, Growth* growth);
    /// A block that nothing will point to.
    void lose(void* block, std::size_t asked, Growth* growth);
    /// A kept block is about to be freed.
    void drop(void* block, std::size_t asked, Growth* growth);
    /// Memory that is no block of malloc's; `besides`: what the kernel hands out with it.
    void add(Growth* growth, std::uint64_t bytes, std::uint64_t besides = 0);

    /// The "done" line.
    void tell(std::uint64_t requests) const;
    /// Writes "leaked ADDRESS CHUNK_BYTES" and "live ...", a line a block.
    void write_blocks(const char* path) const;

  private:
    struct Entry {
        std::uint64_t masked;
        std::uint64_t chunk_bytes_and_lost;  ///< the lowest bit: lost
    };
    static constexpr std::size_t kMaxGrowths = 4;
    static constexpr std::size_t kCapacity = std::size_t{1} << 16;

    void enter(void* block, std::size_t asked, Growth* growth, bool lost);

    pthread_mutex_t mutex_ = PTHREAD_MUTEX_INITIALIZER;
    Entry* entries_ = nullptr;
    std::size_t used_ = 0;
    Growth growths_[kMaxGrowths];
    std::size_t growth_count_ = 0;
};

}  // namespace asrtrace::corpus
