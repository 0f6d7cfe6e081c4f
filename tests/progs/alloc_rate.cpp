// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// malloc and free as fast as asked for: --threads N --rate EVENTS_PER_SECOND (all threads together,
// 0: as fast as it goes) --seconds S --seed N. A malloc and a free are one event each.
#include <pthread.h>
#include <time.h>

#include <cstdlib>

#include "tests/progs/alloc_truth.h"

namespace asrtrace::progs {
namespace {

constexpr unsigned kMaxThreads = 32;
constexpr unsigned kHeld = 64;
constexpr unsigned kBatch = 100;  // pairs between two looks at the clock

struct Run {
    unsigned threads = 2;
    std::uint64_t rate = 0;
    std::uint64_t seconds = 3;
    std::uint64_t seed = 1;
    AllocTruth truths[kMaxThreads];
    pthread_barrier_t start, end, quit;
};

Run run;

void sleep_until(std::uint64_t at_ns) {
    const timespec until{static_cast<time_t>(at_ns / 1'000'000'000),
                         static_cast<long>(at_ns % 1'000'000'000)};
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, nullptr);
}

__attribute__((noinline)) void churn(unsigned index) {
    AllocTruth& truth = run.truths[index];
    Allocator allocator(truth);
    Random random(run.seed * 100 + index);
    Block held[kHeld];
    const std::uint64_t start = now_ns();
    const std::uint64_t end = start + run.seconds * 1'000'000'000;
    std::uint64_t events = 0;
    for (std::uint64_t now = start; now < end; now = now_ns()) {
        for (unsigned i = 0; i < kBatch; ++i) {
            Block& slot = held[random.below(kHeld)];
            if (slot.at != nullptr) {
                allocator.free_block(slot);
                ++events;
            }
            slot = allocator.malloc_block(random.between(16, 1024));
            ++events;
        }
        if (run.rate == 0) continue;
        const std::uint64_t due =
            start +
            events * 1'000'000'000 / (run.rate / run.threads == 0 ? 1 : run.rate / run.threads);
        if (due > now_ns() + 1'000'000) sleep_until(due);
    }
}

void* worker_main(void* argument) {
    pthread_barrier_wait(&run.start);
    churn(static_cast<unsigned>(static_cast<AllocTruth*>(argument) - run.truths));
    pthread_barrier_wait(&run.end);
    pthread_barrier_wait(&run.quit);
    return nullptr;
}

int main_program(int argc, char** argv) {
    run.threads = static_cast<unsigned>(option(argc, argv, "--threads", 2));
    run.rate = option(argc, argv, "--rate", 0);
    run.seconds = option(argc, argv, "--seconds", 3);
    run.seed = option(argc, argv, "--seed", 1);
    if (run.threads == 0 || run.threads > kMaxThreads) return 2;
    pthread_barrier_init(&run.start, nullptr, run.threads + 1);
    pthread_barrier_init(&run.end, nullptr, run.threads + 1);
    pthread_barrier_init(&run.quit, nullptr, run.threads + 1);
    pthread_t threads[kMaxThreads];
    for (unsigned i = 0; i < run.threads; ++i) {
        if (pthread_create(&threads[i], nullptr, worker_main, &run.truths[i]) != 0) return 2;
    }
    Line("ready").send();
    wait_for("go");
    const std::uint64_t start = now_ns();
    pthread_barrier_wait(&run.start);
    pthread_barrier_wait(&run.end);
    const std::uint64_t elapsed = now_ns() - start;
    AllocTruth sum;
    for (unsigned i = 0; i < run.threads; ++i) sum.add(run.truths[i]);
    Line line("done");
    sum.write(line);
    line.number("elapsed_ns", elapsed);
    line.number("events", sum.ok[kMalloc] + sum.ok[kFree]);
    line.send();
    wait_for("quit");
    pthread_barrier_wait(&run.quit);
    for (unsigned i = 0; i < run.threads; ++i) pthread_join(threads[i], nullptr);
    return 0;
}

}  // namespace
}  // namespace asrtrace::progs

int main(int argc, char** argv) {
    return asrtrace::progs::main_program(argc, argv);
}
