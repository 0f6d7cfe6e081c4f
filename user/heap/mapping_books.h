// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The books of what is not malloc's: every resident anonymous byte of a process outside of the
// heap belongs to a stack, to an image or to a mapping of its own.
//
// smaps says how much there is in all; where malloc or a stack shares a mapping with others, bytes
// are told apart by the page. What then differs from smaps (the process ran on between the two
// readings) is nobody's, and is not hidden in a class.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "user/base/smaps.h"
#include "user/heap/census.h"
#include "user/heap/roots.h"

namespace asrtrace::heap {

struct MappingBooks {
    std::uint64_t stack = 0;         ///< of all threads, also of those that have ended
    std::uint64_t stack_cached = 0;  ///< part of stack: glibc keeps it for the next thread
    std::uint64_t image = 0;         ///< private copies of file pages, .bss
    std::uint64_t anon_mapped = 0;   ///< everything else
    std::uint64_t anonymous = 0;     ///< smaps' sum over all mappings, malloc's too
};

/// Resident anonymous bytes of [begin, end).
using ResidentBytes = std::function<std::uint64_t(std::uint64_t begin, std::uint64_t end)>;

/// `ranges` and `threads` of the same process at about the same time, both sorted by address.
MappingBooks mapping_books(const std::vector<SmapsEntry>& smaps,
                           const std::vector<MallocRange>& ranges,
                           const std::vector<ThreadBlock>& threads, const ResidentBytes& resident);

}  // namespace asrtrace::heap
