// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "tools/asrtrace/terminal.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <string_view>

#include "user/base/output_file.h"

namespace asrtrace {
namespace {

constexpr int kIn = STDIN_FILENO;
constexpr int kOut = STDERR_FILENO;
constexpr std::string_view kEnter = "\x1b[?1049h\x1b[?25l\x1b[2J";
constexpr std::string_view kLeave = "\x1b[0m\x1b[?25h\x1b[?1049l";

termios before{};
std::atomic<bool> ours{false};

/// Signals that end us without unwinding.
constexpr std::array<int, 6> kSudden{SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGQUIT};

extern "C" void on_sudden_end(int signal) {
    restore_terminal();
    ::raise(signal);  // SA_RESETHAND: now it ends us
}

/// A handler that is there already is there to go on: MappedFile's outlives a file that the target
/// shortened.
void catch_sudden_ends() {
    struct sigaction action {
    }, present{};
    action.sa_handler = on_sudden_end;
    action.sa_flags = static_cast<int>(SA_RESETHAND | SA_NODEFER);
    for (const int signal : kSudden) {
        if (::sigaction(signal, nullptr, &present) == 0 && present.sa_handler == SIG_DFL)
            ::sigaction(signal, &action, nullptr);
    }
}

}  // namespace

void restore_terminal() {
    if (!ours.exchange(false)) return;
    const int error = errno;
    (void)!::write(kOut, kLeave.data(), kLeave.size());
    ::tcsetattr(kIn, TCSANOW, &before);
    errno = error;
}

std::optional<Terminal> Terminal::open() {
    const char* kind = std::getenv("TERM");
    if (kind == nullptr || std::string_view(kind).empty() || std::string_view(kind) == "dumb")
        return std::nullopt;
    // From the background every tcsetattr would stop us.
    if (::isatty(kOut) == 0 || ::tcgetpgrp(kIn) != ::getpgrp()) return std::nullopt;
    if (::tcgetattr(kIn, &before) != 0) return std::nullopt;
    catch_sudden_ends();
    termios raw = before;
    raw.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
    raw.c_cc[VMIN] = 0;
    raw.c_cc[VTIME] = 0;
    raw.c_cc[VSUSP] = _POSIX_VDISABLE;  // stopped, we would lose events
    if (::tcsetattr(kIn, TCSANOW, &raw) != 0) return std::nullopt;
    ours = true;
    (void)write_all(kOut, kEnter, "terminal");
    return Terminal();
}

Terminal::~Terminal() {
    if (active_) restore_terminal();
}

TerminalSize Terminal::size() const {
    winsize size{};
    if (::ioctl(kOut, TIOCGWINSZ, &size) != 0 || size.ws_col == 0 || size.ws_row == 0) return {};
    return {size.ws_col, size.ws_row};
}

std::string Terminal::keys() const {
    std::array<char, 64> typed{};
    const ssize_t count = ::read(kIn, typed.data(), typed.size());
    return count > 0 ? std::string(typed.data(), static_cast<std::size_t>(count)) : std::string();
}

void Terminal::show(const std::vector<std::string>& lines) const {
    pollfd out{.fd = kOut, .events = POLLOUT, .revents = 0};
    if (::poll(&out, 1, 0) != 1) return;
    // Line by line over what is there: no flicker.
    std::string frame = "\x1b[H";
    for (std::size_t i = 0; i < lines.size(); ++i)
        frame += (i == 0 ? "" : "\r\n") + lines[i] + "\x1b[0m\x1b[K";
    frame += "\x1b[J";
    (void)write_all(kOut, frame, "terminal");
}

}  // namespace asrtrace
