// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "tests/progs/alloc_truth.h"

#include <malloc.h>

#include <cstdlib>

namespace asrtrace::progs {
namespace {

constexpr const char* kNames[kFunctions] = {
    "malloc",        "calloc",         "realloc", "reallocarray", "memalign",
    "aligned_alloc", "posix_memalign", "valloc",  "pvalloc",      "free"};

// Volatile: the compiler must neither warn about nor fold calls that cannot succeed.
volatile std::size_t huge_size = std::size_t{1} << 47;      // no address space for it
volatile std::size_t absurd_size = ~std::size_t{0} - 4096;  // beyond PTRDIFF_MAX
volatile std::size_t bad_alignment_of_24 = 24;

constexpr unsigned char kMark = 0xa5;

void mark(Block block) {
    if (block.size == 0) return;
    block.at[0] = kMark;
    block.at[block.size - 1] = kMark;
}

void check(Block block) {
    if (block.size == 0) return;
    if (block.at[0] != kMark) fail("a block was damaged at its start");
}

}  // namespace

void AllocTruth::add(const AllocTruth& other) {
    for (unsigned i = 0; i < kFunctions; ++i) {
        ok[i] += other.ok[i];
        failed[i] += other.failed[i];
    }
    free_null += other.free_null;
    realloc_null += other.realloc_null;
    realloc_zero += other.realloc_zero;
    realloc_moved += other.realloc_moved;
    realloc_in_place += other.realloc_in_place;
    handed_over += other.handed_over;
    allocated_bytes += other.allocated_bytes;
    allocated_blocks += other.allocated_blocks;
    freed_bytes += other.freed_bytes;
    freed_blocks += other.freed_blocks;
}

void AllocTruth::write(Line& line) const {
    std::uint64_t failures = 0;
    line.open("ok");
    for (unsigned i = 0; i < kFunctions; ++i) line.number(kNames[i], ok[i]);
    line.close().open("failed");
    for (unsigned i = 0; i < kFunctions; ++i) {
        line.number(kNames[i], failed[i]);
        failures += failed[i];
    }
    line.close();
    line.number("failed_allocations", failures);
    line.number("free_null", free_null);
    line.number("realloc_null", realloc_null).number("realloc_zero", realloc_zero);
    line.number("realloc_moved", realloc_moved).number("realloc_in_place", realloc_in_place);
    line.number("handed_over", handed_over);
    line.number("allocated_bytes", allocated_bytes).number("allocated_blocks", allocated_blocks);
    line.number("freed_bytes", freed_bytes).number("freed_blocks", freed_blocks);
    line.number("live_bytes", allocated_bytes - freed_bytes);
    line.number("live_blocks", allocated_blocks - freed_blocks);
}

Block Allocator::finish(Function function, void* at, std::size_t size) {
    if (at == nullptr) fail("an allocation that must succeed failed");
    const Block block{static_cast<unsigned char*>(at), size};
    truth_.born(function, size);
    mark(block);
    return block;
}

Block Allocator::replaced(Function function, Block old, void* at, std::size_t size) {
    if (at == nullptr) fail("a reallocation that must succeed failed");
    const Block block{static_cast<unsigned char*>(at), size};
    if (old.at == nullptr) {
        ++truth_.realloc_null;
    } else {
        check({block.at, old.size < size ? old.size : size});
        truth_.died(old.size);
        ++(block.at == old.at ? truth_.realloc_in_place : truth_.realloc_moved);
    }
    truth_.born(function, size);
    mark(block);
    return block;
}

void Allocator::expect_failure(Function function, const void* at) {
    if (at != nullptr) fail("an allocation that must fail succeeded");
    ++truth_.failed[function];
}

Block Allocator::malloc_block(std::size_t size) {
    return finish(kMalloc, std::malloc(size), size);
}

Block Allocator::calloc_block(std::size_t count, std::size_t size) {
    return finish(kCalloc, std::calloc(count, size), count * size);
}

Block Allocator::realloc_block(Block old, std::size_t size) {
    return replaced(kRealloc, old, std::realloc(old.at, size), size);
}

Block Allocator::reallocarray_block(Block old, std::size_t count, std::size_t size) {
    return replaced(kReallocarray, old, reallocarray(old.at, count, size), count * size);
}

Block Allocator::memalign_block(std::size_t alignment, std::size_t size) {
    return finish(kMemalign, memalign(alignment, size), size);
}

Block Allocator::aligned_alloc_block(std::size_t alignment, std::size_t size) {
    return finish(kAlignedAlloc, aligned_alloc(alignment, size), size);
}

Block Allocator::posix_memalign_block(std::size_t alignment, std::size_t size) {
    void* at = nullptr;
    if (posix_memalign(&at, alignment, size) != 0) fail("posix_memalign failed");
    return finish(kPosixMemalign, at, size);
}

Block Allocator::valloc_block(std::size_t size) {
    return finish(kValloc, valloc(size), size);
}

Block Allocator::pvalloc_block(std::size_t size) {
    return finish(kPvalloc, pvalloc(size), size);
}

void Allocator::realloc_to_zero(Block block) {
    volatile std::size_t nothing = 0;
    check(block);
    if (std::realloc(block.at, nothing) != nullptr) fail("realloc(p, 0) did not free");
    ++truth_.ok[kRealloc];
    ++truth_.realloc_zero;
    truth_.died(block.size);
}

void Allocator::free_block(Block block) {
    check(block);
    if (block.size > 1 && block.at[block.size - 1] != kMark) fail("a block's end was damaged");
    std::free(block.at);
    ++truth_.ok[kFree];
    truth_.died(block.size);
}

void Allocator::free_null() {
    void* volatile nothing = nullptr;
    std::free(nothing);
    ++truth_.free_null;
}

void Allocator::failing_malloc(bool beyond_ptrdiff) {
    expect_failure(kMalloc, std::malloc(beyond_ptrdiff ? absurd_size : huge_size));
}

void Allocator::failing_calloc() {
    expect_failure(kCalloc, std::calloc(huge_size, 2));
}

void Allocator::failing_realloc(Block kept) {
    expect_failure(kRealloc, std::realloc(kept.at, huge_size));
    if (kept.at != nullptr) check(kept);
}

void Allocator::failing_memalign() {
    expect_failure(kMemalign, memalign(64, huge_size));
}

void Allocator::failing_posix_memalign(bool bad_alignment) {
    void* at = nullptr;
    const int status = bad_alignment ? posix_memalign(&at, bad_alignment_of_24, 100)
                                     : posix_memalign(&at, 64, huge_size);
    if (status == 0) fail("a posix_memalign that must fail succeeded");
    ++truth_.failed[kPosixMemalign];
}

std::size_t draw_size(Random& random) {
    const std::uint64_t kind = random.below(1000);
    if (kind < 600) return random.between(1, 512);
    if (kind < 880) return random.between(513, 8192);
    if (kind < 990) return random.between(8193, 65536);
    return random.between(65537, 400'000);
}

}  // namespace asrtrace::progs
