// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// A parent, a child that goes on with its memory, and one that becomes another program (this one,
// with --stranger): each allocates at a place of its own and keeps some of it. Then a worker that
// is recycled: --generations N children, one after the other. With --free-inherited 1 the parent
// frees at the end what it had before the first child was born.
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

#include "tests/progs/handshake.h"

namespace asrtrace::progs {
namespace {

constexpr std::size_t kBlock = 200;
constexpr std::uint64_t kInherited = 1000;
void* inherited[kInherited];

void* allocate() {
    void* block = std::malloc(kBlock);
    asm volatile("" ::"r"(block) : "memory");
    return block;
}

}  // namespace

[[gnu::noinline]] void by_parent(std::uint64_t blocks) {
    for (std::uint64_t i = 0; i < blocks; ++i) allocate();
    asm volatile("" ::: "memory");
}

/// Half of what it allocates it frees, and half of what it was born with.
[[gnu::noinline]] void by_child(std::uint64_t blocks) {
    for (std::uint64_t i = 0; i < blocks; ++i) {
        void* block = allocate();
        if (i % 2 == 0) std::free(block);
    }
    for (std::uint64_t i = 0; i < kInherited / 2; ++i) std::free(inherited[i]);
}

[[gnu::noinline]] void by_stranger(std::uint64_t blocks) {
    for (std::uint64_t i = 0; i < blocks; ++i) allocate();
    asm volatile("" ::: "memory");
}

namespace {

void wait_for_child(pid_t child) {
    int status = 0;
    if (waitpid(child, &status, 0) != child || status != 0) fail("a child failed");
}

/// Children that stay until a byte comes through the pipe, so that all are alive at once.
template <typename Work>
pid_t start(int gate, int told, Work work) {
    const pid_t child = fork();
    if (child < 0) fail("no fork");
    if (child > 0) return child;
    prctl(PR_SET_PDEATHSIG, SIGKILL);  // a test that died leaves nothing behind
    work();
    char byte = 0;
    if (write(told, &byte, 1) != 1 || read(gate, &byte, 1) != 1) _exit(1);
    _exit(0);
}

int stranger(char** argv) {
    usleep(2000000);  // until its tables are there
    by_stranger(std::strtoull(argv[2], nullptr, 10));
    const int gate = std::atoi(argv[3]);
    char byte = 0;
    return write(std::atoi(argv[4]), &byte, 1) == 1 && read(gate, &byte, 1) == 1 ? 0 : 1;
}

char* number_text(char* out, std::uint64_t value) {
    char digits[24];
    std::size_t count = 0;
    do digits[count++] = static_cast<char>('0' + value % 10);
    while ((value /= 10) != 0);
    for (std::size_t i = 0; i < count; ++i) out[i] = digits[count - 1 - i];
    out[count] = '\0';
    return out;
}

void become_stranger(const char* program, std::uint64_t blocks, int gate, int told) {
    char texts[3][24];
    execl(program, program, "--stranger", number_text(texts[0], blocks),
          number_text(texts[1], static_cast<std::uint64_t>(gate)),
          number_text(texts[2], static_cast<std::uint64_t>(told)), nullptr);
    _exit(2);
}

int family(int argc, char** argv) {
    const std::uint64_t blocks = option(argc, argv, "--allocate", 1000);
    const std::uint64_t generations = option(argc, argv, "--generations", 3);
    Line("ready").send();
    wait_for("go");
    for (void*& block : inherited) block = allocate();
    int gate[2];
    int told[2];
    if (pipe(gate) != 0 || pipe(told) != 0) fail("pipe");
    const pid_t child = start(gate[0], told[1], [&] { by_child(2 * blocks); });
    const pid_t other =
        start(gate[0], told[1], [&] { become_stranger(argv[0], 3 * blocks, gate[0], told[1]); });
    by_parent(blocks);
    char bytes[2] = {};
    for (int i = 0; i < 2; ++i)
        if (read(told[0], bytes, 1) != 1) fail("a child is gone");
    Line grown("grown");
    grown.number("child", static_cast<std::uint64_t>(child));
    grown.number("stranger", static_cast<std::uint64_t>(other)).send();
    wait_for("shrink");
    if (write(gate[1], bytes, 2) != 2) fail("the gate");
    wait_for_child(child);
    wait_for_child(other);
    for (std::uint64_t i = 0; i < generations; ++i) {
        const pid_t worker = fork();
        if (worker == 0) {
            by_child(blocks);
            _exit(0);
        }
        wait_for_child(worker);
    }
    if (option(argc, argv, "--free-inherited", 0) != 0)
        for (void* block : inherited) std::free(block);
    Line("done").number("inherited", kInherited).number("block", kBlock).send();
    wait_for("quit");
    return 0;
}

}  // namespace
}  // namespace asrtrace::progs

int main(int argc, char** argv) {
    using namespace asrtrace::progs;
    if (argc == 5 && std::strcmp(argv[1], "--stranger") == 0) return stranger(argv);
    return family(argc, argv);
}
