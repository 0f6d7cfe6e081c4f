// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// What a process says of itself, and what it may say to harm who asks.
#include "user/capture/process.h"

#include <gtest/gtest.h>
#include <linux/prctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstring>

namespace asrtrace::capture {
namespace {

/// Makes `bytes` of new memory, full of `fill`, this process's command line.
bool take_command_line(std::size_t bytes, char fill) {
    void* memory =
        ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) return false;
    if (fill != '\0') std::memset(memory, fill, bytes - 1);  // what does not end in NUL is cut
    const auto begin = reinterpret_cast<std::uint64_t>(memory);
    const auto here = reinterpret_cast<std::uint64_t>(&take_command_line);
    const auto heap = reinterpret_cast<std::uint64_t>(::sbrk(0));
    prctl_mm_map map{};
    map.start_code = map.start_data = here;
    map.end_code = map.end_data = here + 1;
    map.start_brk = map.brk = heap;
    map.start_stack = reinterpret_cast<std::uint64_t>(&map);
    map.arg_start = begin;
    map.arg_end = map.env_start = map.env_end = begin + bytes;
    map.exe_fd = ~0U;
    return ::prctl(PR_SET_MM, PR_SET_MM_MAP, &map, sizeof map, 0) == 0;
}

std::vector<std::string> cmdline_of_child(std::size_t bytes, char fill) {
    int ready[2];
    EXPECT_EQ(::pipe(ready), 0);
    const pid_t child = ::fork();
    if (child == 0) {
        const char answer = take_command_line(bytes, fill) ? 'y' : 'n';
        (void)!::write(ready[1], &answer, 1);
        ::pause();
        ::_exit(0);
    }
    char answer = 0;
    EXPECT_EQ(::read(ready[0], &answer, 1), 1);
    EXPECT_EQ(answer, 'y') << "the kernel has no PR_SET_MM_MAP (CONFIG_CHECKPOINT_RESTORE)";
    const auto process = Process::open(child);
    EXPECT_TRUE(process);
    auto cmdline = process ? process->cmdline() : std::vector<std::string>{};
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    ::close(ready[0]);
    ::close(ready[1]);
    return cmdline;
}

TEST(Process, ACommandLineIsAsLongAsTheTargetLikes) {
    const auto own = Process::open(::getpid());
    ASSERT_TRUE(own);
    ASSERT_FALSE(own->cmdline().empty());
    EXPECT_NE(own->cmdline()[0].find("process_tree_test"), std::string::npos);

    const auto empty = cmdline_of_child(std::size_t{64} << 20U, '\0');
    ASSERT_EQ(empty.size(), 1025U);
    EXPECT_EQ(empty.front(), "");
    EXPECT_EQ(empty.back(), "...");
    const auto endless = cmdline_of_child(std::size_t{64} << 20U, 'x');
    ASSERT_EQ(endless.size(), 2U);
    EXPECT_EQ(endless.front(), std::string(65536, 'x'));
    EXPECT_EQ(endless.back(), "...");
}

}  // namespace
}  // namespace asrtrace::capture
