// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Heaps made by hand, byte for byte as each glibc lays them out: the versions that this machine
// does not have. One main arena with tcache, bins and (where there are any) fastbins, a second
// arena in a heap of its own, plain and aligned mapped chunks, one chunk that nothing points to.
#pragma once

#include <vector>

#include "user/heap/image.h"
#include "user/heap/layout.h"

namespace asrtrace::heap {

struct BuiltHeap {
    ImageMemory image;
    // What a census must say.
    std::uint64_t system = 0, top = 0, in_bins = 0, fastbin = 0, tcache = 0;
    std::uint64_t mapped_bytes = 0, mapped_chunks = 0;
    std::uint64_t leaked_address = 0, leaked_bytes = 0;
    // Places to damage.
    std::uint64_t main_arena = 0, main_first = 0, free_chunk = 0, heap_info = 0, parameters = 0;
    std::vector<std::uint64_t> chunks;  ///< of the main arena
};

void build_heap(const Layout& layout, BuiltHeap& out);

}  // namespace asrtrace::heap
