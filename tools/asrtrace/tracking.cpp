// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "tools/asrtrace/tracking.h"

#include <random>
#include <thread>

#include "tools/asrtrace/clock.h"

namespace asrtrace {
namespace {

/// Programs that ran when their window was closed have ended by then.
constexpr std::chrono::milliseconds kStragglers{2};

}  // namespace

Tracking::Tracking(double budget, const capture::AllocatorProbes& probes, const Status& attached,
                   capture::Programs& programs, ledger::Ledger& ledger, OverheadMeter& meter,
                   std::uint64_t now_ns)
    : probes_(probes),
      programs_(programs),
      ledger_(ledger),
      meter_(meter),
      governor_(budget, programs.method() != capture::ProbeMethod::kPerf, now_ns,
                std::random_device{}()) {
    if (!attached) {
        ledger_.close_window(now_ns);
        closed_ = true;
    }
    begin(attached, now_ns);
}

/// What the governor is told of a window that was to be opened.
void Tracking::begin(const Status& attached, std::uint64_t now_ns) {
    if (!attached) {
        ++unopened_[attached.error().message];
        governor_.not_opened(usage(now_ns), attached.error().message);
        return;
    }
    meter_.hurry();
    governor_.opened(usage(now_ns));
}

Usage Tracking::usage(std::uint64_t now_ns) {
    const capture::Counters counters = programs_.counters();
    return {now_ns, meter_.probe_seconds(counters, programs_.statistics()),
            meter_.target_seconds(now_ns, counters)};
}

bool Tracking::advance(std::uint64_t now_ns, const std::function<void()>& drain) {
    const Governor::Order order = governor_.advance(usage(now_ns));
    if (order == Governor::Order::kOpen) open();
    if (order == Governor::Order::kClose) close(drain);
    return order == Governor::Order::kClose;
}

void Tracking::open() {
    const Status attached = programs_.attach_allocator(probes_);
    const std::uint64_t now_ns = monotonic_ns();
    if (attached) ledger_.open_window(now_ns);
    begin(attached, now_ns);
}

void Tracking::close(const std::function<void()>& drain) {
    programs_.detach_allocator();
    const std::uint64_t now_ns = monotonic_ns();
    std::this_thread::sleep_for(kStragglers);
    drain();
    ledger_.close_window(now_ns);
    closed_ = true;
}

void Tracking::add_failures(std::vector<std::string>& failed) const {
    for (const auto& [why, windows] : unopened_)
        failed.push_back(why + " (" + std::to_string(windows) +
                         (windows == 1 ? " window not opened)" : " windows not opened)"));
}

}  // namespace asrtrace
