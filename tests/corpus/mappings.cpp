// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Growth outside of malloc's memory.
#include <alloca.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/corpus/part.h"
#include "tests/corpus/thread.h"

namespace asrtrace::corpus {
namespace {

class ThreadStacks : public Part {
  public:
    ThreadStacks(const Setup& setup, std::size_t bytes)
        : truth_(setup.truth), growth_(truth_.growth("stack", "", "")), bytes_(bytes) {}

    void request(Request&) override {
        constexpr std::size_t kRoomBytes = 64 << 10;
        work_in_new_thread([](void* part) { static_cast<ThreadStacks*>(part)->use_stack(); }, this,
                           bytes_ + kRoomBytes);
        // The page of its thread block, and the one of its first frames.
        truth_.add(growth_, bytes_, 2 * kPage);
    }

  private:
    static constexpr std::size_t kPage = 4096;

    void use_stack() const {
        void* frame = alloca(bytes_);
        touch(frame, bytes_);
        asm volatile("" : : "r"(frame) : "memory");
    }

    Truth& truth_;
    Growth* growth_;
    std::size_t bytes_;
};

class Mapped : public Part {
  public:
    Mapped(const Setup& setup, std::size_t bytes)
        : truth_(setup.truth),
          growth_(truth_.growth("mapped", "", "corpus_site_map")),
          bytes_(bytes),
          mappings_(setup.requests) {}

    void request(Request& request) override {
        mappings_[request.id - 1] = corpus_site_map(bytes_);
        truth_.add(growth_, bytes_);
    }

  private:
    Truth& truth_;
    Growth* growth_;
    std::size_t bytes_;
    std::vector<void*> mappings_;
};

/// Reads on in a memory of `bytes` a request; a file's or an anonymous one that nobody writes to.
class Reader : public Part {
  public:
    Reader(const Setup& setup, const void* memory, std::size_t bytes, Growth* growth)
        : truth_(setup.truth),
          growth_(growth),
          memory_(static_cast<const volatile unsigned char*>(memory)),
          bytes_(bytes) {}

    void request(Request& request) override {
        constexpr std::size_t kPage = 4096;
        const std::size_t end = request.id * bytes_;
        for (std::size_t at = end - bytes_; at < end; at += kPage) sum_ = sum_ + memory_[at];
        if (growth_ != nullptr) truth_.add(growth_, bytes_);
    }

  private:
    Truth& truth_;
    Growth* growth_;
    const volatile unsigned char* memory_;
    std::size_t bytes_;
    volatile unsigned sum_ = 0;
};

}  // namespace

std::unique_ptr<Part> thread_stacks(const Setup& setup, std::size_t bytes) {
    return std::make_unique<ThreadStacks>(setup, bytes);
}

std::unique_ptr<Part> mapped(const Setup& setup, std::size_t bytes) {
    return std::make_unique<Mapped>(setup, bytes);
}

std::unique_ptr<Part> file_read(const Setup& setup, std::size_t bytes) {
    const int fd = open(setup.file, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    const std::size_t length = setup.requests * bytes;
    if (fd < 0 || ftruncate(fd, static_cast<off_t>(length)) != 0) progs::fail("--file");
    void* memory = mmap(nullptr, length, PROT_READ, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED) progs::fail("--file cannot be mapped");
    close(fd);
    return std::make_unique<Reader>(setup, memory, bytes, setup.truth.growth("file", "", ""));
}

std::unique_ptr<Part> zero_page_read(const Setup& setup, std::size_t bytes) {
    const std::size_t length = setup.requests * bytes;
    static void* block = std::calloc(1, length);  // mapped, so that it is not written to
    setup.truth.keep(block, length, nullptr);
    return std::make_unique<Reader>(setup, block, bytes, nullptr);
}

}  // namespace asrtrace::corpus
