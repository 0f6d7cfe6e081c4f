// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// A module file of the attacker's choice, through everything that reads it: segments, sections,
// symbols, notes, placement, system calls. Seeds: small executables, the ones of tests/unit.
#include <algorithm>
#include <array>
#include <cstdlib>

#include "user/capture/allocator_probes.h"
#include "user/capture/call_sites.h"
#include "user/capture/usdt.h"

using namespace asrtrace::capture;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    // The input's front as code too: mutated ELF files seldom keep a symbol that leads to some.
    const asrtrace::Bytes input(data, std::min<std::size_t>(size, 512));
    const Placement place = place_in_code(input, 0x1000, {.arguments = 3, .return_probe = true});
    if (place.delta >= 64 || place.stack_bytes != 0) std::abort();

    static constexpr std::array<SyscallWish, 2> kWishes{{{0, 3}, {9, 6}}};
    for (const SyscallSite& site : find_syscall_sites(input, 0x1000, kWishes).sites)
        if (site.vaddr < 0x1000 + 2 + site.distance || site.vaddr >= 0x1000 + input.size())
            std::abort();

    const auto module = ElfModule::from_bytes({data, data + size}, "fuzz");
    if (!module) return 0;
    AllocatorProbes probes;
    add_module(*module, "/fuzz", nullptr, true, {}, probes);
    for (const AllocatorProbe& probe : probes.probes) {
        if (probe.symbol_file_offset >= size) std::abort();
        if (probe.placement.file_offset != probe.symbol_file_offset + probe.placement.delta)
            std::abort();
    }
    CallSites calls;
    add_mapping_calls(*module, "/fuzz", nullptr, calls);
    for (const CallSite& site : calls.sites)
        if (site.file_offset >= size) std::abort();
    for (const UsdtProbe& probe : read_usdt(*module))
        if (probe.file_offset >= size || probe.semaphore_file_offset >= size) std::abort();
    return 0;
}
