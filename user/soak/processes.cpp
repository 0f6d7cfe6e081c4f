// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/soak/processes.h"

#include <fmt/format.h>

namespace asrtrace::soak {
namespace {

void tell(std::string& text, std::int32_t pid, const char* what) {
    text += fmt::format("{}process {} {}", text.empty() ? "" : ", ", pid, what);
}

}  // namespace

std::string Processes::look(const std::vector<std::int32_t>& pids) {
    std::set<std::int32_t> now(pids.begin(), pids.end());
    std::string changes;
    if (looked_) {
        for (const std::int32_t pid : pids_)
            if (!now.contains(pid)) tell(changes, pid, "ended");
        for (const std::int32_t pid : now)
            if (!pids_.contains(pid)) tell(changes, pid, "began");
    }
    pids_ = std::move(now);
    looked_ = true;
    return changes;
}

}  // namespace asrtrace::soak
