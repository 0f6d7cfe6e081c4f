// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Allocates and ends while it is being traced: with --status N by _exit, with --signal N by a
// signal. It tells its truth before.
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include <cstdlib>

#include "tests/progs/handshake.h"

int main(int argc, char** argv) {
    using namespace asrtrace::progs;
    const std::uint64_t blocks = option(argc, argv, "--allocate", 1000);
    const auto status = static_cast<int>(option(argc, argv, "--status", 7));
    const auto signal_number = static_cast<int>(option(argc, argv, "--signal", 0));
    Line("ready").send();
    wait_for("go");
    for (std::uint64_t i = 0; i < blocks; ++i) {
        void* block = std::malloc(64);
        asm volatile("" ::"r"(block) : "memory");
    }
    Line done("done");
    done.number("blocks", blocks).number("bytes", blocks * 64);
    done.send();
    const timespec pause{0, 300'000'000};
    nanosleep(&pause, nullptr);
    if (signal_number != 0) raise(signal_number);
    _exit(status);
}
