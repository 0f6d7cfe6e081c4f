// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Targets that there is no census of, tracers that die, heaps that are damaged.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/swap.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <random>

#include "tests/live/heap_target_process.h"
#include "user/base/maps.h"
#include "user/heap/heap_reader.h"
#include "user/heap/stopped_process.h"

namespace asrtrace::heap {
namespace {

std::string reason_for(pid_t pid) {
    const CensusOutcome outcome = HeapReader(pid, {}).take();
    EXPECT_FALSE(outcome.census);
    EXPECT_EQ(outcome.failure.kind, CensusFailure::Kind::kEnvironment);
    return outcome.failure.reason;
}

char state_of(pid_t pid) {
    std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
    std::string text((std::istreambuf_iterator<char>(file)), {});
    const std::size_t at = text.rfind(')');
    return at == std::string::npos ? '?' : text[at + 2];
}

TEST(Failures, SayWhatIsWrongWithThePid) {
    EXPECT_NE(reason_for(4194303).find("no process"), std::string::npos);
    EXPECT_NE(reason_for(2).find("kernel thread"), std::string::npos);
    EXPECT_NE(reason_for(-1).find("positive"), std::string::npos);
    const pid_t child = ::fork();
    if (child == 0) ::_exit(0);
    siginfo_t info;
    ::waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOWAIT);
    EXPECT_NE(reason_for(child).find("zombie"), std::string::npos);
    ::waitpid(child, nullptr, 0);
}

TEST(Failures, NameMusl) {
    TargetProcess target({program("heap_target_musl")});
    ASSERT_GT(target.pid(), 0);
    EXPECT_NE(reason_for(target.pid()).find("musl"), std::string::npos);
}

/// Swap of our own for as long as the object lives.
class SwapFile {
  public:
    SwapFile() : path_("/tmp/asrtrace-swap-" + std::to_string(::getpid())) {
        const std::string make = "dd if=/dev/zero of=" + path_ +
                                 " bs=1M count=128 status=none && " + "chmod 600 " + path_ +
                                 " && /sbin/mkswap " + path_ + " >/dev/null";
        made_ = std::system(make.c_str()) == 0;
        on_ = made_ && ::swapon(path_.c_str(), 0) == 0;
        refused_ = made_ && !on_ && (errno == EPERM || errno == EINVAL);
    }
    ~SwapFile() {
        if (on_) ::swapoff(path_.c_str());
        ::unlink(path_.c_str());
    }
    SwapFile(const SwapFile&) = delete;
    SwapFile& operator=(const SwapFile&) = delete;
    bool on() const { return on_; }
    /// Not ours to have: a container, or a file system that cannot hold swap.
    bool refused() const { return refused_; }

  private:
    std::string path_;
    bool made_ = false, on_ = false, refused_ = false;
};

std::uint64_t swapped_kib(pid_t pid) {
    const auto status = read_text_file("/proc/" + std::to_string(pid) + "/status");
    const std::size_t at = status.ok() ? status->find("VmSwap:") : std::string::npos;
    return at == std::string::npos ? 0 : std::strtoull(status->c_str() + at + 7, nullptr, 10);
}

TEST(Failures, AHeapInSwapIsInconclusiveAndStaysThere) {
    const SwapFile swap;
    if (swap.refused()) GTEST_SKIP() << "swapon is refused here";
    ASSERT_TRUE(swap.on());
    TargetProcess target({program("heap_target"), "single", fresh_seed()});
    ASSERT_GT(target.pid(), 0);
    const auto sound = HeapReader(target.pid(), {}).take();
    ASSERT_TRUE(sound.census) << sound.failure.reason;
    const int pidfd = static_cast<int>(::syscall(SYS_pidfd_open, target.pid(), 0));
    for (const MallocRange& range : sound.census->ranges) {
        // NOLINTNEXTLINE(performance-no-int-to-ptr)
        const iovec all{reinterpret_cast<void*>(range.begin), range.end - range.begin};
        ::syscall(SYS_process_madvise, pidfd, &all, 1, MADV_PAGEOUT, 0);
    }
    ::close(pidfd);
    const std::uint64_t swapped = swapped_kib(target.pid());
    ASSERT_GT(swapped, 100U);
    for (bool stop : {false, true}) {
        CensusOptions options;
        options.stop = stop;
        const CensusOutcome outcome = HeapReader(target.pid(), options).take();
        EXPECT_FALSE(outcome.census);
        EXPECT_EQ(outcome.failure.kind, CensusFailure::Kind::kRejected);
        EXPECT_NE(outcome.failure.reason.find("inconclusive (swapped)"), std::string::npos)
            << outcome.failure.reason;
    }
    EXPECT_EQ(swapped_kib(target.pid()), swapped);
}

TEST(Failures, NameTheDebuggerThatHoldsTheTarget) {
    TargetProcess target({program("heap_target"), "single", fresh_seed()});
    ASSERT_GT(target.pid(), 0);
    int ready[2];
    ASSERT_EQ(::pipe(ready), 0);
    const pid_t other = ::fork();
    if (other == 0) {
        ::ptrace(PTRACE_SEIZE, target.pid(), nullptr, nullptr);
        (void)!::write(ready[1], "x", 1);
        for (;;) ::pause();
    }
    char byte;
    ASSERT_EQ(::read(ready[0], &byte, 1), 1);
    CensusOptions options;
    options.stop = true;
    const CensusOutcome outcome = HeapReader(target.pid(), options).take();
    EXPECT_FALSE(outcome.census);
    EXPECT_NE(outcome.failure.reason.find("already traced by pid " + std::to_string(other)),
              std::string::npos)
        << outcome.failure.reason;
    EXPECT_TRUE(HeapReader(target.pid(), {}).take().census);
    ::kill(other, SIGKILL);
    ::waitpid(other, nullptr, 0);
}

TEST(Failures, AKilledTracerLeavesTheTargetRunning) {
    TargetProcess target({program("heap_target"), "churn", fresh_seed()});
    ASSERT_GT(target.pid(), 0);
    const pid_t tracer = ::fork();
    if (tracer == 0) {
        auto held = StoppedProcess::stop(target.pid(), std::chrono::milliseconds(2000));
        ::kill(::getpid(), SIGKILL);
    }
    int status = 0;
    ::waitpid(tracer, &status, 0);
    ASSERT_TRUE(WIFSIGNALED(status));
    EXPECT_FALSE(target.ask("alive 0").empty());
    EXPECT_NE(state_of(target.pid()), 't');
}

TEST(Failures, ASignalOnItsWayIsNotLost) {
    TargetProcess target({program("heap_target"), "single", fresh_seed()});
    ASSERT_GT(target.pid(), 0);
    {
        auto held = StoppedProcess::stop(target.pid(), std::chrono::milliseconds(2000));
        ASSERT_TRUE(held.ok()) << held.error().message;
        ::kill(target.pid(), SIGTERM);
    }
    int status = 0;
    for (int i = 0; i < 200 && state_of(target.pid()) != 'Z'; ++i) ::usleep(10000);
    ASSERT_EQ(::waitpid(target.pid(), &status, WNOHANG), target.pid());
    EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
}

TEST(Failures, AStoppedTargetStaysStopped) {
    TargetProcess target({program("heap_target"), "single", fresh_seed()});
    ASSERT_GT(target.pid(), 0);
    const auto comes_to_rest = [&target] {
        for (int i = 0; i < 1000 && state_of(target.pid()) != 'T'; ++i) ::usleep(1000);
        return state_of(target.pid());
    };
    ::kill(target.pid(), SIGSTOP);
    ASSERT_EQ(comes_to_rest(), 'T');
    CensusOptions options;
    options.stop = true;
    const CensusOutcome outcome = HeapReader(target.pid(), options).take();
    EXPECT_TRUE(outcome.census) << outcome.failure.reason;
    // Let go, it wakes for a moment, in the kernel, and stops again before it runs.
    EXPECT_EQ(comes_to_rest(), 'T');
    ::kill(target.pid(), SIGCONT);
    EXPECT_FALSE(target.ask("info").empty());
}

/// Random words over the heap of a live target, in the manner of a program that writes astray.
class Damaged : public testing::TestWithParam<const char*> {};

TEST_P(Damaged, IsRefusedInBoundedTime) {
    const std::string seed = fresh_seed();
    std::mt19937_64 random(std::stoull(seed));
    const std::string what = GetParam();
    for (int round = 0; round < 4; ++round) {
        TargetProcess target({program("heap_target"), "threads", seed + std::to_string(round)});
        ASSERT_GT(target.pid(), 0);
        const auto sound = HeapReader(target.pid(), {}).take();
        ASSERT_TRUE(sound.census) << sound.failure.reason;
        std::fstream memory("/proc/" + std::to_string(target.pid()) + "/mem",
                            std::ios::in | std::ios::out | std::ios::binary);
        for (int i = 0; i < 4000; ++i) {
            const auto& ranges = sound.census->ranges;
            const MallocRange& range = ranges[random() % ranges.size()];
            const std::uint64_t size = std::min<std::uint64_t>(range.end - range.begin, 100000);
            const std::uint64_t at = range.begin + (random() % size & ~7ULL);
            const std::uint64_t word = what == "ones" ? ~0ULL : what == "zeros" ? 0 : random();
            memory.seekp(static_cast<std::streamoff>(at));
            memory.write(reinterpret_cast<const char*>(&word), 8);
        }
        memory.flush();
        CensusOptions options;
        options.stop = round % 2 == 0;
        options.reach = round % 3 == 0;
        const auto begin = std::chrono::steady_clock::now();
        const CensusOutcome outcome = HeapReader(target.pid(), options).take();
        const auto seconds =
            std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
        EXPECT_LT(seconds, 10);
        EXPECT_FALSE(outcome.census);
        EXPECT_FALSE(outcome.failure.reason.empty());
    }
}

INSTANTIATE_TEST_SUITE_P(Ways, Damaged, testing::Values("random", "ones", "zeros"));

TEST(Limits, TheMemoryCapIsKept) {
    TargetProcess target({program("heap_target"), "big", fresh_seed(), "64", "1000000"});
    ASSERT_GT(target.pid(), 0);
    CensusOptions options;
    options.memory_cap_bytes = 8 << 20;
    const CensusOutcome outcome = HeapReader(target.pid(), options).take();
    ASSERT_FALSE(outcome.census);
    EXPECT_NE(outcome.failure.reason.find("memory cap"), std::string::npos)
        << outcome.failure.reason;
    options.memory_cap_bytes = 256 << 20;
    const CensusOutcome enough = HeapReader(target.pid(), options).take();
    ASSERT_TRUE(enough.census) << enough.failure.reason;
    EXPECT_LE(enough.census->tracer_bytes, options.memory_cap_bytes);
}

}  // namespace
}  // namespace asrtrace::heap
