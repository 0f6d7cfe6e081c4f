// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "tools/asrtrace/command.h"

#include <elf.h>
#include <fcntl.h>
#include <fmt/core.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <optional>

#include "user/base/architecture.h"
#include "user/base/bytes.h"
#include "user/base/fd.h"
#include "user/base/maps.h"

namespace asrtrace {
namespace {

[[noreturn]] void become(const std::vector<std::string>& arguments, int report_fd) {
    std::vector<char*> argv;
    argv.reserve(arguments.size() + 1);
    for (const std::string& argument : arguments)
        argv.push_back(const_cast<char*>(argument.c_str()));
    argv.push_back(nullptr);
    if (::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) == 0) ::execvp(argv[0], argv.data());
    const int error = errno;
    (void)!::write(report_fd, &error, sizeof(error));
    ::_exit(127);
}

/// The address that the loader jumps to when it is done (AT_ENTRY of the auxiliary vector).
std::optional<std::uint64_t> entry_point(pid_t pid) {
    const auto text = read_text_file("/proc/" + std::to_string(pid) + "/auxv");
    if (!text) return std::nullopt;
    const Bytes bytes(reinterpret_cast<const std::uint8_t*>(text->data()), text->size());
    for (std::size_t at = 0;; at += sizeof(Elf64_auxv_t)) {
        const auto entry = read_at<Elf64_auxv_t>(bytes, at);
        if (!entry || entry->a_type == AT_NULL) return std::nullopt;
        if (entry->a_type == AT_ENTRY) return entry->a_un.a_val;
    }
}

void* address_of(std::uint64_t value) {
    return reinterpret_cast<void*>(value);
}

/// Goes on until it stops by SIGTRAP; other signals are passed on to it.
Status run_to_trap(pid_t pid) {
    for (int signal = 0;;) {
        if (::ptrace(PTRACE_CONT, pid, nullptr, address_of(static_cast<std::uint64_t>(signal))) !=
            0)
            return errno_error("the command cannot be continued");
        int status = 0;
        if (::waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status))
            return Error{"the command ended before its program began"};
        signal = WSTOPSIG(status);
        if (signal == SIGTRAP) return ok_status();
    }
}

}  // namespace

Result<Command> Command::start_held(const std::vector<std::string>& arguments) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) return errno_error("pipe");
    const UniqueFd reader(ends[0]);
    UniqueFd writer(ends[1]);
    const pid_t pid = ::fork();
    if (pid < 0) return errno_error("fork");
    if (pid == 0) become(arguments, writer.get());
    writer.reset();
    int status = 0;
    if (::waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status)) {
        int error = 0;
        const bool told = ::read(reader.get(), &error, sizeof(error)) == sizeof(error);
        return told ? errno_error(arguments.front(), error)
                    : Error{arguments.front() + ": ended before it began"};
    }
    Command command(pid);
    if (const auto entered = command.go_to_entry(); !entered) return entered.error();
    return command;
}

Status Command::go_to_entry() const {
    const auto entry = entry_point(pid_);
    if (!entry) return Error{"the command's entry point is not known: no auxiliary vector"};
    errno = 0;
    const long text = ::ptrace(PTRACE_PEEKTEXT, pid_, address_of(*entry), nullptr);
    if (errno != 0) return errno_error("the command's entry point cannot be read");
    const auto with_trap =
        (static_cast<std::uint64_t>(text) & ~kBreakpoint.mask) | kBreakpoint.code;
    if (::ptrace(PTRACE_POKETEXT, pid_, address_of(*entry), address_of(with_trap)) != 0)
        return errno_error("no breakpoint at the command's entry point");
    if (auto trapped = run_to_trap(pid_); !trapped) return trapped;
    std::array<std::uint64_t, kRegisterWords.count> words{};
    iovec registers{words.data(), sizeof(words)};
    if (::ptrace(PTRACE_GETREGSET, pid_, NT_PRSTATUS, &registers) != 0)
        return errno_error("registers");
    std::uint64_t& at = words[kRegisterWords.instruction_pointer];
    if (at != *entry + kBreakpoint.passed_bytes)
        return Error{"the command stopped elsewhere than at its entry point"};
    at = *entry;
    if (::ptrace(PTRACE_SETREGSET, pid_, NT_PRSTATUS, &registers) != 0 ||
        ::ptrace(PTRACE_POKETEXT, pid_, address_of(*entry),
                 address_of(static_cast<std::uint64_t>(text))) != 0)
        return errno_error("the breakpoint at the command's entry point cannot be removed");
    return ok_status();
}

Command::~Command() {
    if (!held_) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
}

void Command::release() {
    ::ptrace(PTRACE_DETACH, pid_, nullptr, nullptr);
    held_ = false;
}

bool Command::running() const {
    siginfo_t info{};
    return ::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
           info.si_pid == 0;
}

void Command::await_end() const {
    siginfo_t info{};
    while (::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOWAIT) != 0)
        if (errno != EINTR) return;
}

std::string Command::wait() {
    int status = 0;
    while (::waitpid(pid_, &status, 0) < 0)
        if (errno != EINTR) return "ended, nobody knows how";
    pid_ = 0;
    if (WIFSIGNALED(status))
        return fmt::format("was ended by signal {} ({})", WTERMSIG(status),
                           ::strsignal(WTERMSIG(status)));
    return fmt::format("ended with status {}", WEXITSTATUS(status));
}

}  // namespace asrtrace
