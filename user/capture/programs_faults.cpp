// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Page faults where the kernel has no tracepoints of them: perf's software event on each CPU.
#include <linux/perf_event.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "user/capture/programs_state.h"

namespace asrtrace::capture {
namespace {

/// Each fault of that CPU, whoever's it is. errno ENODEV: the CPU is off.
int open_fault_event(int cpu) {
    perf_event_attr attributes{};
    attributes.size = sizeof(attributes);
    attributes.type = PERF_TYPE_SOFTWARE;
    attributes.config = PERF_COUNT_SW_PAGE_FAULTS;
    attributes.sample_period = 1;
    return static_cast<int>(
        ::syscall(SYS_perf_event_open, &attributes, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC));
}

}  // namespace

void Programs::State::link_fault_events(std::vector<std::string>& failed) {
    const bpf_program* program = skeleton->progs.fault_any;
    const int cpus = libbpf_num_possible_cpus();
    if (cpus <= 0) failed.push_back("page faults: the CPUs cannot be counted");
    for (int cpu = 0; cpu < cpus; ++cpu) {
        UniqueFd event(open_fault_event(cpu));
        if (!event.valid() && errno == ENODEV) continue;
        bpf_link* link =
            event.valid() ? bpf_program__attach_perf_event(program, event.get()) : nullptr;
        if (link == nullptr) {
            failed.push_back("page faults of CPU " + std::to_string(cpu) + ": " +
                             std::strerror(errno));
            continue;
        }
        event.release();  // the link's
        tracepoints.push_back(link);
    }
}

}  // namespace asrtrace::capture
