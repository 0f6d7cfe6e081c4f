// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// A process and its descendants: a server whose parent replaces its workers is all of them.
#pragma once

#include <sys/types.h>

#include <optional>
#include <vector>

#include "user/ledger/recording.h"

namespace asrtrace::capture {

/// The process itself first; empty if it has gone. A moment's view.
std::vector<pid_t> process_tree(pid_t root);

/// When a process began, in clock ticks since boot (proc(5), stat, 22): with its pid this names it
/// among all that had that pid. Nothing: there is no such process.
std::optional<std::uint64_t> started_ticks(pid_t pid);
struct ProcessName {
    pid_t pid = 0;
    std::uint64_t started = 0;
};
/// Has the process of that name threads left? A zombie's first thread alone is none. Holds no file
/// descriptor: there may be a thousand children to ask for.
bool is_running(const ProcessName& process);

/// As sample_process, the memory of several processes added up: pages that they share count once in
/// PSS, but once for each in the others. Those that have gone are left out; nothing if all have.
std::optional<ledger::ProcSample> sample_processes(const std::vector<ProcessName>& processes,
                                                   bool with_pss);
/// The same of a tree. Nothing if the root has gone.
std::optional<ledger::ProcSample> sample_tree(pid_t root, bool with_pss);

/// PSS of the tree; 0 if it has gone.
std::uint64_t tree_pss_kb(pid_t root);

/// User plus system seconds of the tree, its reaped children included.
double tree_cpu_seconds(pid_t root);
/// Page faults of the tree, likewise.
std::uint64_t tree_faults(pid_t root);
/// Page faults that the kernel has counted for the threads of a process that are not ending.
std::uint64_t thread_faults(pid_t pid);
/// User plus system seconds of these threads.
double thread_cpu_seconds(pid_t pid);

/// Kills by the OOM killer, in the process's cgroup or, where that is not known, the machine.
struct OomKills {
    std::uint64_t cgroup = 0;
    std::uint64_t machine = 0;
};
OomKills oom_kills(pid_t pid);

}  // namespace asrtrace::capture
