// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "tools/asrtrace/overhead_meter.h"

#include <sys/resource.h>
#include <unistd.h>

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

OverheadMeter::OverheadMeter(const capture::Process& process, std::uint64_t start_ns)
    : process_(process),
      start_ns_(start_ns),
      target_cpu_begin_(process.cpu_seconds()),
      tracer_cpu_begin_(own_cpu_seconds()) {}

void OverheadMeter::measure(std::uint64_t now_ns, const capture::Counters& counters,
                            const capture::ProgramStatistics& statistics,
                            ledger::Overhead& overhead) {
    const double window = static_cast<double>(now_ns - start_ns_) * 1e-9;
    overhead.probe_hits = counters[wire::COUNT_PROBE_HITS];
    if (statistics_.enabled_seconds() > 0) {
        overhead.program_seconds = statistics.seconds * window / statistics_.enabled_seconds();
    }
    // A target that has ended has no times any more: the last ones stand.
    if (const double cpu = process_.cpu_seconds(); cpu > 0) target_cpu_ = cpu - target_cpu_begin_;
    overhead.target_cpu_seconds = target_cpu_;
    overhead.tracer_cpu_seconds = own_cpu_seconds() - tracer_cpu_begin_;
    if (const auto self = capture::sample_process(::getpid(), false)) {
        overhead.tracer_rss_bytes = self->vm_rss_kb * 1024;
    }
}

}  // namespace asrtrace
