// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Keeps the walker's tables in step with the processes that are traced:
//
//   maps of a process --> modules --> tables (shared by identity) --> Space (banks of chunks)
//                     \-> sorted mappings ------------------------/
//
// Tables of new modules are built in parallel, or read from the cache. What a process needs in the
// end is one record, which the owner of the BPF maps puts into `unwind_processes` under the tgid;
// all else is in place by then.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "bpf/unwind.h"
#include "user/base/maps.h"
#include "user/base/result.h"
#include "user/unwind/cache.h"
#include "user/unwind/space.h"

namespace asrtrace::unwind {

struct ModuleProblem {
    std::string path;
    std::string reason;
};

struct ProcessUpdate {
    unwind_process record{};              ///< value for unwind_processes[tgid]
    bool changed = false;                 ///< false: the record is the one given before
    std::uint32_t modules = 0;            ///< with tables, mapped now
    std::uint32_t tables_built = 0;       ///< by this update
    std::uint32_t tables_cached = 0;      ///< read from the cache by this update
    std::uint64_t rows_built = 0;         ///< in tables_built
    std::uint64_t jit_bytes = 0;          ///< executable memory without a file
    std::vector<ModuleProblem> problems;  ///< modules left without a table, or with damaged entries
};

class TargetTables {
  public:
    /// `cache` may be null; `threads` 0: as many as there are CPUs. Both references must outlive
    /// this.
    TargetTables(BankProvider& provider, const TableCache* cache, unsigned threads = 0);
    ~TargetTables();
    TargetTables(const TargetTables&) = delete;
    TargetTables& operator=(const TargetTables&) = delete;

    /// Takes in the maps of a process as they are now (call it at the attach and whenever
    /// executable memory was mapped or unmapped). Modules that cannot be used are listed, the rest
    /// goes on. Error: no room for the process's mappings.
    Result<ProcessUpdate> update(pid_t pid, const std::vector<MapsEntry>& maps);

    /// The process is gone; its record must have left unwind_processes.
    void forget(pid_t pid);

    std::uint64_t used_bytes() const;      ///< of rows, indexes and mappings
    std::uint64_t reserved_bytes() const;  ///< of banks: kernel memory

  private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace asrtrace::unwind
