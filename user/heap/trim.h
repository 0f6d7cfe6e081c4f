// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// What malloc_trim(0) would give back and what keeps the rest (glibc 2.31 to 2.43, malloc.c mtrim
// and systrim): fastbins are consolidated, then the whole pages inside every free run of all arenas
// go, and the main arena's top if it ends at the break. Tops of other arenas and tcaches never do.
#pragma once

#include <cstdint>

#include "user/base/ids.h"
#include "user/heap/snapshot.h"

namespace asrtrace::heap {

/// The last chunk in use below the top: what keeps a heap from shrinking. address 0: none.
struct Pin {
    std::uint64_t address = 0;      ///< as the program knows it (chunk + 16)
    std::uint64_t bytes = 0;        ///< of the chunk
    bool in_tcache = false;         ///< freed by the program, held by a thread's cache
    StackId stack = kUnknownStack;  ///< that allocated it; set by add_stacks (census.h)
};

/// Resident bytes that trim would release from one segment of an arena.
std::uint64_t releasable_bytes(const Snapshot& snapshot, const Segment& segment,
                               std::uint64_t page_size);

Pin find_pin(const Snapshot& snapshot, const Segment& segment);

}  // namespace asrtrace::heap
