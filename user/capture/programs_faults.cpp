// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Page faults: where the kernel has no tracepoints of them perf's software event on each CPU, and
// how much a fault brings where that may be more than a page.
#include <linux/perf_event.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>
#include <utility>

#include "user/capture/programs_state.h"

namespace asrtrace::capture {
namespace {

constexpr std::chrono::milliseconds kLongestFault{10};

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

void Programs::attach_page_orders(std::vector<std::string>& failed) {
    bpf_program* program = state_->skeleton->progs.page_alloc;
    if (!bpf_program__autoload(program)) return;
    bpf_link* link = state_->skeleton->links.page_alloc = bpf_program__attach(program);
    if (link == nullptr) {
        failed.push_back("mm_page_alloc (each huge page counts as one page): " +
                         std::string(std::strerror(errno)));
        return;
    }
    // A fault that is under way may have allocated its page before.
    if (state_->skeleton->bss->enabled != 0) std::this_thread::sleep_for(kLongestFault);
    expect_single_pages();
}

void Programs::attach_advised_orders(std::vector<std::string>& failed) {
    const auto& knobs = *state_->skeleton->bss;
    const bool advised = __atomic_load_n(&knobs.huge_pages_advised, __ATOMIC_SEQ_CST) != 0;
    if (!advised || knobs.enabled == 0 || knobs.page_orders_known != 0) return;
    if (!std::exchange(state_->orders_tried, true)) attach_page_orders(failed);
}

void Programs::expect_single_pages() {
    __atomic_store_n(&state_->skeleton->bss->page_orders_known, 1, __ATOMIC_SEQ_CST);
}

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
