// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Whether a process is still the one that it was, and there; what its threads have counted.
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstring>
#include <latch>
#include <thread>
#include <vector>

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
    EXPECT_TRUE(is_running({child, *started}));
    for (int i = 0; i < 1000 && thread_faults(child) == 0; ++i) ::usleep(1000);
    EXPECT_GT(thread_faults(child), 0U);
    EXPECT_FALSE(is_running({child, *started + 1})) << "another one of the same pid";
    ::kill(child, SIGKILL);
    siginfo_t info{};
    ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOWAIT), 0);
    EXPECT_EQ(started_ticks(child), started) << "not reaped yet";
    EXPECT_FALSE(is_running({child, *started}));
    EXPECT_EQ(thread_faults(child), 0U) << "the kernel's programs have counted them";
    ASSERT_EQ(::waitpid(child, nullptr, 0), child);
    EXPECT_FALSE(started_ticks(child));
    EXPECT_FALSE(is_running({child, *started}));
}

/// Uses CPU and memory until it is killed.
pid_t start_busy_child(std::size_t bytes) {
    const pid_t child = ::fork();
    if (child != 0) return child;
    void* memory =
        ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    std::memset(memory, 1, bytes);
    for (;;) asm volatile("" ::: "memory");
}

TEST(ProcessTree, WhoHasGoneIsLeftOut) {
    constexpr std::uint64_t kMemoryKb = 16 << 10;
    std::vector<ProcessName> children;
    for (int i = 0; i < 2; ++i) {
        const pid_t child = start_busy_child(kMemoryKb << 10);
        ASSERT_GT(child, 0);
        children.push_back({child, started_ticks(child).value()});
    }
    const auto rss_kb = [&](bool with_pss) {
        const auto sample = sample_processes(children, with_pss);
        return sample
                   ? std::min(sample->rss_anon_kb, with_pss ? sample->pss_kb : std::uint64_t{~0U})
                   : 0;
    };
    for (int i = 0; i < 10'000 && rss_kb(true) < 2 * kMemoryKb; ++i) ::usleep(1000);
    EXPECT_GE(rss_kb(true), 2 * kMemoryKb);
    for (int i = 0; i < 10'000 && thread_cpu_seconds(children[0].pid) < 0.03; ++i) ::usleep(1000);
    EXPECT_GE(thread_cpu_seconds(children[0].pid), 0.03);
    ::kill(children[0].pid, SIGKILL);
    ASSERT_EQ(::waitpid(children[0].pid, nullptr, 0), children[0].pid);
    EXPECT_EQ(thread_cpu_seconds(children[0].pid), 0) << "the kernel's programs have counted it";
    EXPECT_GE(rss_kb(false), kMemoryKb) << "the other one, though the first has gone";
    EXPECT_LT(rss_kb(false), 2 * kMemoryKb);
    const ProcessName other{children[1].pid, children[1].started + 1};
    EXPECT_FALSE(sample_processes({other}, false)) << "another one of the same pid";
    ::kill(children[1].pid, SIGKILL);
    ASSERT_EQ(::waitpid(children[1].pid, nullptr, 0), children[1].pid);
    EXPECT_FALSE(sample_processes(children, true));
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
