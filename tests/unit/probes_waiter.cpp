// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// A target that allocates a little, says so, and waits for its end of input. Its arguments are
// libraries to load first.
#include <dlfcn.h>
#include <unistd.h>

#include <cstdlib>

int main([[maybe_unused]] int argc, [[maybe_unused]] char** argv) {
    void* volatile block = std::malloc(64);
    block = std::realloc(block, 128);
    std::free(block);
    void* aligned = nullptr;
    if (posix_memalign(&aligned, 64, 64) != 0) return 1;
    std::free(aligned);
    std::free(std::calloc(1, 16));
#ifndef WAITER_STATIC
    for (int i = 1; i < argc; ++i)
        if (dlopen(argv[i], RTLD_NOW) == nullptr) return 2;
#endif
    char byte = 'r';
    if (write(STDOUT_FILENO, &byte, 1) != 1) return 3;
    return read(STDIN_FILENO, &byte, 1) < 0 ? 4 : 0;
}
