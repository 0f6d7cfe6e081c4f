// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Page faults inside the allocator: a block cut from the top of the heap makes malloc write the new
// top's header, on a page that nobody has touched. One function a way to get there.
// --blocks N of 40 KiB by each function
#include <malloc.h>
#include <unistd.h>

#include <cstdlib>

#include "tests/progs/handshake.h"

namespace asrtrace::progs {
namespace {

constexpr std::size_t kBytes = 40 << 10;

void keep(void* block) {
    if (block == nullptr) fail("no memory");
    asm volatile("" ::"r"(block) : "memory");
}

}  // namespace

[[gnu::noinline]] void caller_of_malloc() {
    keep(std::malloc(kBytes));
}

[[gnu::noinline]] void caller_of_calloc() {
    keep(std::calloc(10, kBytes / 10));
}

[[gnu::noinline]] void caller_of_realloc() {
    keep(std::realloc(nullptr, kBytes));
}

[[gnu::noinline]] void caller_of_memalign() {
    keep(memalign(64, kBytes));
}

[[gnu::noinline]] void caller_of_posix_memalign() {
    void* block = nullptr;
    if (posix_memalign(&block, 64, kBytes) != 0) fail("posix_memalign");
    keep(block);
}

}  // namespace asrtrace::progs

int main(int argc, char** argv) {
    using namespace asrtrace::progs;
    const std::uint64_t blocks = option(argc, argv, "--blocks", 1500);
    Line("ready").send();
    wait_for("go");
    for (std::uint64_t i = 0; i < blocks; ++i) {
        caller_of_malloc();
        caller_of_calloc();
        caller_of_realloc();
        caller_of_memalign();
        caller_of_posix_memalign();
    }
    Line done("done");
    done.number("blocks", blocks * 5);
    done.send();
    wait_for("quit");
    return 0;
}
