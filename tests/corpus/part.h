// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// A scenario is a sum of parts; each does one thing in every request and counts it. Objects of
// parts are made before the program is ready and never freed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "tests/corpus/sites.h"
#include "tests/corpus/truth.h"
#include "tests/progs/handshake.h"

namespace asrtrace::corpus {

struct Request {
    std::uint64_t id;      ///< from 1
    std::uint64_t frames;  ///< the length of its input, the covariate of USDT
    unsigned thread;       ///< that works for it, from 0
    progs::Random& random;
};

class Part {
  public:
    Part() = default;
    Part(const Part&) = delete;
    Part& operator=(const Part&) = delete;
    virtual ~Part() = default;

    /// Called from several threads if the scenario has several.
    virtual void request(Request& request) = 0;
};

struct Scenario {
    std::vector<std::unique_ptr<Part>> parts;
    unsigned threads = 1;             ///< that serve requests at the same time
    unsigned background_blocks = 60;  ///< in each request
};

/// What the command line says, and a source of sizes.
struct Setup {
    Truth& truth;
    progs::Random& random;
    std::uint64_t requests;
    const char* library;  ///< path of a shared library with a leak, its function, a file to map
    const char* entry;
    const char* file;

    std::uint64_t between(std::uint64_t lo, std::uint64_t hi) const {
        return random.between(lo, hi);
    }
};

// leaks.cpp
std::unique_ptr<Part> leak(const Setup& setup, std::size_t bytes, unsigned every,
                           NamedSite site = kSite1);
std::unique_ptr<Part> leak_in_library(const Setup& setup, std::size_t bytes);
std::unique_ptr<Part> leak_aligned(const Setup& setup, std::size_t alignment, std::size_t bytes);
std::unique_ptr<Part> leak_in_thread(const Setup& setup, std::size_t bytes, unsigned thread);
/// Frees so much of the heap that a leak is fed from it; `bytes` resident and free.
void make_free_heap(const Setup& setup, std::size_t bytes);

// caches.cpp; all of them on kSite2
std::unique_ptr<Part> cache_of_newest(const Setup& setup, std::size_t bytes, std::size_t entries);
std::unique_ptr<Part> cache_of_slots(const Setup& setup, std::size_t bytes, std::size_t slots);
std::unique_ptr<Part> cache_by_length(const Setup& setup, std::size_t bytes);
std::unique_ptr<Part> cache_of_all(const Setup& setup, std::size_t bytes);
std::unique_ptr<Part> warmup(const Setup& setup, std::size_t bytes, unsigned requests);
std::unique_ptr<Part> churn(const Setup& setup, std::size_t slots, unsigned replaced);

// queues.cpp; on kSite2 as well
std::unique_ptr<Part> queue_that_grows(const Setup& setup, std::size_t bytes);
/// As many jobs are done as come, and none of those that come is done in the run.
std::unique_ptr<Part> queue_that_stays(const Setup& setup, std::size_t bytes, unsigned waiting);

// retentions.cpp
std::unique_ptr<Part> fragmentation(const Setup& setup, std::size_t span, unsigned moves);
std::unique_ptr<Part> top_kept(const Setup& setup, std::size_t bytes);
std::unique_ptr<Part> threshold_moved(const Setup& setup, std::size_t step);
std::unique_ptr<Part> many_arenas(const Setup& setup, std::size_t bytes, unsigned threads);
std::unique_ptr<Part> full_tcaches(const Setup& setup, unsigned threads);

// mappings.cpp
std::unique_ptr<Part> thread_stacks(const Setup& setup, std::size_t bytes);
std::unique_ptr<Part> mapped(const Setup& setup, std::size_t bytes);
std::unique_ptr<Part> file_read(const Setup& setup, std::size_t bytes);
std::unique_ptr<Part> zero_page_read(const Setup& setup, std::size_t bytes);

}  // namespace asrtrace::corpus
