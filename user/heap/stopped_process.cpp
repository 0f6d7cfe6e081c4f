// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/heap/stopped_process.h"

#include <dirent.h>
#include <elf.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <ctime>
#include <thread>

#include "user/base/architecture.h"
#include "user/base/maps.h"

namespace asrtrace::heap {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr milliseconds kPeekAgain{5};

void nap() {
    const timespec moment{0, 20000};
    ::nanosleep(&moment, nullptr);
}

/// Of a thread that sleeps in a system call; 0 of one that runs.
std::uint64_t peek_stack_pointer(pid_t pid, pid_t tid) {
    const auto text = read_text_file("/proc/" + std::to_string(pid) + "/task/" +
                                     std::to_string(tid) + "/syscall");
    if (!text || text->starts_with("running")) return 0;
    const std::size_t pc = text->rfind(' ');
    if (pc == std::string::npos || pc == 0) return 0;
    const std::size_t sp = text->rfind(' ', pc - 1);
    return sp == std::string::npos ? 0 : std::strtoull(text->c_str() + sp + 1, nullptr, 16);
}

/// Fills in those that are missing; true if none is then.
bool peek_stack_pointers(pid_t pid, std::vector<ThreadState>& threads) {
    bool all = true;
    for (ThreadState& thread : threads) {
        if (thread.stack_pointer == 0) thread.stack_pointer = peek_stack_pointer(pid, thread.tid);
        all = all && thread.stack_pointer != 0;
    }
    return all;
}

void add_registers(pid_t tid, int note, ThreadState& out) {
    std::array<std::uint64_t, 512> words{};
    iovec buffer{words.data(), sizeof(words)};
    if (::ptrace(PTRACE_GETREGSET, tid, note, &buffer) != 0) return;
    out.registers.insert(out.registers.end(), words.begin(),
                         words.begin() + static_cast<std::ptrdiff_t>(buffer.iov_len / 8));
}

}  // namespace

Result<std::vector<pid_t>> list_threads(pid_t pid) {
    const std::string path = "/proc/" + std::to_string(pid) + "/task";
    DIR* directory = ::opendir(path.c_str());
    if (directory == nullptr) return errno_error(path);
    std::vector<pid_t> tids;
    while (const dirent* entry = ::readdir(directory)) {
        const std::string_view name = entry->d_name;
        pid_t tid = 0;
        const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), tid);
        if (error == std::errc{} && end == name.data() + name.size()) tids.push_back(tid);
    }
    ::closedir(directory);
    return tids;
}

std::vector<ThreadState> peek_threads(pid_t pid, milliseconds patience) {
    std::vector<ThreadState> threads;
    auto tids = list_threads(pid);
    if (!tids) return threads;
    for (pid_t tid : *tids) {
        ThreadState thread;
        thread.tid = tid;
        threads.push_back(std::move(thread));
    }
    const auto until = Clock::now() + patience;
    while (!peek_stack_pointers(pid, threads) && Clock::now() < until)
        std::this_thread::sleep_for(kPeekAgain);
    return threads;
}

StoppedProcess::StoppedProcess(StoppedProcess&& other) noexcept
    : pid_(other.pid_),
      seized_(std::move(other.seized_)),
      held_(std::move(other.held_)),
      begin_(other.begin_),
      pause_(other.pause_) {
    other.seized_.clear();
    other.held_.clear();
}

StoppedProcess::~StoppedProcess() {
    release();
}

Result<StoppedProcess> StoppedProcess::stop(pid_t pid, std::chrono::milliseconds patience) {
    StoppedProcess process(pid);
    process.begin_ = Clock::now();
    const auto until = process.begin_ + patience;
    // A thread that runs may start others: list again until a round brings nothing new.
    for (std::size_t before = ~std::size_t{0}; before != process.seized_.size();) {
        before = process.seized_.size();
        if (Status seized = process.seize_all(); !seized) return seized.error();
        for (std::size_t i = process.held_.size(); i < process.seized_.size(); ++i) {
            if (Status stopped = process.await_stop(process.seized_[i], until); !stopped) {
                return stopped.error();
            }
        }
    }
    return process;
}

Status StoppedProcess::seize_all() {
    auto tids = list_threads(pid_);
    if (!tids) return tids.error();
    for (pid_t tid : *tids) {
        if (std::find(seized_.begin(), seized_.end(), tid) != seized_.end()) continue;
        if (::ptrace(PTRACE_SEIZE, tid, nullptr, nullptr) != 0) {
            if (errno == ESRCH) continue;  // it ended meanwhile
            return Error{why_not_seized(errno)};
        }
        seized_.push_back(tid);
        ::ptrace(PTRACE_INTERRUPT, tid, nullptr, nullptr);
    }
    return seized_.empty() ? Status(Error{"process " + std::to_string(pid_) + " has no threads"})
                           : ok_status();
}

std::string StoppedProcess::why_not_seized(int error_number) const {
    const std::string who = "process " + std::to_string(pid_);
    if (auto status = read_text_file("/proc/" + std::to_string(pid_) + "/status")) {
        const std::size_t at = status->find("TracerPid:\t");
        if (at != std::string::npos && (*status)[at + 11] != '0') {
            const std::size_t end = status->find('\n', at);
            return who + " is already traced by pid " + status->substr(at + 11, end - at - 11) +
                   " (a debugger?); without --stop the census can still be taken";
        }
    }
    return errno_error("cannot stop " + who, error_number).message;
}

Status StoppedProcess::await_stop(pid_t tid, Clock::time_point until) {
    for (;;) {
        int status = 0;
        const pid_t got = ::waitpid(tid, &status, __WALL | WNOHANG);
        if (got == tid && WIFSTOPPED(status)) {
            // A signal that was about to be delivered is handed back on release; stops of ptrace
            // itself (the event in the high bits) carry none.
            const bool event = (status >> 16) != 0;
            held_.push_back({tid, event ? 0 : WSTOPSIG(status)});
            return ok_status();
        }
        if ((got == tid && !WIFSTOPPED(status)) || (got < 0 && errno == ECHILD)) {
            held_.push_back({0, 0});  // it ended
            return ok_status();
        }
        if (Clock::now() > until) {
            return Error{"thread " + std::to_string(tid) +
                         " does not stop (it waits in the kernel); try again, or without --stop"};
        }
        nap();
    }
}

std::vector<ThreadState> StoppedProcess::threads() const {
    std::vector<ThreadState> threads;
    for (const Held& held : held_) {
        if (held.tid == 0) continue;
        ThreadState thread;
        thread.tid = held.tid;
        add_registers(held.tid, NT_PRSTATUS, thread);
        const auto word = [&](std::size_t at) {
            return at < thread.registers.size() ? thread.registers[at] : 0;
        };
        thread.stack_pointer = word(kRegisterWords.stack_pointer);
        thread.tls_base = word(kRegisterWords.thread_pointer);
        add_registers(held.tid, NT_PRFPREG, thread);  // a pointer may be in a vector register
        threads.push_back(std::move(thread));
    }
    return threads;
}

std::chrono::nanoseconds StoppedProcess::release() {
    if (seized_.empty()) return pause_;
    for (std::size_t i = 0; i < seized_.size(); ++i) {
        const pid_t tid = seized_[i];
        if (i < held_.size()) {
            if (held_[i].tid == 0) continue;
            ::ptrace(PTRACE_DETACH, tid, nullptr, static_cast<long>(held_[i].signal));
            continue;
        }
        // Seized but never seen to stop: detaching needs a stop, so wait for it a little.
        const auto until = Clock::now() + std::chrono::milliseconds(200);
        int status = 0;
        while (::waitpid(tid, &status, __WALL | WNOHANG) == 0 && Clock::now() < until) nap();
        const bool signal = WIFSTOPPED(status) && (status >> 16) == 0;
        ::ptrace(PTRACE_DETACH, tid, nullptr, static_cast<long>(signal ? WSTOPSIG(status) : 0));
    }
    pause_ = Clock::now() - begin_;
    seized_.clear();
    held_.clear();
    return pause_;
}

}  // namespace asrtrace::heap
