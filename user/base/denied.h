// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// What to say when the kernel does not let us look into a process.
#pragma once

#include <unistd.h>

#include <string>

#include "user/base/result.h"

namespace asrtrace {

inline Error denied_process(pid_t pid) {
    const std::string what = "may not read process " + std::to_string(pid) + ": ";
    if (::geteuid() != 0)
        return Error{what +
                     "run as root (sudo asrtrace ...), or with the capability CAP_SYS_PTRACE (sudo "
                     "setcap cap_sys_ptrace,cap_perfmon,cap_bpf+ep asrtrace)"};
    return Error{what +
                 "root may not either, so a security module forbids it, or a container without "
                 "CAP_SYS_PTRACE; run asrtrace on the host"};
}

}  // namespace asrtrace
