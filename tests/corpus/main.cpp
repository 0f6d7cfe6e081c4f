// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// A service without a network whose memory grows for a known reason; see tests/progs/handshake.h.
//   corpus --scenario NAME --seed S --requests N [--pace-us N] [--blocks FILE]
//          [--library FILE --entry NAME] [--file FILE] | --list 1
// "done" tells what grew, and by how much. With --blocks it writes at "quit" which of its blocks
// are lost and which are in use.
#include <pthread.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstring>

#include "tests/corpus/part.h"

namespace asrtrace::corpus {
namespace {

using Make = void (*)(const Setup&, Scenario&);

struct NamedScenario {
    const char* name;
    Make make;
};

constexpr std::size_t kKib = 1024;
constexpr std::size_t kMib = 1024 * kKib;

std::size_t pages(const Setup& setup, std::uint64_t lo, std::uint64_t hi) {
    return setup.between(lo, hi) * 4 * kKib;
}

std::unique_ptr<Part> any_fragmentation(const Setup& setup) {
    return fragmentation(setup, setup.between(24 * kKib, 60 * kKib),
                         static_cast<unsigned>(setup.between(1, 3)));
}

/// Between a tenth and ten times as much as `bytes`.
std::size_t in_proportion(const Setup& setup, std::size_t bytes) {
    const std::uint64_t tenths = setup.between(10, 100);
    return setup.random.below(2) == 0 ? bytes * tenths / 10 : bytes * 10 / tenths;
}

constexpr NamedScenario kScenarios[] = {
    {"leak_small",
     [](const Setup& s, Scenario& out) { out.parts.push_back(leak(s, s.between(64, 512), 1)); }},
    {"leak_every_tenth",
     [](const Setup& s, Scenario& out) {
         out.parts.push_back(leak(s, s.between(2000, 20'000), 10));
     }},
    {"leak_in_free_heap",
     [](const Setup& s, Scenario& out) {
         make_free_heap(s, 40 * kMib);
         out.parts.push_back(leak(s, s.between(20'000, 60'000), 1));
     }},
    {"leak_mapped",
     [](const Setup& s, Scenario& out) {
         out.parts.push_back(leak(s, s.between(140 * kKib, 250 * kKib), 1));
     }},
    {"leak_aligned_mapped",
     [](const Setup& s, Scenario& out) {
         out.parts.push_back(leak_aligned(s, std::size_t{64} << s.random.below(7),
                                          s.between(140 * kKib, 250 * kKib)));
     }},
    {"leak_in_one_thread",
     [](const Setup& s, Scenario& out) {
         out.threads = 4;
         out.parts.push_back(leak_in_thread(s, s.between(200, 9000),
                                            static_cast<unsigned>(s.random.below(out.threads))));
     }},
    {"leak_in_stripped_library",
     [](const Setup& s, Scenario& out) {
         out.parts.push_back(leak_in_library(s, s.between(300, 6000)));
     }},
    {"cache_of_newest",
     [](const Setup& s, Scenario& out) {
         out.parts.push_back(cache_of_newest(s, s.between(2000, 20'000),
                                             s.between(s.requests / 5, s.requests / 3)));
     }},
    {"cache_that_fills",
     [](const Setup& s, Scenario& out) {
         out.parts.push_back(cache_of_slots(s, s.between(4000, 20'000),
                                            s.between(s.requests * 4 / 10, s.requests * 6 / 10)));
     }},
    {"cache_by_length",
     [](const Setup& s, Scenario& out) {
         out.parts.push_back(cache_by_length(s, s.between(2000, 20'000)));
     }},
    {"cache_unbounded",
     [](const Setup& s, Scenario& out) {
         out.parts.push_back(cache_of_all(s, s.between(1000, 16'000)));
     }},
    {"queue_that_grows",
     [](const Setup& s, Scenario& out) {
         out.parts.push_back(queue_that_grows(s, s.between(300, 3000)));
     }},
    {"queue_that_stays",
     [](const Setup& s, Scenario& out) {
         const auto waiting = static_cast<unsigned>(s.requests * 4);
         out.parts.push_back(queue_that_stays(s, s.between(1000, 6000), waiting));
     }},
    {"warmup",
     [](const Setup& s, Scenario& out) {
         out.parts.push_back(
             warmup(s, s.between(40 * kKib, 90 * kKib), static_cast<unsigned>(s.between(8, 20))));
     }},
    {"retention_fragmentation",
     [](const Setup& s, Scenario& out) { out.parts.push_back(any_fragmentation(s)); }},
    {"retention_top",
     [](const Setup& s, Scenario& out) {
         out.parts.push_back(top_kept(s, s.between(20 * kKib, 60 * kKib)));
     }},
    {"retention_arenas",
     [](const Setup& s, Scenario& out) {
         out.parts.push_back(many_arenas(s, s.between(2 * kMib, 4 * kMib), 14));
     }},
    {"retention_threshold",
     [](const Setup& s, Scenario& out) {
         out.parts.push_back(threshold_moved(s, s.between(20 * kKib, 48 * kKib)));
     }},
    {"retention_tcache",
     [](const Setup& s, Scenario& out) {
         out.parts.push_back(full_tcaches(s, static_cast<unsigned>(s.requests / 5)));
     }},
    {"thread_stacks",
     [](const Setup& s, Scenario& out) { out.parts.push_back(thread_stacks(s, pages(s, 8, 32))); }},
    {"mapped",
     [](const Setup& s, Scenario& out) { out.parts.push_back(mapped(s, pages(s, 5, 50))); }},
    {"file_read",
     [](const Setup& s, Scenario& out) { out.parts.push_back(file_read(s, pages(s, 8, 40))); }},
    {"zero_page_read",
     [](const Setup& s, Scenario& out) {
         out.parts.push_back(zero_page_read(s, pages(s, 30, 100)));
     }},
    {"leak_and_cache",
     [](const Setup& s, Scenario& out) {
         const std::size_t bytes = s.between(500, 3000);
         out.parts.push_back(leak(s, bytes, 1));
         out.parts.push_back(cache_of_all(s, in_proportion(s, bytes)));
     }},
    {"leak_and_retention",
     [](const Setup& s, Scenario& out) {
         out.parts.push_back(leak(s, s.between(500, 5000), 1));
         out.parts.push_back(any_fragmentation(s));
     }},
    {"leak_cache_and_mapped",
     [](const Setup& s, Scenario& out) {
         const std::size_t bytes = s.between(1000, 6000);
         out.parts.push_back(leak(s, bytes, 1));
         out.parts.push_back(cache_by_length(s, in_proportion(s, 2 * bytes)));
         out.parts.push_back(mapped(s, pages(s, 1, 8)));
     }},
    {"steady_and_idle", [](const Setup&, Scenario& out) { out.background_blocks = 4; }},
    {"steady_and_busy",
     [](const Setup& s, Scenario& out) {
         out.background_blocks = 500;
         out.parts.push_back(churn(s, s.between(1000, 3000), 200));
     }},
};

const char* text_option(int argc, char** argv, const char* name) {
    for (int i = 1; i + 1 < argc; ++i) {
        if (std::strcmp(argv[i], name) == 0) return argv[i + 1];
    }
    return "";
}

void sleep_us(std::uint64_t microseconds) {
    const timespec time{static_cast<time_t>(microseconds / 1'000'000),
                        static_cast<long>(microseconds % 1'000'000) * 1000};
    nanosleep(&time, nullptr);
}

/// Lengths of inputs: half of them new, half seen before, whatever the scenario.
class Lengths {
  public:
    std::uint64_t next(progs::Random& random) {
        if (used_ > 0 && random.below(2) == 0) {
            return seen_[random.below(used_ < kSeen ? used_ : kSeen)];
        }
        return seen_[used_++ % kSeen] = random.between(4000, 1'000'000);
    }

  private:
    static constexpr std::uint64_t kSeen = 64;
    std::uint64_t seen_[kSeen] = {};
    std::uint64_t used_ = 0;
};

struct Service {
    Scenario scenario;
    std::uint64_t requests = 0;
    std::uint64_t pace_us = 0;
    std::uint64_t seed = 0;
    std::atomic<std::uint64_t> next_id{1};
    std::atomic<unsigned> next_thread{0};
};

void serve(Service& service) {
    constexpr std::uint64_t kBytesPerFrame = 2;
    constexpr std::uint64_t kHeaderBytes = 44;
    const unsigned thread = service.next_thread++;
    const std::uint64_t pace_us = service.pace_us * service.scenario.threads;
    progs::Random random(service.seed * 31 + thread);
    Lengths lengths;
    for (;;) {
        const std::uint64_t id = service.next_id++;
        if (id > service.requests) return;
        Request request{id, lengths.next(random), thread, random};
        corpus_request_begins(id, kHeaderBytes + kBytesPerFrame * request.frames, request.frames);
        corpus_background(random.next(), service.scenario.background_blocks);
        for (const auto& part : service.scenario.parts) part->request(request);
        corpus_background(random.next(), service.scenario.background_blocks / 2);
        if (pace_us > 0) sleep_us(random.between(200, 1500));
        corpus_request_ends(id, 200);
        if (pace_us > 0) sleep_us(random.between(pace_us / 2, pace_us * 3 / 2));
    }
}

/// Overwrites what the last request left on the stack.
[[gnu::noinline]] void clear_stack() {
    unsigned char below[32 * kKib];
    std::memset(below, 0, sizeof(below));
    asm volatile("" : : "r"(below) : "memory");
}

void warm_up(progs::Random& random) {
    constexpr int kRounds = 100;
    for (int i = 0; i < kRounds; ++i) corpus_background(random.next(), 500);
}

/// What serves requests: the main thread, or several at the same time. They have their arenas, and
/// their buffers have reached their level, before the program is ready; they stay until it ends.
class Servers {
  public:
    explicit Servers(Service& service) : service_(service) {
        if (service.scenario.threads == 1) return;
        threads_.resize(service.scenario.threads);
        pthread_barrier_init(&warm_, nullptr, service.scenario.threads + 1);
        pthread_barrier_init(&go_, nullptr, service.scenario.threads + 1);
        pthread_barrier_init(&done_, nullptr, service.scenario.threads + 1);
        for (pthread_t& thread : threads_) {
            if (pthread_create(&thread, nullptr, run, this) != 0) progs::fail("no thread");
        }
        pthread_barrier_wait(&warm_);
    }

    void serve_all() {
        if (threads_.empty()) return serve_and_clear(service_);
        pthread_barrier_wait(&go_);
        pthread_barrier_wait(&done_);
    }

  private:
    static void serve_and_clear(Service& service) {
        serve(service);
        clear_stack();
    }

    static void* run(void* argument) {
        auto* servers = static_cast<Servers*>(argument);
        progs::Random random(servers->service_.seed);
        warm_up(random);
        pthread_barrier_wait(&servers->warm_);
        pthread_barrier_wait(&servers->go_);
        serve_and_clear(servers->service_);
        pthread_barrier_wait(&servers->done_);
        for (;;) pause();
    }

    Service& service_;
    std::vector<pthread_t> threads_;
    pthread_barrier_t warm_ = {};
    pthread_barrier_t go_ = {};
    pthread_barrier_t done_ = {};
};

int list() {
    for (const auto& scenario : kScenarios) std::puts(scenario.name);
    return 0;
}

int main_program(int argc, char** argv) {
    if (progs::option(argc, argv, "--list", 0) != 0) return list();
    static Truth truth;
    static Service service;
    service.seed = progs::option(argc, argv, "--seed", 1);
    service.requests = progs::option(argc, argv, "--requests", 300);
    service.pace_us = progs::option(argc, argv, "--pace-us", 20'000);
    progs::Random random(service.seed);
    const Setup setup{.truth = truth,
                      .random = random,
                      .requests = service.requests,
                      .library = text_option(argc, argv, "--library"),
                      .entry = text_option(argc, argv, "--entry"),
                      .file = text_option(argc, argv, "--file")};
    const char* name = text_option(argc, argv, "--scenario");
    const NamedScenario* chosen = nullptr;
    for (const auto& scenario : kScenarios) {
        if (std::strcmp(scenario.name, name) == 0) chosen = &scenario;
    }
    if (chosen == nullptr) progs::fail("no such --scenario; --list 1 lists them");
    // What it holds at all times is there when it is ready.
    warm_up(random);
    chosen->make(setup, service.scenario);
    warm_up(random);
    Servers servers(service);

    progs::Line("ready").send();
    progs::wait_for("go");
    servers.serve_all();
    truth.tell(service.requests);
    progs::wait_for("quit");
    const char* blocks = text_option(argc, argv, "--blocks");
    if (*blocks != '\0') truth.write_blocks(blocks);
    return 0;
}

}  // namespace
}  // namespace asrtrace::corpus

int main(int argc, char** argv) {
    return asrtrace::corpus::main_program(argc, argv);
}
