// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// A library for `moving`, built twice: the same code at the same addresses under other names.
#include <cstdlib>

#define NAMED_2(prefix, name) prefix##name
#define NAMED_1(prefix, name) NAMED_2(prefix, name)
#define NAMED(name) NAMED_1(MOVING_PREFIX, name)

extern "C" {

[[gnu::noinline]] void NAMED(_leaf)() {
    void* block = std::malloc(300);
    asm volatile("" ::"r"(block) : "memory");
}

[[gnu::noinline]] void NAMED(_middle)(unsigned long depth) {
    if (depth > 0) {
        NAMED(_middle)(depth - 1);
    } else {
        NAMED(_leaf)();
    }
    asm volatile("" ::: "memory");  // no tail call
}

[[gnu::visibility("default")]] void allocate(unsigned long blocks) {
    for (unsigned long i = 0; i < blocks; ++i) NAMED(_middle)(3);
}
}
