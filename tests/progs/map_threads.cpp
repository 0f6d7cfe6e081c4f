// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Threads that map, move and unmap as fast as they can, so that the kernel hands the addresses of
// one to another: --threads N --rounds N --seed N. Or --raw-mib N: that much is mapped by libc's
// syscall(), which no probe behind mmap sees, and stays.
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <thread>
#include <vector>

#include "tests/progs/handshake.h"

namespace asrtrace::progs {
namespace {

constexpr std::uint64_t kPage = 4096;

struct Truth {
    std::uint64_t mmaps = 0, munmaps = 0, mremaps = 0;
    std::uint64_t mapped_bytes = 0, unmapped_bytes = 0;
};

struct Mapping {
    char* address;
    std::uint64_t bytes;
};

Mapping map(Random& random, Truth& truth) {
    const std::uint64_t bytes = random.between(1, 16) * kPage;
    void* at = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED) fail("mmap failed");
    ++truth.mmaps;
    truth.mapped_bytes += bytes;
    return {static_cast<char*>(at), bytes};
}

void resize(Mapping& mapping, Random& random, Truth& truth) {
    const std::uint64_t bytes = random.between(1, 24) * kPage;
    void* at = mremap(mapping.address, mapping.bytes, bytes, MREMAP_MAYMOVE);
    if (at == MAP_FAILED) fail("mremap failed");
    ++truth.mremaps;
    if (bytes > mapping.bytes) truth.mapped_bytes += bytes - mapping.bytes;
    if (bytes < mapping.bytes) truth.unmapped_bytes += mapping.bytes - bytes;
    mapping = {static_cast<char*>(at), bytes};
}

void unmap(const Mapping& mapping, Random& random, Truth& truth) {
    const std::uint64_t first = random.below(mapping.bytes / kPage) * kPage;
    if (first != 0 && munmap(mapping.address, first) != 0) fail("munmap failed");
    if (munmap(mapping.address + first, mapping.bytes - first) != 0) fail("munmap failed");
    truth.munmaps += first != 0 ? 2 : 1;
    truth.unmapped_bytes += mapping.bytes;
}

/// Every eighth mapping stays until the next one.
void play(std::uint64_t seed, std::uint64_t rounds, Truth& truth) {
    Random random(seed);
    Mapping kept = map(random, truth);
    for (std::uint64_t i = 0; i < rounds; ++i) {
        Mapping mapping = map(random, truth);
        if (random.below(4) == 0) resize(mapping, random, truth);
        if (random.below(8) == 0) std::swap(kept, mapping);
        unmap(mapping, random, truth);
    }
}

void tell(const std::vector<Truth>& truths) {
    Truth sum;
    for (const Truth& truth : truths) {
        sum.mmaps += truth.mmaps;
        sum.munmaps += truth.munmaps;
        sum.mremaps += truth.mremaps;
        sum.mapped_bytes += truth.mapped_bytes;
        sum.unmapped_bytes += truth.unmapped_bytes;
    }
    Line line("done");
    line.number("mmaps", sum.mmaps).number("munmaps", sum.munmaps).number("mremaps", sum.mremaps);
    line.number("mapped_bytes", sum.mapped_bytes).number("unmapped_bytes", sum.unmapped_bytes);
    line.send();
}

void map_raw(std::uint64_t bytes) {
    const long at = syscall(SYS_mmap, nullptr, bytes, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS, -1, 0L);
    if (at == -1) fail("the raw mmap failed");
}

int main_program(int argc, char** argv) {
    const std::uint64_t rounds = option(argc, argv, "--rounds", 5000);
    const std::uint64_t seed = option(argc, argv, "--seed", 1);
    const std::uint64_t raw_mib = option(argc, argv, "--raw-mib", 0);
    std::vector<Truth> truths(option(argc, argv, "--threads", 4));
    std::atomic<bool> go = false, quit = false;
    std::atomic<std::size_t> done = 0;
    // Born before anybody looks, gone after: their stacks are no part of the sums.
    std::vector<std::jthread> threads;
    for (std::size_t i = 0; i < truths.size(); ++i)
        threads.emplace_back([&, i] {
            go.wait(false);
            play(seed + i, rounds, truths[i]);
            ++done;
            done.notify_one();
            quit.wait(false);
        });

    Line("ready").send();
    wait_for("go");
    go = true;
    go.notify_all();
    for (std::size_t ended = 0; ended < truths.size(); ended = done) done.wait(ended);
    if (raw_mib != 0) map_raw(raw_mib << 20);
    tell(truths);
    wait_for("quit");
    quit = true;
    quit.notify_all();
    return 0;
}

}  // namespace
}  // namespace asrtrace::progs

int main(int argc, char** argv) {
    return asrtrace::progs::main_program(argc, argv);
}
