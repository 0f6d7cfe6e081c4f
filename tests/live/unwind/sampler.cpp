// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "tests/live/unwind/sampler.h"

#include <bpf/libbpf.h>
#include <linux/perf_event.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdio>

#include "unwind_sampler.skel.h"

namespace asrtrace::unwind {
namespace {

/// The CPU clock, in whatever runs: the program picks the target. Also on cloud machines without
/// PMU.
UniqueFd open_cpu_clock(int cpu) {
    perf_event_attr attr{};
    attr.type = PERF_TYPE_SOFTWARE;
    attr.size = sizeof(attr);
    attr.config = PERF_COUNT_SW_CPU_CLOCK;
    attr.freq = 1;
    attr.sample_freq = 1997;
    return UniqueFd(
        static_cast<int>(::syscall(SYS_perf_event_open, &attr, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC)));
}

}  // namespace

Result<std::unique_ptr<Sampler>> Sampler::open(pid_t pid, std::uint32_t sources, bool stop) {
    std::unique_ptr<Sampler> sampler(new Sampler(pid));
    sampler->skeleton_ = unwind_sampler__open_and_load();
    if (sampler->skeleton_ == nullptr) return errno_error("BPF sampler");
    auto* variables = sampler->skeleton_->bss;
    variables->target_tgid = static_cast<__u32>(pid);
    variables->wanted_source = sources;
    sampler->skeleton_->data->stop_target = stop ? 1 : 0;
    const int outer = bpf_map__fd(sampler->skeleton_->maps.unwind_banks);
    if (auto status = sampler->banks_.attach(outer); !status) return status.error();
    if (auto refreshed = sampler->refresh(); !refreshed) return refreshed.error();
    if (auto status = sampler->attach(sources); !status) return status.error();
    return sampler;
}

Sampler::~Sampler() {
    for (bpf_link* link : links_) bpf_link__destroy(link);
    unwind_sampler__destroy(skeleton_);
}

Status Sampler::attach(std::uint32_t sources) {
    if ((sources & SAMPLE_FAULT) != 0) {
        links_.push_back(bpf_program__attach(skeleton_->progs.on_fault));
        if (links_.back() == nullptr) return errno_error("page_fault_user");
    }
    if ((sources & SAMPLE_TICK) == 0) return ok_status();
    for (int cpu = 0; cpu < libbpf_num_possible_cpus(); ++cpu) {
        const UniqueFd event = open_cpu_clock(cpu);
        if (!event.valid()) continue;       // an offline CPU
        const int fd = ::dup(event.get());  // the link closes its own
        links_.push_back(bpf_program__attach_perf_event(skeleton_->progs.on_tick, fd));
        if (links_.back() == nullptr) return errno_error("perf event");
    }
    return ok_status();
}

Result<bool> Sampler::refresh() {
    auto maps = read_maps(pid_);
    if (!maps) return maps.error();
    maps_ = std::move(*maps);
    const auto update = tables_.update(pid_, maps_);
    if (!update) return update.error();
    for (const ModuleProblem& problem : update->problems) {
        std::fprintf(stderr, "  no table: %s: %s\n", problem.path.c_str(), problem.reason.c_str());
    }
    process_ = update->record;
    if (!update->changed) return false;
    const auto key = static_cast<__u32>(pid_);
    const int fd = bpf_map__fd(skeleton_->maps.unwind_processes);
    if (bpf_map_update_elem(fd, &key, &update->record, BPF_ANY) != 0) {
        return errno_error("unwind_processes");
    }
    return true;
}

std::optional<unwind_sample> Sampler::next(std::uint32_t skip_ticks, int timeout_ms) {
    auto* variables = skeleton_->bss;
    volatile __u32* ready = &variables->ready;
    *ready = 0;
    variables->skip_ticks = skip_ticks;
    __atomic_store_n(&variables->armed, 1, __ATOMIC_SEQ_CST);
    for (int waited_us = 0; waited_us < timeout_ms * 1000; waited_us += 200) {
        if (*ready != 0) return variables->sample;
        ::usleep(200);
    }
    __atomic_store_n(&variables->armed, 0, __ATOMIC_SEQ_CST);
    return std::nullopt;
}

void Sampler::resume() {
    ::kill(pid_, SIGCONT);
}

}  // namespace asrtrace::unwind
