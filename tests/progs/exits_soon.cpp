// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Allocates and ends while it is being traced: with --status N by _exit, with --signal N by a
// signal; with --last-thread 1 another thread ends it so, long after its first one ended with
// status 0. It tells its truth before.
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <cstdlib>

#include "tests/progs/handshake.h"

namespace {

int status;
int signal_number;

void* end(void*) {
    const timespec pause{0, 300'000'000};
    nanosleep(&pause, nullptr);
    if (signal_number != 0) raise(signal_number);
    _exit(status);
}

}  // namespace

int main(int argc, char** argv) {
    using namespace asrtrace::progs;
    const std::uint64_t blocks = option(argc, argv, "--allocate", 1000);
    status = static_cast<int>(option(argc, argv, "--status", 7));
    signal_number = static_cast<int>(option(argc, argv, "--signal", 0));
    Line("ready").send();
    wait_for("go");
    for (std::uint64_t i = 0; i < blocks; ++i) {
        void* block = std::malloc(64);
        asm volatile("" ::"r"(block) : "memory");
    }
    Line done("done");
    done.number("blocks", blocks).number("bytes", blocks * 64);
    done.send();
    if (option(argc, argv, "--last-thread", 0) != 0) {
        pthread_t thread;
        if (pthread_create(&thread, nullptr, end, nullptr) != 0) fail("no thread");
        syscall(SYS_exit, 0);
    }
    end(nullptr);
}
