// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Allocates --rounds blocks of 48 bytes on each of --paths call paths and keeps them. A path is a
// number: at each of its bits one of two functions is called. The memory for it is there before
// "go", so that nothing but these calls brings a stack.
#include <malloc.h>

#include <cstdlib>
#include <cstring>

#include "tests/progs/handshake.h"

namespace asrtrace::progs {
namespace {

constexpr std::size_t kBlock = 48;
constexpr unsigned kBits = 15;

}  // namespace

[[gnu::noinline]] void walk(std::uint64_t path, unsigned bits);

[[gnu::noinline]] void left(std::uint64_t path, unsigned bits) {
    walk(path, bits);
    asm volatile("" ::: "memory");  // no tail call: it would have no frame
}

[[gnu::noinline]] void right(std::uint64_t path, unsigned bits) {
    walk(path, bits);
    asm volatile("" ::: "memory");
}

void walk(std::uint64_t path, unsigned bits) {
    if (bits == 0) {
        void* block = std::malloc(kBlock);
        asm volatile("" ::"r"(block) : "memory");
        return;
    }
    ((path >> (bits - 1) & 1) != 0 ? right : left)(path, bits - 1);
    asm volatile("" ::: "memory");
}

namespace {

void make_room(std::uint64_t blocks) {
    mallopt(M_MMAP_THRESHOLD, 1 << 30);
    mallopt(M_TRIM_THRESHOLD, 1 << 30);
    const std::size_t bytes = blocks * 2 * kBlock + (1 << 20);
    void* room = std::malloc(bytes);
    if (room == nullptr) fail("out of memory");
    std::memset(room, 1, bytes);
    std::free(room);
}

int main_program(int argc, char** argv) {
    const std::uint64_t paths = option(argc, argv, "--paths", 20000);
    const std::uint64_t rounds = option(argc, argv, "--rounds", 2);
    if (paths > 1ULL << kBits) fail("so many paths there are not");
    make_room(paths * rounds);
    walk(0, kBits);  // the stack, and what is bound at the first call
    Line("ready").send();
    wait_for("go");
    for (std::uint64_t round = 0; round < rounds; ++round)
        for (std::uint64_t path = 0; path < paths; ++path) walk(path, kBits);
    Line done("done");
    done.number("paths", paths).number("blocks", paths * rounds);
    done.number("bytes", paths * rounds * kBlock).send();
    wait_for("quit");
    return 0;
}

}  // namespace
}  // namespace asrtrace::progs

int main(int argc, char** argv) {
    return asrtrace::progs::main_program(argc, argv);
}
