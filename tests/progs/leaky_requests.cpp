// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// A server without a network: requests between two functions whose names are drawn at random, a
// leak of random size in one function, a bounded cache in another, buffers of the request's own in
// the rest. --seed N --requests N --pace-us N (pause between requests) --leak BYTES (0: drawn)
// --leaks N (such blocks a request) --worker 1 (a child serves, its parent waits) --inherited N
// (blocks from before the first request, of which each request frees its share)
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <utility>
#include <vector>

#include "tests/progs/handshake.h"

namespace asrtrace::progs {
namespace {

struct Entry {
    std::uint64_t key = 0;
    unsigned char* value = nullptr;
};

constexpr unsigned kCacheEntries = 16;
Entry cache[kCacheEntries];
volatile std::uint64_t answers = 0;

}  // namespace

// One variant of the functions a name: the tracer must find what it is told, not what it knows.
#define ASRTRACE_REQUEST_FUNCTIONS(name)                                                        \
    extern "C" __attribute__((noinline)) void name##_starts(std::uint64_t id) {                 \
        asm volatile("" ::"r"(id) : "memory");                                                  \
    }                                                                                           \
    extern "C" __attribute__((noinline)) void name##_ends(std::uint64_t id) {                   \
        asm volatile("" ::"r"(id) : "memory");                                                  \
    }                                                                                           \
    extern "C" __attribute__((noinline)) void name##_forgets(std::size_t bytes) {               \
        void* forgotten = std::malloc(bytes);                                                   \
        if (forgotten == nullptr) fail("out of memory");                                        \
        std::memset(forgotten, 1, bytes);                                                       \
        asm volatile("" ::"r"(forgotten) : "memory");                                           \
    }                                                                                           \
    extern "C"                                                                                  \
        __attribute__((noinline)) void name##_remembers(std::uint64_t key, std::size_t bytes) { \
        Entry& entry = cache[key % kCacheEntries];                                              \
        if (entry.value != nullptr && entry.key == key) return;                                 \
        std::free(entry.value);                                                                 \
        entry = {key, static_cast<unsigned char*>(std::calloc(1, bytes))};                      \
        asm volatile("" ::"r"(entry.value) : "memory");                                         \
    }

ASRTRACE_REQUEST_FUNCTIONS(order)
ASRTRACE_REQUEST_FUNCTIONS(parcel)
ASRTRACE_REQUEST_FUNCTIONS(telegram)
ASRTRACE_REQUEST_FUNCTIONS(voyage)

namespace {

struct Variant {
    const char* starts_name;
    const char* ends_name;
    const char* forgets_name;
    const char* remembers_name;
    void (*starts)(std::uint64_t);
    void (*ends)(std::uint64_t);
    void (*forgets)(std::size_t);
    void (*remembers)(std::uint64_t, std::size_t);
};

#define ASRTRACE_VARIANT(name)                                                                \
    {                                                                                         \
#name "_starts", #name "_ends", #name "_forgets", #name "_remembers", &name##_starts, \
            &name##_ends, &name##_forgets, &name##_remembers                                  \
    }

constexpr Variant kVariants[] = {ASRTRACE_VARIANT(order), ASRTRACE_VARIANT(parcel),
                                 ASRTRACE_VARIANT(telegram), ASRTRACE_VARIANT(voyage)};

/// What a request needs while it runs: a growing buffer, an aligned one, a handful of small ones.
__attribute__((noinline)) void answer(Random& random) {
    unsigned char* text = nullptr;
    std::size_t size = random.between(10, 100);
    for (unsigned i = 0; i < 6; ++i, size *= 2) {
        text = static_cast<unsigned char*>(std::realloc(text, size));
        text[size - 1] = static_cast<unsigned char>(i);
    }
    void* aligned = nullptr;
    if (posix_memalign(&aligned, 64, random.between(1000, 60'000)) != 0) fail("posix_memalign");
    std::memset(aligned, 0, 64);
    for (unsigned i = 0; i < 20; ++i) {
        void* small = std::malloc(random.between(1, 300));
        asm volatile("" ::"r"(small) : "memory");
        std::free(small);
    }
    answers = answers + text[size / 2 - 1];
    std::free(aligned);
    std::free(text);
}

struct Plan {
    std::uint64_t requests, pause_us, leak_bytes, leaks, cache_bytes;
};

void serve(const Variant& variant, const Plan& plan, Random& random, std::vector<void*> inherited) {
    const std::size_t dropped = inherited.size() / plan.requests;
    for (std::uint64_t id = 1; id <= plan.requests; ++id) {
        variant.starts(id);
        answer(random);
        variant.remembers(random.below(kCacheEntries), plan.cache_bytes);
        for (std::uint64_t i = 0; i < plan.leaks; ++i) variant.forgets(plan.leak_bytes);
        for (std::size_t i = 0; i < dropped; ++i) {
            std::free(inherited.back());
            inherited.pop_back();
        }
        answer(random);
        variant.ends(id);
        const timespec pause{0, static_cast<long>(plan.pause_us) * 1000};
        nanosleep(&pause, nullptr);
    }
    const std::uint64_t leak_bytes = plan.leak_bytes * plan.leaks;
    Line done("done");
    done.number("requests", plan.requests).text("leak_function", variant.forgets_name);
    done.number("leak_bytes_per_request", leak_bytes);
    done.number("leak_total_bytes", leak_bytes * plan.requests);
    done.text("cache_function", variant.remembers_name);
    done.number("cache_bytes", plan.cache_bytes * kCacheEntries);
    done.send();
    wait_for("quit");
}

int main_program(int argc, char** argv) {
    Random random(option(argc, argv, "--seed", 1));
    const Variant& variant = kVariants[random.below(sizeof(kVariants) / sizeof(kVariants[0]))];
    const std::uint64_t drawn = random.between(64, 9000);
    const Plan plan{.requests = option(argc, argv, "--requests", 200),
                    .pause_us = option(argc, argv, "--pace-us", 2000),
                    .leak_bytes = option(argc, argv, "--leak", drawn),
                    .leaks = option(argc, argv, "--leaks", 1),
                    .cache_bytes = random.between(500, 5000)};
    std::vector<void*> inherited(option(argc, argv, "--inherited", 0));
    for (void*& block : inherited) block = std::malloc(plan.leak_bytes);

    Line ready("ready");
    ready.text("begin", variant.starts_name).text("done", variant.ends_name);
    ready.send();
    wait_for("go");
    if (option(argc, argv, "--worker", 0) == 0) {
        serve(variant, plan, random, std::move(inherited));
        return 0;
    }
    const pid_t worker = fork();
    if (worker < 0) fail("no fork");
    if (worker == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);  // a test that died leaves nothing behind
        serve(variant, plan, random, std::move(inherited));
        _exit(0);
    }
    int status = 0;
    return waitpid(worker, &status, 0) == worker && status == 0 ? 0 : 1;
}

}  // namespace
}  // namespace asrtrace::progs

int main(int argc, char** argv) {
    return asrtrace::progs::main_program(argc, argv);
}
