// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Does nothing until told to quit; --allocate N mallocs as many blocks of 100 bytes on "go". Built
// once dynamically, once statically, once statically without symbols.
#include <cstdlib>

#include "tests/progs/handshake.h"

int main(int argc, char** argv) {
    using namespace asrtrace::progs;
    const std::uint64_t blocks = option(argc, argv, "--allocate", 0);
    Line("ready").send();
    wait_for("go");
    for (std::uint64_t i = 0; i < blocks; ++i) {
        void* block = std::malloc(100);
        asm volatile("" ::"r"(block) : "memory");
    }
    Line done("done");
    done.number("blocks", blocks).number("bytes", blocks * 100);
    done.send();
    wait_for("quit");
    return 0;
}
