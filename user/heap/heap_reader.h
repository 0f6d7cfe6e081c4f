// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Takes censuses of one process, as many as are wanted, and answers questions about the last one.
//
//   HeapReader reader(pid);
//   CensusOutcome outcome = reader.take();          // every epoch
//   if (outcome.census) {
//       books: census->books and the rows of census->ranges, to be taken off smaps' mappings
//       growth by size: census->classes
//       reader.live_bytes_at(sampled addresses)     // which of them are alive still
//       reader.visit_live(...)                      // every live block
//   }
//
// What stays right between readings is kept: where malloc's state is, its layout, the room for
// chunk records (8 bytes a chunk). After an exec malloc is looked for anew. Nothing is written into
// the target, it is not stopped unless CensusOptions::stop asks for it, and no page of it is
// faulted in.
//
// One thread may use an object at a time; objects share nothing. take() sleeps between attempts:
// give it a thread of its own. How long it takes at most is CensusOptions::time_limit, how much it
// holds memory_cap_bytes.
#pragma once

#include <sys/types.h>

#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "user/heap/census.h"
#include "user/heap/process_memory.h"
#include "user/heap/roots.h"

namespace asrtrace::heap {

class HeapReader {
  public:
    /// Touches nothing yet.
    explicit HeapReader(pid_t pid, const CensusOptions& options = {})
        : pid_(pid), options_(options) {}

    /// One reading. Failure: kEnvironment if there is no such heap (no such process, no glibc,
    /// malloc not used yet, no permission), kRejected if no attempt was sound; `reason` says what,
    /// `rejected` how many attempts were refused, here and in Census::rejected. The threads of the
    /// target run on, or run again, whatever happens. May be called again after any failure.
    /// `asked` helps CensusOptions::reach to tell stale words from pointers: the allocator plane's
    /// live blocks.
    CensusOutcome take(std::span<const AskedSize> asked = {});

    // Questions about the reading that the last take() published; after one that failed, or
    // forget(), there is none and the answers are empty.

    bool has_reading() const { return has_reading_; }

    /// For each address, as the program knows it (what malloc returned): the bytes of the chunk if
    /// one that is in use begins there, 0 if not (freed, in a tcache or fastbin, or no chunk). The
    /// block may be another one that came to stand at the same place.
    std::vector<std::uint64_t> live_bytes_at(std::span<const std::uint64_t> addresses) const;

    /// Calls `visit(address, chunk bytes)` for every chunk in use, in the order of the addresses.
    /// glibc's own blocks (tcaches, thread-local storage of threads) are among them.
    void visit_live(
        const std::function<void(std::uint64_t address, std::uint64_t bytes)>& visit) const;

    /// Anonymous bytes of [begin, end) that were resident, in writable private mappings.
    std::uint64_t resident_bytes(std::uint64_t begin, std::uint64_t end) const {
        return snapshot_.residency.anonymous_bytes(begin, end);
    }

    /// Stacks of the target's threads, and those that glibc keeps of threads that have ended
    /// (alive == false). The main thread's is not among them: it is the mapping [stack].
    std::vector<ThreadBlock> thread_stacks();

    /// Gives the records' memory back until the next reading.
    void forget();

  private:
    class Taking;

    pid_t pid_;
    CensusOptions options_;
    // Kept from reading to reading.
    std::unique_ptr<ProcessMemory> memory_;
    MallocLocation location_;
    MapsEntry home_;  ///< mapping that main_arena lies in
    std::string note_;
    // The last reading.
    Snapshot snapshot_;
    bool has_reading_ = false;
};

}  // namespace asrtrace::heap
