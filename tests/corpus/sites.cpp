// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "tests/corpus/sites.h"

#include <sys/mman.h>

#include <cstdlib>
#include <cstring>

#include "tests/progs/handshake.h"

namespace asrtrace::corpus {

void touch(void* memory, std::size_t bytes) {
    constexpr std::size_t kPage = 4096;
    auto* at = static_cast<volatile unsigned char*>(memory);
    for (std::size_t i = 0; i < bytes; i += kPage) at[i] = 1;
    if (bytes > 0) at[bytes - 1] = 1;
}

}  // namespace asrtrace::corpus

using asrtrace::corpus::touch;
using asrtrace::progs::fail;

extern "C" {

// The number makes them differ: functions of one body would be merged.
#define ASRTRACE_CORPUS_SITE(number)                                            \
    [[gnu::noinline]] void* corpus_site_##number(std::size_t bytes) {           \
        void* block = std::malloc(bytes);                                       \
        if (block == nullptr) fail("out of memory");                            \
        std::memset(block, number, bytes < 1'000'000 ? bytes : std::size_t{1}); \
        touch(block, bytes);                                                    \
        asm volatile("" : : "r"(block) : "memory");                             \
        return block;                                                           \
    }

ASRTRACE_CORPUS_SITE(1)
ASRTRACE_CORPUS_SITE(2)
ASRTRACE_CORPUS_SITE(3)

[[gnu::noinline]] void* corpus_site_aligned(std::size_t alignment, std::size_t bytes) {
    void* block = nullptr;
    if (posix_memalign(&block, alignment, bytes) != 0) fail("out of memory");
    touch(block, bytes);
    asm volatile("" : : "r"(block) : "memory");
    return block;
}

[[gnu::noinline]] void* corpus_site_map(std::size_t bytes) {
    void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) fail("out of memory");
    touch(memory, bytes);
    asm volatile("" : : "r"(memory) : "memory");
    return memory;
}

[[gnu::noinline]] void corpus_background(std::uint64_t random, unsigned blocks) {
    constexpr unsigned kMost = 64;
    asrtrace::progs::Random draw(random);
    void* held[kMost];
    for (unsigned i = 0; i < blocks; ++i) {
        const unsigned slot = i % kMost;
        if (i >= kMost) std::free(held[slot]);
        const std::size_t bytes =
            draw.below(8) == 0 ? draw.between(2000, 30'000) : draw.between(8, 1500);
        held[slot] = std::malloc(bytes);
        if (draw.below(4) == 0) held[slot] = std::realloc(held[slot], 2 * bytes);
        if (held[slot] == nullptr) fail("out of memory");
        touch(held[slot], bytes);
    }
    for (unsigned slot = 0; slot < (blocks < kMost ? blocks : kMost); ++slot) {
        std::free(held[slot]);
    }
    // No pointer of a request stays behind on the stack.
    std::memset(static_cast<void*>(held), 0, sizeof(held));
    asm volatile("" : : "r"(held) : "memory");
}

}  // extern "C"
