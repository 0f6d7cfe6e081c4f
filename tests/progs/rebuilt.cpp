// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// A server without a network that is built twice: in the second build parse_header loses more, and
// code in front of everything moves every address. The other functions are the same: lose_session
// loses 64 bytes a request, remember fills a table. --requests N --pace-us N
#include <time.h>

#include <cstdlib>

#include "tests/progs/handshake.h"

namespace asrtrace::progs {
namespace {

constexpr unsigned kTable = 16;
void* table[kTable];

}  // namespace

#if REBUILT_MOVES
// Nobody calls it.
extern "C" __attribute__((used, noinline)) void in_the_way() {
    asm volatile(".fill 17501, 4, 0x90909090");
}
#endif

extern "C" __attribute__((noinline)) void serve_begin(std::uint64_t id) {
    asm volatile("" ::"r"(id) : "memory");
}

extern "C" __attribute__((noinline)) void serve_end(std::uint64_t id) {
    asm volatile("" ::"r"(id) : "memory");
}

extern "C" __attribute__((noinline)) void parse_header() {
    void* lost = std::malloc(REBUILT_LOSES);
    asm volatile("" ::"r"(lost) : "memory");
}

extern "C" __attribute__((noinline)) void lose_session() {
    void* lost = std::malloc(64);
    asm volatile("" ::"r"(lost) : "memory");
}

extern "C" __attribute__((noinline)) void remember(std::uint64_t id) {
    void*& entry = table[id % kTable];
    std::free(entry);
    entry = std::malloc(1000);
    asm volatile("" ::"r"(entry) : "memory");
}

extern "C" __attribute__((noinline)) void serve(std::uint64_t id) {
    serve_begin(id);
    parse_header();
    lose_session();
    remember(id);
    serve_end(id);
}

namespace {

int main_program(int argc, char** argv) {
    const std::uint64_t requests = option(argc, argv, "--requests", 400);
    const std::uint64_t pause_us = option(argc, argv, "--pace-us", 5000);
    Line("ready").send();
    wait_for("go");
    for (std::uint64_t id = 1; id <= requests; ++id) {
        serve(id);
        const timespec pause{0, static_cast<long>(pause_us) * 1000};
        nanosleep(&pause, nullptr);
    }
    Line done("done");
    done.number("requests", requests).number("parse_header_loses", REBUILT_LOSES);
    done.send();
    wait_for("quit");
    return 0;
}

}  // namespace
}  // namespace asrtrace::progs

int main(int argc, char** argv) {
    return asrtrace::progs::main_program(argc, argv);
}
