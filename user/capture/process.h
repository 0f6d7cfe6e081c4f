// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The target process, held by a pidfd: a pid that is reused while we trace would be somebody else.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "user/base/fd.h"
#include "user/base/result.h"

namespace asrtrace::capture {

class Process {
  public:
    /// Error: no such process, a thread's id, a zombie, a kernel thread, or not ours to look at.
    static Result<Process> open(pid_t pid);

    pid_t pid() const { return pid_; }
    int pidfd() const { return pidfd_.get(); }
    bool alive() const;
    /// The running program's path; empty once the target has gone.
    std::string exe() const;
    /// Cut behind 64 KiB or 1,024 arguments, the last of which then is "...".
    std::vector<std::string> cmdline() const;
    /// Does a seccomp filter judge its main thread's system calls?
    bool filters_system_calls() const;
    /// User plus system time of all its threads, in seconds; 0 once the target has gone.
    double cpu_seconds() const;

  private:
    pid_t pid_ = 0;
    UniqueFd pidfd_;
};

/// The capabilities that tracing needs and this process lacks, by name; empty if none.
std::vector<std::string> missing_capabilities();

}  // namespace asrtrace::capture
