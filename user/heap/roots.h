// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Where pointers into the heap may stand outside the heap: data segments, thread-local storage,
// stacks from SP - 128 on, and mappings that are not malloc's. Left out: malloc's own state, the
// unused part of stacks, and stacks that glibc keeps of threads that have ended.
#pragma once

#include <vector>

#include "user/heap/snapshot.h"

namespace asrtrace::heap {

enum class RootKind : std::uint8_t { kData, kAnonymous, kStack, kKernel, kRegisters, kPassing };

struct RootRange {
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
    RootKind kind = RootKind::kData;
    std::uint64_t owner = 0;  ///< kStack: thread; others: index into maps
};

/// A thread control block and the stack that it sits on (nptl/descr.h, struct pthread).
struct ThreadBlock {
    std::uint64_t address = 0;
    std::uint64_t stack_begin = 0;  ///< 0: not known
    std::uint64_t stack_end = 0;
    bool alive = true;
};

std::vector<ThreadBlock> find_thread_blocks(TargetMemory& memory, const Snapshot& snapshot,
                                            const std::vector<ThreadState>& threads);

/// All ranges to be searched for pointers, data segments first, sorted within a kind.
std::vector<RootRange> find_roots(TargetMemory& memory, const Snapshot& snapshot,
                                  const std::vector<ThreadState>& threads);

}  // namespace asrtrace::heap
