// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The screen takes the terminal, and no signal from who has it already.
#include "tools/asrtrace/terminal.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "user/symbols/mapped_file.h"

namespace asrtrace {
namespace {

/// Runs `work` in a child whose terminal is a new one; returns how the child ended.
template <typename Work>
int on_a_terminal(Work work) {
    const int master = ::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    EXPECT_GE(master, 0);
    EXPECT_EQ(::grantpt(master), 0);
    EXPECT_EQ(::unlockpt(master), 0);
    const pid_t child = ::fork();
    if (child == 0) {
        ::setsid();
        const int terminal = ::open(::ptsname(master), O_RDWR);  // becomes the controlling one
        ::dup2(terminal, STDIN_FILENO);
        ::dup2(terminal, STDERR_FILENO);
        ::setenv("TERM", "xterm", 1);
        ::_exit(work());
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    ::close(master);
    return status;
}

TEST(Terminal, AFileShortenedBehindTheScreenIsDamagedNotDeadly) {
    const std::string path =
        std::filesystem::temp_directory_path() / ("terminal_test." + std::to_string(::getpid()));
    std::ofstream(path) << std::string(10'000, 'x');
    const int status = on_a_terminal([&] {
        const auto file = symbols::MappedFile::open(path);
        const auto screen = Terminal::open();
        if (!file || !screen) return 1;
        if (::truncate(path.c_str(), 0) != 0) return 2;
        return file->bytes()[5'000] == 0 && file->was_shortened() ? 0 : 3;
    });
    std::filesystem::remove(path);
    EXPECT_EQ(status, 0);
}

TEST(Terminal, ASignalThatNobodyHandlesEndsUs) {
    const int status = on_a_terminal([] {
        const auto screen = Terminal::open();
        return screen ? ::raise(SIGQUIT) : 1;
    });
    EXPECT_TRUE(WIFSIGNALED(status));
    EXPECT_EQ(WTERMSIG(status), SIGQUIT);
}

}  // namespace
}  // namespace asrtrace
