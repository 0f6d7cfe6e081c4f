// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "tests/corpus/truth.h"

#include <fcntl.h>
#include <malloc.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>

#include "tests/progs/handshake.h"

namespace asrtrace::corpus {
namespace {

constexpr std::uint64_t kMask = ~std::uint64_t{0};

/// Of the chunk: its header, and of a mapped one (malloc.c IS_MMAPPED) the field that no neighbour
/// shares.
std::size_t chunk_bytes(void* block) {
    constexpr std::size_t kIsMapped = 2;
    const bool mapped = (static_cast<const std::size_t*>(block)[-1] & kIsMapped) != 0;
    return malloc_usable_size(block) + (mapped ? 2 : 1) * sizeof(std::size_t);
}

std::uint64_t masked(void* block) {
    return reinterpret_cast<std::uintptr_t>(block) ^ kMask;
}

class Locked {
  public:
    explicit Locked(pthread_mutex_t& mutex) : mutex_(mutex) { pthread_mutex_lock(&mutex_); }
    Locked(const Locked&) = delete;
    Locked& operator=(const Locked&) = delete;
    ~Locked() { pthread_mutex_unlock(&mutex_); }

  private:
    pthread_mutex_t& mutex_;
};

}  // namespace

Truth::Truth() {
    void* table = mmap(nullptr, kCapacity * sizeof(Entry), PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (table == MAP_FAILED) progs::fail("no memory for the table of blocks");
    entries_ = static_cast<Entry*>(table);
}

Growth* Truth::growth(const char* kind, const char* subkind, const char* site) {
    if (growth_count_ == kMaxGrowths) progs::fail("too many causes");
    Growth* out = &growths_[growth_count_++];
    *out = {.kind = kind, .subkind = subkind, .site = site};
    return out;
}

void Truth::enter(void* block, std::size_t asked, Growth* growth, bool lost) {
    if (block == nullptr) progs::fail("out of memory");
    const Locked lock(mutex_);
    if (used_ == kCapacity) progs::fail("too many blocks");
    entries_[used_++] = {masked(block), chunk_bytes(block) | (lost ? 1 : 0)};
    if (growth == nullptr) return;
    growth->blocks += 1;
    growth->bytes += asked;
    growth->chunk_bytes += chunk_bytes(block);
}

void Truth::keep(void* block, std::size_t asked, Growth* growth) {
    enter(block, asked, growth, false);
}

void Truth::lose(void* block, std::size_t asked, Growth* growth) {
    enter(block, asked, growth, true);
}

void Truth::drop(void* block, std::size_t asked, Growth* growth) {
    const Locked lock(mutex_);
    const std::uint64_t wanted = masked(block);
    // The newest come last and go first, mostly.
    std::size_t i = used_;
    while (i > 0 && entries_[i - 1].masked != wanted) --i;
    if (i == 0) progs::fail("an unknown block was dropped");
    entries_[i - 1] = entries_[--used_];
    if (growth == nullptr) return;
    growth->blocks -= 1;
    growth->bytes -= asked;
    growth->chunk_bytes -= chunk_bytes(block);
}

void Truth::add(Growth* growth, std::uint64_t bytes, std::uint64_t besides) {
    const Locked lock(mutex_);
    growth->blocks += 1;
    growth->bytes += bytes;
    growth->chunk_bytes += bytes + besides;
}

void Truth::tell(std::uint64_t requests) const {
    progs::Line line("done");
    line.number("requests", requests);
    line.open("growths");
    for (std::size_t i = 0; i < growth_count_; ++i) {
        const Growth& growth = growths_[i];
        const char name[2] = {static_cast<char>('0' + i), '\0'};
        line.open(name);
        line.text("kind", growth.kind).text("subkind", growth.subkind).text("site", growth.site);
        line.number("blocks", growth.blocks).number("bytes", growth.bytes);
        line.number("chunk_bytes", growth.chunk_bytes);
        line.close();
    }
    line.close();
    std::uint64_t leaked_blocks = 0;
    std::uint64_t leaked_bytes = 0;
    for (std::size_t i = 0; i < used_; ++i) {
        if ((entries_[i].chunk_bytes_and_lost & 1) == 0) continue;
        leaked_blocks += 1;
        leaked_bytes += entries_[i].chunk_bytes_and_lost - 1;
    }
    line.number("leaked_blocks", leaked_blocks).number("leaked_chunk_bytes", leaked_bytes);
    line.number("live_blocks", used_ - leaked_blocks);
    line.send();
}

void Truth::write_blocks(const char* path) const {
    const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0) progs::fail("cannot write the file of blocks");
    for (std::size_t i = 0; i < used_; ++i) {
        const std::uint64_t field = entries_[i].chunk_bytes_and_lost;
        const int length = dprintf(fd, "%s 0x%llx %llu\n", (field & 1) != 0 ? "leaked" : "live",
                                   static_cast<unsigned long long>(entries_[i].masked ^ kMask),
                                   static_cast<unsigned long long>(field & ~std::uint64_t{1}));
        if (length < 0) progs::fail("cannot write the file of blocks");
    }
    close(fd);
}

}  // namespace asrtrace::corpus
