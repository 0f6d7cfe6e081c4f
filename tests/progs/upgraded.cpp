// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// A program for what happens to a target between two windows of tier auto. It does as it is told,
// a line each, and says "ok" when it is done:
//   pace   allocates --rate times a second by malloc until the next line, and frees nothing
//   rest   does nothing
//   burn   uses --burn-ms of CPU time without allocating
//   count  --blocks calls of calloc, and a free for each
//   leave  forks a child that goes on in its place, with its input and output
#include <poll.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <ctime>

#include "tests/progs/handshake.h"

namespace asrtrace::progs {
namespace {

constexpr std::size_t kBytes = 200;
constexpr std::uint64_t kStepMs = 10;

volatile std::uint64_t sink;

bool input_is_waiting(int timeout_ms) {
    pollfd input{.fd = STDIN_FILENO, .events = POLLIN, .revents = 0};
    return poll(&input, 1, timeout_ms) > 0;
}

/// The next line; an empty one at the end of the input.
const char* next_line() {
    static char line[64];
    std::size_t size = 0;
    while (size + 1 < sizeof(line) && read(STDIN_FILENO, &line[size], 1) == 1 && line[size] != '\n')
        ++size;
    line[size] = '\0';
    return line;
}

__attribute__((noinline)) void pace(std::uint64_t rate) {
    while (!input_is_waiting(kStepMs))
        for (std::uint64_t i = 0; i < rate * kStepMs / 1000; ++i)
            sink = reinterpret_cast<std::uintptr_t>(std::malloc(kBytes));
}

void burn(std::uint64_t milliseconds) {
    const auto end = std::clock() + static_cast<std::clock_t>(milliseconds * CLOCKS_PER_SEC / 1000);
    while (std::clock() < end) {
    }
}

__attribute__((noinline)) void count(std::uint64_t blocks) {
    for (std::uint64_t i = 0; i < blocks; ++i) {
        void* block = std::calloc(1, kBytes);
        sink = reinterpret_cast<std::uintptr_t>(block);
        std::free(block);
    }
}

/// Returns in the child.
void leave() {
    const pid_t child = fork();
    if (child < 0) fail("fork");
    if (child > 0) _exit(0);
}

int main_program(int argc, char** argv) {
    Line("ready").send();
    for (;;) {
        const char* const order = next_line();
        if (std::strcmp(order, "pace") == 0)
            pace(option(argc, argv, "--rate", 20000));
        else if (std::strcmp(order, "burn") == 0)
            burn(option(argc, argv, "--burn-ms", 8000));
        else if (std::strcmp(order, "count") == 0)
            count(option(argc, argv, "--blocks", 1000));
        else if (std::strcmp(order, "leave") == 0)
            leave();
        else if (std::strcmp(order, "rest") != 0)
            return std::strcmp(order, "quit") == 0 ? 0 : 3;
        Line("ok").number("pid", static_cast<std::uint64_t>(getpid())).send();
    }
}

}  // namespace
}  // namespace asrtrace::progs

int main(int argc, char** argv) {
    return asrtrace::progs::main_program(argc, argv);
}
