// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// A parent whose children allocate too: what the children do is not the parent's.
// --children N --allocate N (blocks of 200 bytes, by each of them) --pairs N (a child's last
// blocks, freed at once)
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>

#include "tests/progs/handshake.h"

namespace asrtrace::progs {
namespace {

void allocate(std::uint64_t blocks) {
    for (std::uint64_t i = 0; i < blocks; ++i) {
        void* block = std::malloc(200);
        asm volatile("" ::"r"(block) : "memory");
    }
}

void allocate_and_free(std::uint64_t blocks) {
    for (std::uint64_t i = 0; i < blocks; ++i) {
        void* block = std::malloc(200);
        asm volatile("" ::"r"(block) : "memory");
        std::free(block);
    }
}

int main_program(int argc, char** argv) {
    const std::uint64_t children = option(argc, argv, "--children", 3);
    const std::uint64_t blocks = option(argc, argv, "--allocate", 1000);
    const std::uint64_t pairs = option(argc, argv, "--pairs", 0);
    Line("ready").send();
    wait_for("go");
    std::uint64_t good = 0;
    for (std::uint64_t i = 0; i < children; ++i) {
        const pid_t child = fork();
        if (child < 0) fail("no fork");
        if (child == 0) {
            allocate(blocks * 2);
            allocate_and_free(pairs);
            _exit(static_cast<int>(i % 255 + 1));
        }
        allocate(blocks);
        int status = 0;
        if (waitpid(child, &status, 0) == child && WIFEXITED(status) &&
            WEXITSTATUS(status) == static_cast<int>(i % 255 + 1)) {
            ++good;
        }
    }
    Line done("done");
    done.number("children", children).number("children_good", good);
    done.number("blocks", blocks * children).number("bytes", blocks * children * 200);
    done.send();
    wait_for("quit");
    return 0;
}

}  // namespace
}  // namespace asrtrace::progs

int main(int argc, char** argv) {
    return asrtrace::progs::main_program(argc, argv);
}
