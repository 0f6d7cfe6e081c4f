// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Whether a process is still the one that it was, and there.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

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
    EXPECT_FALSE(is_running(child, *started + 1)) << "another one of the same pid";
    ::kill(child, SIGKILL);
    siginfo_t info{};
    ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOWAIT), 0);
    EXPECT_EQ(started_ticks(child), started) << "not reaped yet";
    EXPECT_FALSE(is_running(child, *started));
    ASSERT_EQ(::waitpid(child, nullptr, 0), child);
    EXPECT_FALSE(started_ticks(child));
    EXPECT_FALSE(is_running(child, *started));
}

}  // namespace
}  // namespace asrtrace::capture
