// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The target of the probe benchmark: for each line on stdin, runs that many malloc/free pairs of 64
// bytes in a tight loop and prints the nanoseconds of CPU time that a pair took: others on the
// machine take wall-clock time, too.
#include <cstdio>
#include <cstdlib>
#include <ctime>

namespace {

double cpu_nanoseconds() {
    timespec now{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
}

double nanoseconds_per_pair(long pairs) {
    const double begin = cpu_nanoseconds();
    for (long i = 0; i < pairs; ++i) {
        void* volatile block = std::malloc(64);
        std::free(block);
    }
    return (cpu_nanoseconds() - begin) / static_cast<double>(pairs);
}

}  // namespace

int main() {
    std::setvbuf(stdout, nullptr, _IONBF, 0);
    char line[64];
    while (std::fgets(line, sizeof(line), stdin) != nullptr) {
        std::printf("%.2f\n", nanoseconds_per_pair(std::strtol(line, nullptr, 10)));
    }
}
