// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// What a probe's hit costs on this machine, its program apart: measured at the start, with programs
// that do nothing, on functions of a child process of our own. The target takes no part in it.
#pragma once

#include "user/base/result.h"
#include "user/capture/uprobes.h"

namespace asrtrace::capture {

/// Nanoseconds of the probed thread's CPU time for each hit.
struct TrapCost {
    double entry = 0;             ///< on an instruction that the kernel emulates
    double entry_and_return = 0;  ///< both hits of a call that is followed to its return
    double stepped = 0;           ///< on an instruction that it single-steps
};

/// `entry` and `call`: programs that do nothing, for a probe without and one with a return. Takes
/// some 0.2 s. Error: why a hit's cost is not known.
Result<TrapCost> measure_traps(ProbeMethod method, CallPrograms entry, CallPrograms call);

/// Does a process with a seccomp filter survive a probe with a return? From 6.11 on the kernel
/// takes a system call of its own for the return, which filters saw until 6.14 (and later releases
/// of the series before it): most kill for it. Found with a child of our own, which has such a
/// filter. Error: why it is not known.
Result<bool> returns_pass_filters(ProbeMethod method, CallPrograms call);

}  // namespace asrtrace::capture
