// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Asks for the time without end, from some depth: most of its instructions are the vdso's.
#include <time.h>

namespace {

volatile long sink = 0;

[[gnu::noinline]] void ask(int depth) {
    if (depth > 0) {
        ask(depth - 1);
    } else {
        for (int i = 0; i < 100; ++i) {
            timespec now{};
            clock_gettime(CLOCK_MONOTONIC, &now);
            sink = now.tv_nsec;
        }
    }
    asm volatile("" ::: "memory");  // no tail call
}

}  // namespace

int main() {
    for (;;) ask(9);
}
