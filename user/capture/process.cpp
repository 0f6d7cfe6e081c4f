// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/capture/process.h"

#include <poll.h>
#include <sys/syscall.h>

#include <array>
#include <cerrno>
#include <ctime>
#include <sstream>

#include "user/base/maps.h"

namespace asrtrace::capture {
namespace {

/// The value behind "Name:\t" in a status file; empty if there is no such line.
std::string status_field(const std::string& status, const std::string& name) {
    const std::size_t at = status.find("\n" + name + ":");
    if (at == std::string::npos) return {};
    const std::size_t begin = status.find_first_not_of(" \t", at + name.size() + 2);
    return status.substr(begin, status.find('\n', begin) - begin);
}

bool is_kernel_thread(const std::string& status, const std::string& directory) {
    const std::string kthread = status_field(status, "Kthread");  // since 6.11
    if (!kthread.empty()) return kthread == "1";
    const auto maps = read_text_file(directory + "/maps");
    return maps && maps->empty() && status_field(status, "VmSize").empty();
}

}  // namespace

Result<Process> Process::open(pid_t pid) {
    const std::string name = "process " + std::to_string(pid);
    const std::string directory = "/proc/" + std::to_string(pid);
    if (pid <= 0) return Error{name + ": a pid is a positive number"};
    // First of all: what is read by its number below is this process's if it is there at the end.
    Process process;
    process.pid_ = pid;
    process.pidfd_.reset(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
    const int error = process.pidfd_.valid() ? 0 : errno;
    const auto status = read_text_file(directory + "/status");
    if (!status) {
        return Error{name +
                     ": no such process (is it in another pid namespace? use the pid that "
                     "`ps` shows here)"};
    }
    const std::string tgid = status_field("\n" + *status, "Tgid");
    if (tgid != std::to_string(pid)) {
        return Error{name + ": that is a thread of process " + tgid + "; attach to " + tgid};
    }
    if (status_field("\n" + *status, "State").starts_with('Z')) {
        return Error{name + ": a zombie: it has ended and waits for its parent to read its status"};
    }
    if (is_kernel_thread("\n" + *status, directory)) {
        return Error{name + ": a kernel thread; it has no user memory"};
    }
    if (error != 0) return errno_error(name + ": pidfd_open", error);
    if (!process.alive()) return Error{name + ": it has just ended"};
    return process;
}

bool Process::alive() const {
    pollfd poll{.fd = pidfd_.get(), .events = POLLIN, .revents = 0};
    return ::poll(&poll, 1, 0) == 0;
}

std::string Process::exe() const {
    std::array<char, 4096> path;
    const std::string link = "/proc/" + std::to_string(pid_) + "/exe";
    const ssize_t length = ::readlink(link.c_str(), path.data(), path.size());
    return length < 0 ? std::string{} : std::string(path.data(), static_cast<std::size_t>(length));
}

std::vector<std::string> Process::cmdline() const {
    // PR_SET_MM_MAP lets a process call any part of its memory its command line.
    constexpr std::size_t kMaxBytes = std::size_t{64} << 10U;
    constexpr std::size_t kMaxArguments = 1024;
    const auto text =
        read_text_beginning("/proc/" + std::to_string(pid_) + "/cmdline", kMaxBytes + 1);
    std::vector<std::string> arguments;
    if (!text) return arguments;
    bool cut = text->size() > kMaxBytes;
    std::istringstream stream(text->substr(0, kMaxBytes));
    for (std::string argument; std::getline(stream, argument, '\0');) {
        cut = cut || arguments.size() == kMaxArguments;
        if (arguments.size() == kMaxArguments) break;
        arguments.push_back(argument);
    }
    if (cut) arguments.emplace_back("...");
    return arguments;
}

bool Process::filters_system_calls() const {
    const auto status = read_text_file("/proc/" + std::to_string(pid_) + "/status");
    const std::string mode = status ? status_field(*status, "Seccomp") : "";
    return !mode.empty() && mode != "0";
}

double Process::cpu_seconds() const {
    clockid_t clock;
    timespec used{};
    if (::clock_getcpuclockid(pid_, &clock) != 0 || ::clock_gettime(clock, &used) != 0) return 0;
    if (!alive()) return 0;  // it may have been somebody else's
    return static_cast<double>(used.tv_sec) + static_cast<double>(used.tv_nsec) * 1e-9;
}

std::vector<std::string> missing_capabilities() {
    struct Needed {
        unsigned bit;
        const char* name;
    };
    // include/uapi/linux/capability.h
    static constexpr std::array<Needed, 4> kNeeded{
        {{2, "CAP_DAC_READ_SEARCH"}, {19, "CAP_SYS_PTRACE"}, {38, "CAP_PERFMON"}, {39, "CAP_BPF"}}};
    const auto status = read_text_file("/proc/self/status");
    const std::string effective = status ? status_field(*status, "CapEff") : "";
    const std::uint64_t bits = effective.empty() ? 0 : std::stoull(effective, nullptr, 16);
    constexpr std::uint64_t kSysAdmin = 1ULL << 21;  // held CAP_BPF and CAP_PERFMON before 5.8
    std::vector<std::string> missing;
    for (const Needed& needed : kNeeded) {
        const bool by_admin = needed.bit >= 38 && (bits & kSysAdmin) != 0;
        if ((bits >> needed.bit & 1) == 0 && !by_admin) missing.emplace_back(needed.name);
    }
    return missing;
}

}  // namespace asrtrace::capture
