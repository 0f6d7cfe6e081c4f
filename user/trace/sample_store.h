// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// procfs samples on their way into the trace; beyond the limit every second one goes, never the
// first or the last.
#pragma once

#include <cstdint>
#include <vector>

#include "user/ledger/recording.h"
#include "user/trace/blocks.h"
#include "user/trace/database.h"

namespace asrtrace::trace {

class SampleStore {
  public:
    explicit SampleStore(std::size_t max_rows) : max_rows_(max_rows) {}
    void write(Database& database, Blocks& blocks, const std::vector<ledger::ProcSample>& samples);

  private:
    void append(Database& database, Blocks& blocks, const std::vector<ledger::ProcSample>& samples);
    void thin(Database& database, Blocks& blocks);

    std::size_t max_rows_;
    std::uint64_t next_sequence_ = 0;
};

}  // namespace asrtrace::trace
