// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// A server without a network: requests between two functions whose names are drawn at random, a
// leak of random size in one function, a bounded cache in another, buffers of the request's own in
// the rest. --seed N --requests N --pace-us N (pause between requests) --leak BYTES --leaks N
// (blocks of them a request)
#include <time.h>

#include <cstdlib>
#include <cstring>

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

int main_program(int argc, char** argv) {
    Random random(option(argc, argv, "--seed", 1));
    const Variant& variant = kVariants[random.below(sizeof(kVariants) / sizeof(kVariants[0]))];
    const std::uint64_t requests = option(argc, argv, "--requests", 200);
    const std::uint64_t pause_us = option(argc, argv, "--pace-us", 2000);
    const std::uint64_t drawn = random.between(64, 9000);
    const std::uint64_t leak_bytes = option(argc, argv, "--leak", drawn);
    const std::uint64_t leaks = option(argc, argv, "--leaks", 1);
    const std::uint64_t cache_bytes = random.between(500, 5000);

    Line ready("ready");
    ready.text("begin", variant.starts_name).text("done", variant.ends_name);
    ready.send();
    wait_for("go");
    for (std::uint64_t id = 1; id <= requests; ++id) {
        variant.starts(id);
        answer(random);
        variant.remembers(random.below(kCacheEntries), cache_bytes);
        for (std::uint64_t i = 0; i < leaks; ++i) variant.forgets(leak_bytes);
        answer(random);
        variant.ends(id);
        const timespec pause{0, static_cast<long>(pause_us) * 1000};
        nanosleep(&pause, nullptr);
    }
    Line done("done");
    done.number("requests", requests).text("leak_function", variant.forgets_name);
    done.number("leak_bytes_per_request", leak_bytes * leaks);
    done.number("leak_total_bytes", leak_bytes * leaks * requests);
    done.text("cache_function", variant.remembers_name);
    done.number("cache_bytes", cache_bytes * kCacheEntries);
    done.send();
    wait_for("quit");
    return 0;
}

}  // namespace
}  // namespace asrtrace::progs

int main(int argc, char** argv) {
    return asrtrace::progs::main_program(argc, argv);
}
