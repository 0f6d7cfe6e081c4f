// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "tools/asrtrace/overhead_meter.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>

#include "user/capture/process_tree.h"
#include "user/capture/sampler.h"

namespace asrtrace {
namespace {

double own_cpu_seconds() {
    rusage usage{};
    ::getrusage(RUSAGE_SELF, &usage);
    return static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1e-6;
}

}  // namespace

OverheadMeter::OverheadMeter(const capture::Process& process, const ProcessFamily* family,
                             std::uint64_t start_ns)
    : process_(process),
      family_(family),
      start_ns_(start_ns),
      target_cpu_begin_(cpu_seconds({})),
      tracer_cpu_begin_(own_cpu_seconds()) {}

/// Whoever is the parent of whom by now: what has ended was counted when it did.
double OverheadMeter::cpu_seconds(const capture::Counters& counters) const {
    if (family_ == nullptr) return process_.cpu_seconds();
    double sum = static_cast<double>(counters[wire::COUNT_CPU_ENDED]) * 1e-9;
    for (const pid_t pid : family_->running()) sum += capture::thread_cpu_seconds(pid);
    return sum;
}

void OverheadMeter::set_trap_cost(const capture::TrapCost& cost,
                                  const capture::AllocatorProbes& probes) {
    trap_cost_ = cost;
    for (const capture::AllocatorProbe& probe : probes.probes)
        if (!probe.placement.emulated) stepped_.insert(capture::wire_function(probe.function));
}

double OverheadMeter::trap_seconds(const capture::Counters& counters) const {
    const auto hits = [&](std::size_t counter) { return static_cast<double>(counters[counter]); };
    const double returns = hits(wire::COUNT_RETURN_HITS);
    double ns = (hits(wire::COUNT_PROBE_HITS) - returns) * trap_cost_->entry +
                returns * (trap_cost_->entry_and_return - trap_cost_->entry);
    for (const std::uint32_t function : stepped_)
        ns += hits(wire::COUNT_CALLS + function) * (trap_cost_->stepped - trap_cost_->entry);
    return ns * 1e-9;
}

/// For every hit the mean of the runs that were timed.
double OverheadMeter::probe_program_seconds(const capture::Counters& counters,
                                            const capture::ProgramStatistics& statistics) const {
    constexpr double kUntilTimed = 500e-9;
    const double each = statistics.probe_runs == 0
                            ? kUntilTimed
                            : statistics.probe_seconds / static_cast<double>(statistics.probe_runs);
    return each * static_cast<double>(counters[wire::COUNT_PROBE_HITS]);
}

/// Tracepoints' programs run for all processes: the target's share of those at faults, spread
/// evenly over the window.
double OverheadMeter::program_seconds(std::uint64_t now_ns, const capture::Counters& counters,
                                      const capture::ProgramStatistics& statistics) const {
    const double window = static_cast<double>(now_ns - start_ns_) * 1e-9;
    const double timed = statistics_.enabled_seconds() / window;
    const auto own = static_cast<double>(counters[wire::COUNT_FAULT_RUNS]);
    const double share = own * timed / std::max(1.0, static_cast<double>(statistics.fault_runs));
    return statistics.tracepoint_seconds / timed * std::min(1.0, share) +
           probe_program_seconds(counters, statistics);
}

double OverheadMeter::probe_seconds(const capture::Counters& counters,
                                    const capture::ProgramStatistics& statistics) const {
    return probe_program_seconds(counters, statistics) + (trap_cost_ ? trap_seconds(counters) : 0);
}

double OverheadMeter::target_seconds(std::uint64_t now_ns, const capture::Counters& counters) {
    constexpr std::uint64_t kLookNs = 50'000'000;  // a family is many files to read
    if (now_ns < looked_ns_ + kLookNs && family_ != nullptr) return target_cpu_;
    looked_ns_ = now_ns;
    // A target that has ended has no times any more: the last ones stand. Threads that are about to
    // end are in neither sum for a while.
    if (const double cpu = cpu_seconds(counters); cpu > 0)
        target_cpu_ = std::max(target_cpu_, cpu - target_cpu_begin_);
    return target_cpu_;
}

void OverheadMeter::measure(std::uint64_t now_ns, const capture::Counters& counters,
                            const capture::ProgramStatistics& statistics,
                            ledger::Overhead& overhead) {
    overhead.probe_hits = counters[wire::COUNT_PROBE_HITS];
    if (statistics_.enabled_seconds() > 0)
        overhead.program_seconds = program_seconds(now_ns, counters, statistics);
    if (trap_cost_) overhead.trap_seconds_estimated = trap_seconds(counters);
    overhead.target_cpu_seconds = target_seconds(now_ns, counters);
    if (overhead.program_seconds && overhead.trap_seconds_estimated && target_cpu_ > 0)
        overhead.target_cpu_fraction =
            (*overhead.program_seconds + *overhead.trap_seconds_estimated) / target_cpu_;
    overhead.tracer_cpu_seconds = own_cpu_seconds() - tracer_cpu_begin_;
    if (const auto self = capture::sample_process(::getpid(), false)) {
        overhead.tracer_rss_bytes = self->vm_rss_kb * 1024;
    }
}

}  // namespace asrtrace
