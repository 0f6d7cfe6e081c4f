// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Tables that lie in the space, each once, however many processes and paths share it.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "user/unwind/cache.h"
#include "user/unwind/memory_shares.h"
#include "user/unwind/module.h"
#include "user/unwind/space.h"

namespace asrtrace::unwind {

/// A table at its place in the space.
struct PlacedTable {
    std::uint64_t text_begin = 0;
    std::uint64_t text_bytes = 0;
    Extent index;
    Extent rows;
};

/// One file as a target maps it.
struct Module {
    std::vector<LoadSegment> segments;
    std::shared_ptr<const PlacedTable> table;  ///< null: without a table
    /// The same for all who map this file. 0: none was left, or what it holds was generated.
    std::uint16_t number = 0;
    bool is_elf = true;
    bool from_cache = false;
    bool is_new_table = false;  ///< not one that another module had brought already
    std::uint64_t rows = 0;
    std::string problem;  ///< why there is no table, or what is wrong with it; empty: nothing
};

class TableStore {
  public:
    TableStore(BankProvider& provider, const TableCache* cache) : space_(provider), cache_(cache) {}

    /// Opens, reads and places a module's table. Safe to call from several threads, which together
    /// work on as much as one of them may.
    Module load(pid_t pid, const MapsEntry& entry);

    /// Frees tables that nobody uses since the call before last: a walk may still be reading one.
    void collect();

    Space& space() { return space_; }
    const TableCache* cache() const { return cache_; }

  private:
    void load_table(const ElfFile& file, Module& module);
    std::uint16_t number_of(const std::string& path, const std::string& build_id,
                            const FileVersion& version);
    std::shared_ptr<const PlacedTable> find(std::uint64_t identity);
    Result<std::shared_ptr<const PlacedTable>> place(std::uint64_t identity,
                                                     const UnwindTable& table);

    MemoryShares loading_;
    std::mutex mutex_;  // guards all below
    Space space_;
    std::map<std::uint64_t, std::shared_ptr<const PlacedTable>> tables_;
    std::map<std::uint64_t, std::uint16_t> numbers_;  ///< by digest; never given twice
    const TableCache* cache_;
    std::vector<Extent> retired_;
    std::uint64_t key_ = reinterpret_cast<std::uintptr_t>(this);
};

}  // namespace asrtrace::unwind
