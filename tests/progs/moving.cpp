// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Loads, calls and unloads libraries as it is told: "open PATH", "allocate N" (blocks of 300 bytes,
// by the library), "close", "quit"; answers each with "ok".
#include <dlfcn.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

#include "tests/progs/handshake.h"

namespace asrtrace::progs {
namespace {

struct Command {
    char text[512] = {};
    const char* argument() const {
        const char* blank = std::strchr(text, ' ');
        return blank != nullptr ? blank + 1 : "";
    }
    bool is(const char* word) const { return std::strncmp(text, word, std::strlen(word)) == 0; }
};

/// By read(2): stdio would allocate.
Command next_command() {
    Command command;
    for (std::size_t i = 0; i + 1 < sizeof(command.text); ++i) {
        if (read(STDIN_FILENO, &command.text[i], 1) != 1) std::_Exit(3);
        if (command.text[i] != '\n') continue;
        command.text[i] = '\0';
        return command;
    }
    fail("a command too long");
}

int run() {
    void* library = nullptr;
    void (*allocate)(unsigned long) = nullptr;
    Line("ready").send();
    for (;;) {
        const Command command = next_command();
        if (command.is("quit")) return 0;
        if (command.is("open")) {
            library = dlopen(command.argument(), RTLD_NOW);
            if (library == nullptr) fail(dlerror());
            allocate = reinterpret_cast<void (*)(unsigned long)>(dlsym(library, "allocate"));
            if (allocate == nullptr) fail("the library has no allocate()");
        } else if (command.is("allocate")) {
            allocate(std::strtoul(command.argument(), nullptr, 10));
        } else if (command.is("close")) {
            dlclose(library);
        }
        Line("ok").address("base", reinterpret_cast<const void*>(allocate)).send();
    }
}

}  // namespace
}  // namespace asrtrace::progs

int main() {
    return asrtrace::progs::run();
}
