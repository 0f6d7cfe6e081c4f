// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/capture/run_statistics.h"

#include <bpf/bpf.h>
#include <linux/bpf.h>

#include <algorithm>

namespace asrtrace::capture {
namespace {

constexpr std::uint64_t kOnNs = 250'000'000;
constexpr std::uint64_t kLongestOffNs = 14'000'000'000;
constexpr std::chrono::hours kLong{1};
constexpr Confinement kSwitch{.name = "statistics",
                              .capabilities = capability_set(Capability::kSysAdmin),
                              .switches_bpf_statistics = true};

}  // namespace

RunStatistics::RunStatistics() : thread_(kSwitch, [this] { run(); }) {}

RunStatistics::~RunStatistics() {
    orders_.close();
    thread_.join();
}

void RunStatistics::run() {
    while (!orders_.closed())
        for ([[maybe_unused]] const SwitchOn order : orders_.wait(kLong))
            answers_.post(bpf_enable_stats(BPF_STATS_RUN_TIME));
}

void RunStatistics::advance(std::uint64_t now_ns) {
    if (!available_ || now_ns < next_ns_) return;
    if (fd_.valid()) {
        stop(now_ns);
        next_ns_ = now_ns + off_ns_;
        off_ns_ = std::min(2 * off_ns_, kLongestOffNs);
        return;
    }
    orders_.post({});
    for (const int fd : answers_.wait(kLong)) fd_.reset(fd);
    available_ = fd_.valid();
    begin_ns_ = now_ns;
    next_ns_ = now_ns + kOnNs;
}

void RunStatistics::stop(std::uint64_t now_ns) {
    if (!fd_.valid()) return;
    fd_.reset();
    enabled_ns_ += now_ns - begin_ns_;
}

}  // namespace asrtrace::capture
