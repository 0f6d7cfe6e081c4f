// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The target of the probe benchmarks: for each line on stdin, runs that many malloc/free pairs and
// prints the nanoseconds of CPU time that a pair took: others on the machine take wall-clock time,
// too. Pairs of 64 bytes in a tight loop; with an argument so many threads, each with pairs of
// mixed sizes of which 64 blocks live at a time.
//   malloc_pairs [THREADS]
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <thread>
#include <vector>

namespace {

void pairs_of_one_size(long pairs) {
    for (long i = 0; i < pairs; ++i) {
        void* volatile block = std::malloc(64);
        std::free(block);
    }
}

void pairs_of_mixed_sizes(long pairs, std::uint32_t seed) {
    std::array<void*, 64> blocks{};
    for (long i = 0; i < pairs; ++i) {
        seed = seed * 1664525 + 1013904223;
        void*& block = blocks[static_cast<std::size_t>(i) % blocks.size()];
        std::free(block);
        block = std::malloc(16 + (seed >> 16) % (seed >> 31 != 0 ? 256 : 8192));
    }
    for (void* block : blocks) std::free(block);
}

double cpu_nanoseconds() {
    timespec now{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
}

double nanoseconds_per_pair(long pairs, unsigned threads) {
    const double begin = cpu_nanoseconds();
    if (threads == 0) {
        pairs_of_one_size(pairs);
        return (cpu_nanoseconds() - begin) / static_cast<double>(pairs);
    }
    std::vector<std::jthread> running;
    for (unsigned i = 0; i < threads; ++i) running.emplace_back(pairs_of_mixed_sizes, pairs, i + 1);
    running.clear();
    return (cpu_nanoseconds() - begin) / static_cast<double>(pairs * threads);
}

}  // namespace

int main(int argc, char** argv) {
    const auto threads = argc > 1 ? static_cast<unsigned>(std::strtoul(argv[1], nullptr, 10)) : 0U;
    std::setvbuf(stdout, nullptr, _IONBF, 0);
    char line[64];
    while (std::fgets(line, sizeof(line), stdin) != nullptr) {
        std::printf("%.2f\n", nanoseconds_per_pair(std::strtol(line, nullptr, 10), threads));
    }
}
