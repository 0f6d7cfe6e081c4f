// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The target of the probe benchmark: for each line on stdin, runs that many malloc/free pairs of 64
// bytes in a tight loop and prints the nanoseconds a pair took.
#include <chrono>
#include <cstdio>
#include <cstdlib>

namespace {

double nanoseconds_per_pair(long pairs) {
    const auto begin = std::chrono::steady_clock::now();
    for (long i = 0; i < pairs; ++i) {
        void* volatile block = std::malloc(64);
        std::free(block);
    }
    const std::chrono::duration<double, std::nano> elapsed =
        std::chrono::steady_clock::now() - begin;
    return elapsed.count() / static_cast<double>(pairs);
}

}  // namespace

int main() {
    std::setvbuf(stdout, nullptr, _IONBF, 0);
    char line[64];
    while (std::fgets(line, sizeof(line), stdin) != nullptr) {
        std::printf("%.2f\n", nanoseconds_per_pair(std::strtol(line, nullptr, 10)));
    }
}
