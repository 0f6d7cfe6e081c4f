// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// A command that we start, held where nothing of the program itself has run yet.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "user/base/result.h"

namespace asrtrace {

class Command {
  public:
    /// Starts `arguments` (the first is looked for in PATH) and holds it at the entry point of the
    /// program: the loader has mapped its libraries and run their constructors, no instruction of
    /// the program itself has been executed. Error: it cannot be executed, or ended before.
    static Result<Command> start_held(const std::vector<std::string>& arguments);

    Command(Command&& other) noexcept : pid_(other.pid_), held_(other.held_) {
        other.pid_ = 0;
        other.held_ = false;
    }
    Command(const Command&) = delete;
    Command& operator=(const Command&) = delete;
    Command& operator=(Command&&) = delete;
    ~Command();  ///< ends it if it is still held: nobody asked for it to run untraced

    pid_t pid() const { return pid_; }
    /// Lets it go; from then on we are its parent and nothing else.
    void release();
    /// Whether it has not ended yet.
    bool running() const;
    /// Waits for its end; until wait() the pid stays its own.
    void await_end() const;
    /// Waits for its end: "ended with status 7", "was ended by signal 9 (Killed)".
    std::string wait();

  private:
    explicit Command(pid_t pid) : pid_(pid), held_(true) {}
    Status go_to_entry() const;

    pid_t pid_ = 0;  ///< 0: none, or it was waited for
    bool held_ = false;
};

}  // namespace asrtrace
