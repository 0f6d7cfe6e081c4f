// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "tools/asrtrace/sampler_thread.h"

#include <utility>

#include "tools/asrtrace/clock.h"

namespace asrtrace {
namespace {

constexpr std::chrono::milliseconds kCadence{1000};
/// smaps_rollup walks the target's page tables under its mmap lock: for a small process it is read
/// with each sample, for a large one less often, but with every fifth (traces/FORMAT.md).
constexpr std::uint64_t kPssSharesOfTime = 200;
constexpr int kPssEvery = 5;
constexpr Confinement kSampler{
    .name = "sampler", .capabilities = kReadingCapabilities, .opens_files = true};

}  // namespace

SamplerThread::SamplerThread(std::vector<capture::ProcessName> processes, std::uint64_t start_ns)
    : processes_(std::move(processes)), start_ns_(start_ns) {
    sample(true);
    thread_ = ConfinedThread(kSampler, [this] { run(); });
}

SamplerThread::~SamplerThread() {
    finish();
}

std::vector<ledger::ProcSample> SamplerThread::finish() {
    stop_.close();
    if (thread_.joinable()) {
        thread_.join();
        sample(true);
    }
    return out_.take();
}

void SamplerThread::sample(bool with_pss) {
    // On a busy machine most of the time that it takes is others'.
    const std::uint64_t begin_cpu_ns = thread_cpu_ns();
    if (auto newer = in_.take(); !newer.empty()) processes_ = std::move(newer.back());
    auto sample = capture::sample_processes(processes_, with_pss);
    if (!sample) return;
    const std::uint64_t end_ns = monotonic_ns();
    if (with_pss) {
        pss_kb_ = sample->pss_kb;
        next_pss_ns_ = end_ns + kPssSharesOfTime * (thread_cpu_ns() - begin_cpu_ns);
    }
    sample->pss_kb = pss_kb_;
    sample->t_ns = end_ns - start_ns_;
    out_.post(*sample);
}

void SamplerThread::run() {
    for (int round = 1;; ++round) {
        stop_.wait(kCadence);
        if (stop_.closed()) return;
        sample(round % kPssEvery == 0 || monotonic_ns() >= next_pss_ns_);
    }
}

}  // namespace asrtrace
