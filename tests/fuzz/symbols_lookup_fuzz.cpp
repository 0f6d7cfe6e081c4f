// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Any bytes as an ELF file that the target maps: names of addresses all over it. Then the same
// bytes as a symbol, for the demanglers and the shortening of names.
#include <string>

#include "user/symbols/demangle.h"
#include "user/symbols/display_name.h"
#include "user/symbols/module.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using asrtrace::symbols::Module;
    Module module("fuzz", std::vector<std::uint8_t>(data, data + size));
    for (std::uint64_t offset = 0; offset <= size; offset += size / 64 + 1) {
        const auto vaddr = module.vaddr_of(offset);
        if (vaddr) (void)module.frames_at(*vaddr);
    }
    (void)module.frames_at(0);
    (void)module.source();
    (void)module.build_id();
    module.release();
    (void)module.frames_at(0x1000);

    const std::string text(reinterpret_cast<const char*>(data), size < 2048 ? size : 2048);
    (void)asrtrace::symbols::display_name(asrtrace::symbols::demangle(text));
    (void)asrtrace::symbols::display_name(text, 8);
    return 0;
}
