// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// A parent whose children allocate too: what the children do is not the parent's.
// --children N --allocate N (blocks of 200 bytes, by each of them) --pairs N (a child's last
// blocks, freed at once) --together 1 (all children are alive at once; the parent allocates
// nothing)
#include <signal.h>
#include <sys/prctl.h>
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

/// Each stays until the last one has allocated.
std::uint64_t all_together(std::uint64_t children, std::uint64_t blocks) {
    int gate[2], told[2];
    if (pipe(gate) != 0 || pipe(told) != 0) fail("pipe");
    char byte = 0;
    for (std::uint64_t i = 0; i < children; ++i) {
        const pid_t child = fork();
        if (child < 0) fail("no fork");
        if (child != 0) continue;
        prctl(PR_SET_PDEATHSIG, SIGKILL);  // a test that died leaves nothing behind
        close(gate[1]);
        allocate(blocks * 2);
        _exit(write(told[1], &byte, 1) == 1 && read(gate[0], &byte, 1) == 0 ? 0 : 1);
    }
    for (std::uint64_t i = 0; i < children; ++i)
        if (read(told[0], &byte, 1) != 1) fail("a child is gone");
    close(gate[1]);
    std::uint64_t good = 0;
    for (int status = 0; waitpid(-1, &status, 0) > 0;) good += status == 0 ? 1 : 0;
    return good;
}

int main_program(int argc, char** argv) {
    const std::uint64_t children = option(argc, argv, "--children", 3);
    const std::uint64_t blocks = option(argc, argv, "--allocate", 1000);
    const std::uint64_t pairs = option(argc, argv, "--pairs", 0);
    Line("ready").send();
    wait_for("go");
    if (option(argc, argv, "--together", 0) != 0) {
        const std::uint64_t good = all_together(children, blocks);
        Line("done").number("children", children).number("children_good", good).send();
        wait_for("quit");
        return 0;
    }
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
