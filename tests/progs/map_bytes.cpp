// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Maps, unmaps, remaps and moves the break at random inside a playground of its own, with a model
// that knows which page is mapped: --seed N --operations N, and --replace 1 to let mmap and mremap
// replace what is mapped already.
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/progs/handshake.h"

namespace asrtrace::progs {
namespace {

constexpr std::size_t kPage = 4096;
constexpr std::size_t kPages = 4096;

struct Truth {
    std::uint64_t mmap_ok = 0, mmap_failed = 0, munmap_ok = 0, munmap_failed = 0;
    std::uint64_t mremap_ok = 0, mremap_failed = 0, brk_calls = 0, madvise_calls = 0;
    std::uint64_t mmap_bytes = 0, munmap_bytes = 0, replaced_bytes = 0;
    std::uint64_t mremap_grown_bytes = 0, mremap_shrunk_bytes = 0, mremap_moved_bytes = 0;
    std::uint64_t mremap_replaced_bytes = 0;
    std::uint64_t brk_grown_bytes = 0, brk_shrunk_bytes = 0;
    std::uint64_t unmapped_holes = 0;  ///< munmaps whose range was not mapped throughout
};

class Playground {
  public:
    Playground(std::uint64_t seed, bool replace, int file);
    void step();
    std::size_t mapped_pages() const;
    const Truth& truth() const { return truth_; }
    const unsigned char* base() const { return base_; }

  private:
    unsigned char* address(std::size_t page) const { return base_ + page * kPage; }
    std::size_t mapped_in(std::size_t page, std::size_t count) const;
    void set(std::size_t page, std::size_t count, std::uint32_t value);
    std::size_t run_at(std::size_t page) const;
    void map();
    void unmap();
    void remap_in_place();
    void remap_to();
    void fail_somehow();
    void move_break();
    void advise();

    Random random_;
    bool replace_;
    int file_;
    unsigned char* base_ = nullptr;
    std::uint32_t mapped_[kPages]{};  ///< 0, or the number of the call that put it there: one VMA
    std::uint32_t next_ = 1;
    std::uint64_t break_grown_ = 0;
    Truth truth_;
};

Playground::Playground(std::uint64_t seed, bool replace, int file)
    : random_(seed), replace_(replace), file_(file) {
    void* at = mmap(nullptr, kPages * kPage, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED || munmap(at, kPages * kPage) != 0) fail("no room to play");
    base_ = static_cast<unsigned char*>(at);
}

std::size_t Playground::mapped_in(std::size_t page, std::size_t count) const {
    std::size_t sum = 0;
    for (std::size_t i = page; i < page + count; ++i) sum += mapped_[i] != 0;
    return sum;
}

std::size_t Playground::mapped_pages() const {
    return mapped_in(0, kPages);
}

void Playground::set(std::size_t page, std::size_t count, std::uint32_t value) {
    for (std::size_t i = page; i < page + count; ++i) mapped_[i] = value;
}

/// Pages of the same mapping from `page` on: what mremap may take at once.
std::size_t Playground::run_at(std::size_t page) const {
    std::size_t end = page;
    while (end < kPages && mapped_[end] == mapped_[page]) ++end;
    return end - page;
}

void Playground::map() {
    const std::size_t count = random_.between(1, 64);
    const std::size_t page = random_.below(kPages - count);
    const std::size_t overlap = mapped_in(page, count);
    if (overlap != 0 && !replace_) return;
    const std::size_t bytes = count * kPage - random_.below(kPage);  // the kernel rounds it up
    const bool from_file = random_.below(4) == 0;
    // Every other protection, so that neighbours do not merge by accident only.
    const int protection = random_.below(2) == 0 ? PROT_READ : PROT_READ | PROT_WRITE;
    void* at =
        mmap(address(page), bytes, protection,
             MAP_PRIVATE | MAP_FIXED | (from_file ? 0 : MAP_ANONYMOUS), from_file ? file_ : -1, 0);
    if (at != address(page)) fail("mmap did not map where it must");
    ++truth_.mmap_ok;
    truth_.mmap_bytes += count * kPage;
    truth_.replaced_bytes += overlap * kPage;
    set(page, count, next_++);
}

void Playground::unmap() {
    const std::size_t count = random_.between(1, 96);
    const std::size_t page = random_.below(kPages - count);
    const std::size_t mapped = mapped_in(page, count);
    if (munmap(address(page), count * kPage - random_.below(kPage)) != 0) fail("munmap failed");
    ++truth_.munmap_ok;
    truth_.munmap_bytes += mapped * kPage;
    truth_.unmapped_holes += mapped != count;
    set(page, count, 0);
}

void Playground::remap_in_place() {
    const std::size_t page = random_.below(kPages);
    if (mapped_[page] == 0) return;
    const std::size_t old_count = run_at(page);
    const std::size_t new_count = random_.between(1, old_count + 8);
    if (page + new_count > kPages) return;
    void* at = mremap(address(page), old_count * kPage, new_count * kPage, 0);
    if (at == MAP_FAILED) {
        if (errno != ENOMEM || new_count <= old_count) fail("mremap in place failed");
        ++truth_.mremap_failed;
        return;
    }
    ++truth_.mremap_ok;
    if (new_count >= old_count) {
        truth_.mremap_grown_bytes += (new_count - old_count) * kPage;
        set(page, new_count, mapped_[page]);
    } else {
        truth_.mremap_shrunk_bytes += (old_count - new_count) * kPage;
        set(page + new_count, old_count - new_count, 0);
    }
}

void Playground::remap_to() {
    const std::size_t page = random_.below(kPages);
    if (mapped_[page] == 0) return;
    const std::size_t old_count = run_at(page);
    const std::size_t new_count = random_.between(1, old_count + 8);
    const std::size_t to = random_.below(kPages - new_count);
    if (to < page + old_count && page < to + new_count) return;
    const std::size_t overlap = mapped_in(to, new_count);
    if (overlap != 0 && !replace_) return;
    void* at = mremap(address(page), old_count * kPage, new_count * kPage,
                      MREMAP_MAYMOVE | MREMAP_FIXED, address(to));
    if (at != address(to)) fail("mremap did not move where it must");
    ++truth_.mremap_ok;
    truth_.mremap_moved_bytes += (old_count < new_count ? old_count : new_count) * kPage;
    truth_.mremap_replaced_bytes += overlap * kPage;
    if (new_count >= old_count) {
        truth_.mremap_grown_bytes += (new_count - old_count) * kPage;
    } else {
        truth_.mremap_shrunk_bytes += (old_count - new_count) * kPage;
    }
    set(page, old_count, 0);
    set(to, new_count, next_++);
}

void Playground::fail_somehow() {
    switch (random_.below(4)) {
        case 0:
            if (munmap(base_ + 1, kPage) == 0) fail("munmap of an odd address");
            ++truth_.munmap_failed;
            return;
        case 1:
            if (mmap(nullptr, kPage, PROT_READ, MAP_PRIVATE, -1, 0) != MAP_FAILED) fail("mmap -1");
            ++truth_.mmap_failed;
            return;
        case 2:
            if (mmap(nullptr, std::size_t{1} << 62, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1,
                     0) != MAP_FAILED) {
                fail("mmap of everything");
            }
            ++truth_.mmap_failed;
            return;
        default:
            if (mremap(base_ + 1, kPage, kPage, 0) != MAP_FAILED) fail("mremap of an odd address");
            ++truth_.mremap_failed;
    }
}

void Playground::move_break() {
    // brk() asks the kernel each time; sbrk(0) knows what brk() has left.
    auto* const now = static_cast<char*>(sbrk(0));
    const bool grow = break_grown_ == 0 || random_.below(2) == 0;
    const std::uint64_t bytes =
        grow ? random_.between(1, 64) * kPage : random_.between(1, break_grown_ / kPage) * kPage;
    if (brk(grow ? now + bytes : now - bytes) != 0) fail("brk refused");
    ++truth_.brk_calls;
    if (grow) {
        break_grown_ += bytes;
        truth_.brk_grown_bytes += bytes;
    } else {
        break_grown_ -= bytes;
        truth_.brk_shrunk_bytes += bytes;
    }
}

void Playground::advise() {
    const std::size_t page = random_.below(kPages);
    if (mapped_[page] == 0) return;
    // Only advice that leaves the VMA whole: mremap takes no two at once.
    const int advice = random_.below(2) == 0 ? MADV_DONTNEED : MADV_COLD;
    if (madvise(address(page), kPage, advice) != 0) fail("madvise failed");
    ++truth_.madvise_calls;
}

void Playground::step() {
    const std::uint64_t kind = random_.below(100);
    if (kind < 45) return map();
    if (kind < 65) return unmap();
    if (kind < 75) return remap_in_place();
    if (kind < 83) return remap_to();
    if (kind < 87) return fail_somehow();
    if (kind < 95) return move_break();
    advise();
}

void tell(const Playground& playground) {
    const Truth& truth = playground.truth();
    Line line("done");
    line.address("base", playground.base());
    line.number("mmap_ok", truth.mmap_ok).number("mmap_failed", truth.mmap_failed);
    line.number("munmap_ok", truth.munmap_ok).number("munmap_failed", truth.munmap_failed);
    line.number("mremap_ok", truth.mremap_ok).number("mremap_failed", truth.mremap_failed);
    line.number("brk_calls", truth.brk_calls).number("madvise_calls", truth.madvise_calls);
    line.number("mmap_bytes", truth.mmap_bytes).number("munmap_bytes", truth.munmap_bytes);
    line.number("replaced_bytes", truth.replaced_bytes);
    line.number("mremap_grown_bytes", truth.mremap_grown_bytes);
    line.number("mremap_shrunk_bytes", truth.mremap_shrunk_bytes);
    line.number("mremap_moved_bytes", truth.mremap_moved_bytes);
    line.number("mremap_replaced_bytes", truth.mremap_replaced_bytes);
    line.number("brk_grown_bytes", truth.brk_grown_bytes);
    line.number("brk_shrunk_bytes", truth.brk_shrunk_bytes);
    line.number("munmaps_over_holes", truth.unmapped_holes);
    line.number("mapped_at_end_bytes", playground.mapped_pages() * kPage);
    line.send();
}

int main_program(int argc, char** argv) {
    const std::uint64_t operations = option(argc, argv, "--operations", 4000);
    const int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    if (file < 0) fail("its own file cannot be opened");
    // Page-aligned from here on: the kernel counts whole pages.
    const auto at = reinterpret_cast<std::uintptr_t>(sbrk(0));
    const std::uintptr_t aligned = (at + kPage - 1) / kPage * kPage + kPage;
    if (brk(reinterpret_cast<void*>(aligned)) != 0) fail("brk refused");
    static Playground playground(option(argc, argv, "--seed", 1),
                                 option(argc, argv, "--replace", 0) != 0, file);

    Line("ready").send();
    wait_for("go");
    for (std::uint64_t i = 0; i < operations; ++i) playground.step();
    tell(playground);
    wait_for("quit");
    return 0;
}

}  // namespace
}  // namespace asrtrace::progs

int main(int argc, char** argv) {
    return asrtrace::progs::main_program(argc, argv);
}
