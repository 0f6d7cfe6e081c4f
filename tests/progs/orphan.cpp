// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// A parent that ends as soon as it has forked, as a daemon's does; the child goes on and tells.
// --seconds N (malloc and free as fast as it goes) --hold-mib N (touched first)
#include <unistd.h>

#include <cstdlib>
#include <cstring>

#include "tests/progs/handshake.h"

namespace asrtrace::progs {
namespace {

std::uint64_t allocate_for(std::uint64_t seconds) {
    std::uint64_t pairs = 0;
    for (const std::uint64_t end = now_ns() + seconds * 1'000'000'000; now_ns() < end; ++pairs) {
        void* block = std::malloc(200);
        asm volatile("" ::"r"(block) : "memory");
        std::free(block);
    }
    return pairs;
}

int main_program(int argc, char** argv) {
    Line("ready").send();
    wait_for("go");
    if (const pid_t child = fork(); child != 0) _exit(child < 0 ? 1 : 0);
    const std::uint64_t bytes = option(argc, argv, "--hold-mib", 1) << 20;
    void* held = std::malloc(bytes);
    std::memset(held, 1, bytes);
    const std::uint64_t pairs = allocate_for(option(argc, argv, "--seconds", 1));
    Line("done").number("pid", static_cast<std::uint64_t>(getpid())).number("pairs", pairs).send();
    wait_for("quit");
    return 0;
}

}  // namespace
}  // namespace asrtrace::progs

int main(int argc, char** argv) {
    return asrtrace::progs::main_program(argc, argv);
}
