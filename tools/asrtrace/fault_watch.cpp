// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "tools/asrtrace/fault_watch.h"

#include <algorithm>

#include "tools/asrtrace/clock.h"
#include "tools/asrtrace/fault_sampling.h"
#include "user/capture/huge_pages.h"
#include "user/capture/process_tree.h"
#include "user/ledger/ledger.h"

namespace asrtrace {

FaultWatch::FaultWatch(pid_t pid, bool sparing, std::uint64_t mean_bytes,
                       capture::Programs& programs, const ProcessFamily& family,
                       OverheadMeter& meter)
    : pid_(pid),
      sparing_(sparing),
      mean_bytes_(mean_bytes),
      programs_(programs),
      family_(family),
      meter_(meter) {}

/// What a fault brings a program tells, which is spared where it can be.
void FaultWatch::begin(std::vector<std::string>& failed) {
    const auto huge = sparing_ ? capture::huge_pages_of(pid_) : capture::HugePages::kAlways;
    if (huge == capture::HugePages::kAlways)
        programs_.attach_page_orders(failed);
    else if (huge == capture::HugePages::kNever)
        programs_.expect_single_pages();
    before_ = capture::thread_faults(pid_);
}

/// Threads that are about to end are in neither sum for a while.
void FaultWatch::count() {
    std::uint64_t faults = programs_.counters()[wire::COUNT_FAULTS_ENDED];
    for (const pid_t pid : family_.running()) faults += capture::thread_faults(pid);
    faults_ = std::max(faults_, faults);
}

std::uint64_t FaultWatch::by_user_code(std::uint64_t by_kernel_code) const {
    return faults_ - std::min(faults_, before_ + by_kernel_code);
}

/// All pages are counted anyway.
void FaultWatch::thin(double seconds) {
    if (!sparing_) return;
    const capture::Counters counters = programs_.counters();
    const std::uint64_t pages = counters[wire::COUNT_FAULT_PAGES];
    const auto bytes = static_cast<double>((pages - pages_) * ledger::kPageBytes);
    const double cpu = meter_.target_seconds(monotonic_ns(), counters);
    programs_.thin_faults(
        fault_shift_for(bytes / seconds, (cpu - target_cpu_) / seconds, mean_bytes_));
    pages_ = pages;
    target_cpu_ = cpu;
}

}  // namespace asrtrace
