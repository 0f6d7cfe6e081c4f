// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// A heap_target (tests/progs) as the live tests drive it.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace asrtrace::heap {

class TargetProcess {
  public:
    /// Starts PROGRAM with arguments and waits for its first line. pid() is 0 if that failed.
    explicit TargetProcess(const std::vector<std::string>& command);
    ~TargetProcess();
    TargetProcess(const TargetProcess&) = delete;
    TargetProcess& operator=(const TargetProcess&) = delete;

    pid_t pid() const { return pid_; }
    using Answer = std::map<std::string, std::uint64_t>;
    Answer ask(const std::string& line);

  private:
    Answer read_answer();
    pid_t pid_ = 0;
    int in_ = -1, out_ = -1;
};

/// Path of a program in build/progs.
std::string program(const std::string& name);
/// A new seed for each run; printed, so that a failure can be repeated (ASRTRACE_SEED sets it).
std::string fresh_seed();

}  // namespace asrtrace::heap
