// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Epochs on their way into the trace. Too many of them, or too many rows, and the two neighbours
// that stand for the fewest of the ledger's epochs become one, the oldest first: the resolution
// stays even over the whole window, and each new epoch costs at most a few merges.
#pragma once

#include <cstdint>
#include <vector>

#include "user/ledger/recording.h"
#include "user/trace/blocks.h"
#include "user/trace/database.h"
#include "user/trace/rows.h"

namespace asrtrace::trace {

/// One epoch out of two neighbours: flows add up, levels keep the later.
std::vector<ledger::SiteEpoch> merge_sites(const std::vector<ledger::SiteEpoch>& earlier,
                                           const std::vector<ledger::SiteEpoch>& later);

/// Puts what followed children hold into its site of these, which are sorted; false if it is not
/// among them.
bool set_followed(std::vector<ledger::SiteEpoch>& sites, const FollowedRow& row);

class EpochStore {
  public:
    EpochStore(std::size_t max_epochs, std::size_t max_rows)
        : max_epochs_(max_epochs), max_rows_(max_rows) {}
    void write(Database& database, Blocks& blocks, const std::vector<ledger::EpochRecord>& records);

  private:
    struct Entry {
        std::uint64_t id = 0;
        ledger::Epoch epoch;
        std::uint64_t merged = 1;
        std::size_t rows = 0;
    };
    bool too_much() const;
    void insert(Database& database, Blocks& blocks, const Entry& entry,
                const std::vector<ledger::SiteEpoch>& sites) const;
    void merge_pair(Database& database, Blocks& blocks);

    std::size_t max_epochs_, max_rows_;
    std::vector<Entry> entries_;
    std::size_t rows_ = 0;
    std::uint64_t next_id_ = 0;
};

}  // namespace asrtrace::trace
