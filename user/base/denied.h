// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// What to say when the kernel does not let us look into a process.
#pragma once

#include <unistd.h>

#include <string>

#include "user/base/result.h"

namespace asrtrace {

/// Whoever may execute a file with these capabilities may trace everybody's processes.
inline constexpr const char* kHowToBePermitted =
    "run it with sudo; or, for one group: chgrp GROUP, chmod 0750, then setcap "
    "cap_bpf,cap_perfmon,cap_sys_ptrace,cap_dac_read_search+ep, each on the file asrtrace";

inline Error denied_process(pid_t pid) {
    const std::string what = "may not read process " + std::to_string(pid) + ": ";
    if (::geteuid() != 0)
        return Error{what + "that takes the capability CAP_SYS_PTRACE; " + kHowToBePermitted};
    return Error{what +
                 "root may not either, so a security module forbids it, or a container without "
                 "CAP_SYS_PTRACE; run asrtrace on the host"};
}

}  // namespace asrtrace
