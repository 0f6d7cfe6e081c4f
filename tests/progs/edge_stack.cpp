// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Allocates --calls times at the very top of a stack whose next page is mapped and absent: who
// reads past the top to walk that stack runs into a page that the program never touched. What
// the program itself faults, getrusage tells.
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <ucontext.h>

#include "tests/progs/handshake.h"

namespace asrtrace::progs {
namespace {

constexpr std::size_t kPage = 4096;
constexpr std::size_t kStackBytes = 64 * kPage;

ucontext_t outside;
ucontext_t inside;
std::uint64_t calls;

/// `calls` mallocs and frees, then back to the outside; for ever.
void allocate() {
    for (;;) {
        for (std::uint64_t i = 0; i < calls; ++i) {
            void* volatile block = malloc(24);
            free(block);
        }
        swapcontext(&inside, &outside);
    }
}

void run(std::uint64_t count) {
    calls = count;
    swapcontext(&outside, &inside);
}

std::uint64_t minor_faults() {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    return static_cast<std::uint64_t>(usage.ru_minflt);
}

void make_stack() {
    void* at = mmap(nullptr, kStackBytes + kPage, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED || madvise(at, kStackBytes + kPage, MADV_NOHUGEPAGE) != 0)
        fail("no stack");
    if (mlock(at, kStackBytes) != 0) fail("mlock");
    getcontext(&inside);
    inside.uc_stack.ss_sp = at;
    inside.uc_stack.ss_size = kStackBytes;
    inside.uc_link = nullptr;
    makecontext(&inside, allocate, 0);
}

int main_program(int argc, char** argv) {
    const std::uint64_t count = option(argc, argv, "--calls", 1000);
    free(malloc(24));
    if (mlockall(MCL_CURRENT) != 0) fail("mlockall");
    make_stack();
    run(1);

    Line("ready").send();
    wait_for("go");
    const std::uint64_t before = minor_faults();
    run(count);
    const std::uint64_t after = minor_faults();
    Line("done").number("calls", count).number("minor_faults", after - before).send();
    wait_for("quit");
    return 0;
}

}  // namespace
}  // namespace asrtrace::progs

int main(int argc, char** argv) {
    return asrtrace::progs::main_program(argc, argv);
}
