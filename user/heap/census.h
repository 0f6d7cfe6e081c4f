// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The census: what one reading of a target's glibc heap from outside says. heap_reader.h takes it.
//
//   HeapReader::take() = find malloc -> snapshot (again until its invariants hold) -> figures
//
// The words are those of the project: in use = mallinfo2's uordblks + hblkhd, live = in use less
// tcaches, retained = resident bytes that the program has freed.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "user/base/size_class.h"
#include "user/heap/reach.h"
#include "user/heap/snapshot.h"
#include "user/heap/trim.h"

namespace asrtrace::heap {

struct CensusOptions {
    bool stop = false;   ///< hold all threads of the target while it is read: exact
    bool reach = false;  ///< also find the chunks that nothing points to
    unsigned attempts = 12;
    std::chrono::milliseconds time_limit{60000};
    /// What the reader may hold: chunk records and copies. 0: a quarter of MemAvailable.
    std::uint64_t memory_cap_bytes = 0;
    /// Entries of Reach::leaked and of weak, the largest first; all of them where sites are judged
    /// by them: a cut list says of what it leaves out that something points to it.
    std::size_t max_leaked = std::numeric_limits<std::size_t>::max();
};

struct CensusTotals {
    std::uint64_t in_use = 0;          ///< mallinfo2: uordblks + hblkhd
    std::uint64_t live = 0;            ///< in_use less tcache
    std::uint64_t free = 0;            ///< mallinfo2: fordblks (bins, fastbins and tops)
    std::uint64_t tcache = 0;          ///< chunks that threads keep; part of in_use
    std::uint64_t fastbin = 0;         ///< part of free
    std::uint64_t top = 0;             ///< part of free
    std::uint64_t mmapped_bytes = 0;   ///< hblkhd
    std::uint64_t mmapped_chunks = 0;  ///< hblks
    std::uint64_t system = 0;          ///< mallinfo2: arena; without mapped chunks
    std::uint64_t resident_free = 0;   ///< resident bytes of free, top, tcache, fastbins
    std::uint64_t releasable = 0;      ///< what malloc_trim(0) would give back
    std::uint64_t free_chunks = 0;     ///< mallinfo2: ordblks (bins, and a top an arena)
    std::uint64_t fastbin_chunks = 0;  ///< smblks
    std::uint64_t keepcost = 0;        ///< the main arena's top
    std::uint64_t live_chunks = 0;
    std::uint64_t mmap_threshold = 0;  ///< larger blocks are mapped; moves when they are freed
    std::uint64_t trim_threshold = 0;  ///< a larger top shrinks when a block is freed
    double pause_ms = 0;
};

struct HeapFigures {
    std::uint64_t address = 0;
    std::uint64_t size = 0;
    std::uint64_t resident_free = 0;
    std::uint64_t releasable = 0;
    Pin pin;
};

struct ArenaFigures {
    std::uint64_t id = 0;  ///< address of its malloc_state
    std::uint64_t size = 0;
    std::uint64_t in_use = 0;
    std::uint64_t resident_free = 0;
    std::uint64_t releasable = 0;
    Pin pin;  ///< of the heap that holds the top
    std::vector<HeapFigures> heaps;
};

/// Live chunks of sizes in (previous upper, upper].
struct SizeClass {
    std::uint64_t upper = 0;
    std::uint64_t chunks = 0;
    std::uint64_t bytes = 0;
};

/// Blocks from here on are mapped, unless the threshold has moved (malloc.c,
/// DEFAULT_MMAP_THRESHOLD_MIN).
constexpr std::uint64_t kLargeChunk = 128 << 10;

/// Resident anonymous bytes of malloc's memory; the first three add up to all of it.
struct HeapBooks {
    std::uint64_t live = 0;
    std::uint64_t retained = 0;
    std::uint64_t overhead = 0;
    std::uint64_t retained_top = 0;     ///< part of retained: tops of all arenas
    std::uint64_t retained_tcache = 0;  ///< part of retained: chunks that threads keep
    std::uint64_t retained_large = 0;   ///< part of retained: free chunks of kLargeChunk and more
};

/// Memory that belongs to malloc, in one mapping each, so that the books can class the rest: what
/// smaps calls Anonymous in a mapping, less `resident` of the ranges in it, is not malloc's.
struct MallocRange {
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
    SegmentKind kind = SegmentKind::kMain;
    std::uint64_t resident = 0;  ///< anonymous bytes; over all ranges the sum of HeapBooks
};

struct Census {
    CensusTotals totals;
    std::vector<ArenaFigures> arenas;  ///< main arena first
    std::vector<SizeClass> classes;    ///< ascending, without empty ones
    HeapBooks books;
    std::vector<MallocRange> ranges;  ///< by address
    std::optional<Reach> reach;
    std::string layout;          ///< versions whose layout was found
    std::string libc;            ///< path of the module that malloc lives in
    std::string note;            ///< what a reader must know, e.g. another allocator beside glibc's
    bool exact = false;          ///< the target stood still
    unsigned rejected = 0;       ///< readings that broke an invariant before this one
    std::string last_rejection;  ///< why the last of these was refused
    unsigned threads = 0;
    std::uint64_t tracer_bytes = 0;  ///< records and copies that were held
    double seconds = 0;
};

/// Why there is no census.
struct CensusFailure {
    enum class Kind : std::uint8_t { kEnvironment, kRejected };
    Kind kind = Kind::kEnvironment;
    std::string reason;
    unsigned rejected = 0;
};

struct CensusOutcome {
    std::optional<Census> census;
    CensusFailure failure;  ///< of meaning if there is no census
};

/// The figures of a snapshot: pure.
Census compute_census(const Snapshot& snapshot, std::uint64_t page_size);

/// Fills in who allocated the pins and the blocks that reachability lists. `stack_at` is asked for
/// each with its address as the program knows it: whoever follows allocations knows the stacks of
/// live blocks (kUnknownStack: not known). For a reading of before, ask what was alive then.
void add_stacks(Census& census, const std::function<StackId(std::uint64_t address)>& stack_at);

}  // namespace asrtrace::heap
