// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// A child process that waits, as a target for discovery.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "user/base/fd.h"

namespace asrtrace {

class WaitingChild {
  public:
    /// Starts `program` (a path) and returns when it says that it is ready; pid() is -1 if it never
    /// did.
    explicit WaitingChild(const std::string& program,
                          const std::vector<std::string>& arguments = {});
    WaitingChild(const WaitingChild&) = delete;
    WaitingChild& operator=(const WaitingChild&) = delete;
    ~WaitingChild();

    pid_t pid() const { return ready_ ? pid_ : -1; }

  private:
    pid_t pid_ = -1;
    bool ready_ = false;
    UniqueFd input_;
};

/// Path of a program or library that these tests build.
std::string built(const std::string& name);

}  // namespace asrtrace
