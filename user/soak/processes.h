// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The processes that a worker is made of, from look to look: one that died and was replaced by its
// parent shows in nothing else, if the parent is quick.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

namespace asrtrace::soak {

class Processes {
  public:
    /// The pids there are now. What has changed since the last look: "process 12 ended, process 13
    /// began"; empty if nothing has, or at the first look.
    std::string look(const std::vector<std::int32_t>& pids);

  private:
    std::set<std::int32_t> pids_;
    bool looked_ = false;
};

}  // namespace asrtrace::soak
