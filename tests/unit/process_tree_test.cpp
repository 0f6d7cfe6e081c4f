// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Whether a process is still the one that it was, and there; what its threads have counted.
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <latch>
#include <thread>

#include "user/capture/process_tree.h"

namespace asrtrace::capture {
namespace {

TEST(ProcessTree, AZombieDoesNotRun) {
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
        ::pause();
        ::_exit(0);
    }
    const auto started = started_ticks(child);
    ASSERT_TRUE(started);
    EXPECT_TRUE(is_running(child, *started));
    for (int i = 0; i < 1000 && thread_faults(child) == 0; ++i) ::usleep(1000);
    EXPECT_GT(thread_faults(child), 0U);
    EXPECT_FALSE(is_running(child, *started + 1)) << "another one of the same pid";
    ::kill(child, SIGKILL);
    siginfo_t info{};
    ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOWAIT), 0);
    EXPECT_EQ(started_ticks(child), started) << "not reaped yet";
    EXPECT_FALSE(is_running(child, *started));
    EXPECT_EQ(thread_faults(child), 0U) << "the kernel's programs have counted them";
    ASSERT_EQ(::waitpid(child, nullptr, 0), child);
    EXPECT_FALSE(started_ticks(child));
    EXPECT_FALSE(is_running(child, *started));
}

TEST(ProcessTree, FaultsAreThoseOfThreadsThatLive) {
    constexpr std::size_t kPages = 20'000;  // AddressSanitizer touches an eighth more
    const auto touch = [] {
        const std::size_t bytes = kPages * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
        void* memory =
            ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        ::madvise(memory, bytes, MADV_NOHUGEPAGE);
        std::memset(memory, 1, bytes);
        ::munmap(memory, bytes);
    };
    const auto faults = [] { return static_cast<double>(thread_faults(::getpid())); };
    const double before = faults();
    std::latch touched(2), looked(2);
    std::jthread thread([&] {
        touch();
        touched.arrive_and_wait();
        looked.arrive_and_wait();
    });
    touched.arrive_and_wait();
    EXPECT_NEAR(faults() - before, kPages, kPages / 4);
    looked.arrive_and_wait();
    thread.join();
    EXPECT_NEAR(faults() - before, 0, kPages / 4);
    touch();
    EXPECT_NEAR(faults() - before, kPages, kPages / 4);
    EXPECT_EQ(thread_faults(0x7fffffff), 0U);
}

}  // namespace
}  // namespace asrtrace::capture
