// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// What a program knows about its own allocator calls, counted as a user sees them:
//   - a call is one call of a public function; realloc(NULL, n) is a realloc, reallocarray too
//   - bytes are as asked; a successful realloc of a block frees the old and allocates the new one
//   - realloc(p, 0) frees; free(NULL) and failed calls move no bytes
#pragma once

#include <cstddef>
#include <cstdint>

#include "tests/progs/handshake.h"

namespace asrtrace::progs {

enum Function : unsigned {
    kMalloc,
    kCalloc,
    kRealloc,
    kReallocarray,
    kMemalign,
    kAlignedAlloc,
    kPosixMemalign,
    kValloc,
    kPvalloc,
    kFree,
    kFunctions
};

struct Block {
    unsigned char* at = nullptr;
    std::size_t size = 0;
};

/// One thread's tally; aligned so that threads do not share lines.
struct alignas(128) AllocTruth {
    std::uint64_t ok[kFunctions]{};
    std::uint64_t failed[kFunctions]{};
    std::uint64_t free_null = 0;
    std::uint64_t realloc_null = 0, realloc_zero = 0, realloc_moved = 0, realloc_in_place = 0;
    std::uint64_t handed_over = 0;  ///< blocks freed or reallocated by another thread
    std::uint64_t allocated_bytes = 0, allocated_blocks = 0;
    std::uint64_t freed_bytes = 0, freed_blocks = 0;

    void born(Function function, std::size_t size) {
        ++ok[function];
        ++allocated_blocks;
        allocated_bytes += size;
    }
    void died(std::size_t size) {
        ++freed_blocks;
        freed_bytes += size;
    }
    void add(const AllocTruth& other);
    void write(Line& line) const;
};

/// The calls themselves, each counted. Blocks carry a pattern at both ends, checked when they go.
class Allocator {
  public:
    explicit Allocator(AllocTruth& truth) : truth_(truth) {}

    Block malloc_block(std::size_t size);
    Block calloc_block(std::size_t count, std::size_t size);
    Block realloc_block(Block old, std::size_t size);  ///< old may be empty
    Block reallocarray_block(Block old, std::size_t count, std::size_t size);
    Block memalign_block(std::size_t alignment, std::size_t size);
    Block aligned_alloc_block(std::size_t alignment, std::size_t size);
    Block posix_memalign_block(std::size_t alignment, std::size_t size);
    Block valloc_block(std::size_t size);
    Block pvalloc_block(std::size_t size);
    void realloc_to_zero(Block block);
    void free_block(Block block);
    void free_null();

    void failing_malloc(bool beyond_ptrdiff);
    void failing_calloc();
    void failing_realloc(Block kept);  ///< kept may be empty, and survives
    void failing_memalign();
    void failing_posix_memalign(bool bad_alignment);

  private:
    Block finish(Function function, void* at, std::size_t size);
    Block replaced(Function function, Block old, void* at, std::size_t size);
    void expect_failure(Function function, const void* at);

    AllocTruth& truth_;
};

/// Mostly small, some large, a few beyond the mmap threshold; never 0.
std::size_t draw_size(Random& random);

}  // namespace asrtrace::progs
