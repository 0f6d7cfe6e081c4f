// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include <dlfcn.h>
#include <sys/mman.h>

#include <algorithm>

#include "tests/corpus/part.h"

namespace asrtrace::corpus {
namespace {

class Leak : public Part {
  public:
    Leak(const Setup& setup, std::size_t bytes, unsigned every, NamedSite site)
        : truth_(setup.truth),
          growth_(truth_.growth("leak", "", site.name)),
          site_(site.site),
          bytes_(bytes),
          every_(every),
          phase_(setup.random.below(every)) {}

    void request(Request& request) override {
        if (request.id % every_ == phase_) truth_.lose(site_(bytes_), bytes_, growth_);
    }

  private:
    Truth& truth_;
    Growth* growth_;
    Site site_;
    std::size_t bytes_;
    unsigned every_;
    std::uint64_t phase_;
};

class AlignedLeak : public Part {
  public:
    AlignedLeak(const Setup& setup, std::size_t alignment, std::size_t bytes)
        : truth_(setup.truth),
          growth_(truth_.growth("leak", "", "corpus_site_aligned")),
          alignment_(alignment),
          bytes_(bytes) {}

    void request(Request&) override {
        truth_.lose(corpus_site_aligned(alignment_, bytes_), bytes_, growth_);
    }

  private:
    Truth& truth_;
    Growth* growth_;
    std::size_t alignment_;
    std::size_t bytes_;
};

/// Only what one of the threads serves is lost.
class ThreadLeak : public Part {
  public:
    ThreadLeak(const Setup& setup, std::size_t bytes, unsigned thread)
        : truth_(setup.truth),
          growth_(truth_.growth("leak", "", kSite1.name)),
          bytes_(bytes),
          thread_(thread) {}

    void request(Request& request) override {
        if (request.thread == thread_) truth_.lose(kSite1.site(bytes_), bytes_, growth_);
    }

  private:
    Truth& truth_;
    Growth* growth_;
    std::size_t bytes_;
    unsigned thread_;
};

}  // namespace

std::unique_ptr<Part> leak(const Setup& setup, std::size_t bytes, unsigned every, NamedSite site) {
    return std::make_unique<Leak>(setup, bytes, every, site);
}

std::unique_ptr<Part> leak_in_library(const Setup& setup, std::size_t bytes) {
    void* library = dlopen(setup.library, RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) progs::fail("--library cannot be opened");
    void* entry = dlsym(library, setup.entry);
    if (entry == nullptr) progs::fail("--library has no function --entry");
    return leak(setup, bytes, 1, {reinterpret_cast<Site>(entry), setup.entry});
}

std::unique_ptr<Part> leak_aligned(const Setup& setup, std::size_t alignment, std::size_t bytes) {
    return std::make_unique<AlignedLeak>(setup, alignment, bytes);
}

std::unique_ptr<Part> leak_in_thread(const Setup& setup, std::size_t bytes, unsigned thread) {
    return std::make_unique<ThreadLeak>(setup, bytes, thread);
}

void make_free_heap(const Setup& setup, std::size_t bytes) {
    constexpr std::size_t kLeast = 3000;  // more than a tcache takes
    constexpr std::size_t kMost = 9000;
    const std::size_t capacity = bytes / kLeast + 1;
    // Not in the heap that it is to fill.
    auto** blocks =
        static_cast<void**>(mmap(nullptr, capacity * sizeof(void*), PROT_READ | PROT_WRITE,
                                 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    if (blocks == MAP_FAILED) progs::fail("out of memory");
    std::size_t count = 0;
    void* highest = nullptr;
    for (std::size_t sum = 0; sum < bytes; ++count) {
        const std::size_t size = setup.between(kLeast, kMost);
        blocks[count] = kSite3.site(size);
        highest = std::max(highest, blocks[count]);
        sum += size;
    }
    // One that lies on top stays, so that the rest cannot go back to the kernel. The first ones may
    // fill holes further down.
    static void** pin = nullptr;
    do {
        auto** next = static_cast<void**>(kSite3.site(kLeast));
        setup.truth.keep(next, kLeast, nullptr);
        *next = pin;
        pin = next;
    } while (pin < highest);
    while (count > 0) std::free(blocks[--count]);
    munmap(blocks, capacity * sizeof(void*));
}

}  // namespace asrtrace::corpus
