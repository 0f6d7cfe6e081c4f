// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Holds all threads of a process still for as long as the object lives (ptrace(2), PTRACE_SEIZE and
// PTRACE_INTERRUPT: no signal is sent, nothing is injected). The destructor lets them go; if the
// tracer is killed the kernel does (PTRACE_O_EXITKILL is not set). Use from one thread only.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <string>
#include <vector>

#include "user/heap/memory.h"

namespace asrtrace::heap {

class StoppedProcess {
  public:
    /// Stops every thread, also those that appear meanwhile. Error: somebody else traces the
    /// target, a thread does not stop within `patience` (all are released again), or it is gone.
    static Result<StoppedProcess> stop(pid_t pid, std::chrono::milliseconds patience);

    StoppedProcess(StoppedProcess&& other) noexcept;
    StoppedProcess& operator=(StoppedProcess&&) = delete;
    StoppedProcess(const StoppedProcess&) = delete;
    StoppedProcess& operator=(const StoppedProcess&) = delete;
    ~StoppedProcess();

    /// Registers, stack pointers and thread pointers.
    std::vector<ThreadState> threads() const;

    /// Lets all threads go on; returns how long they were held. Later calls return the same.
    std::chrono::nanoseconds release();

  private:
    struct Held {
        pid_t tid;
        int signal;  ///< to be delivered when the thread is let go
    };
    explicit StoppedProcess(pid_t pid) : pid_(pid) {}
    Status seize_all();
    Status await_stop(pid_t tid, std::chrono::steady_clock::time_point until);
    std::string why_not_seized(int error_number) const;

    pid_t pid_;
    std::vector<pid_t> seized_;
    std::vector<Held> held_;
    std::chrono::steady_clock::time_point begin_;
    std::chrono::nanoseconds pause_{0};
};

/// Threads of a process by /proc/PID/task. Error: it is gone.
Result<std::vector<pid_t>> list_threads(pid_t pid);

/// Without stopping: the stack pointers of threads that sleep in a system call (/proc/PID/task/TID/
/// syscall). Of a running thread it is not known, and all of its stack counts, what returned
/// functions left there included: who runs only for a moment is looked at again until `patience` is
/// over.
std::vector<ThreadState> peek_threads(pid_t pid, std::chrono::milliseconds patience);

}  // namespace asrtrace::heap
