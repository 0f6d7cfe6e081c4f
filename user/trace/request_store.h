// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Requests on their way into the trace. Beyond the limit the oldest block of rows goes; how long
// its requests took is kept as a distribution.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "user/ledger/recording.h"
#include "user/trace/blocks.h"
#include "user/trace/database.h"

namespace asrtrace::trace {

/// `latency_ns` rounded to the middle of its bucket: 64 buckets to a power of two, so that it is
/// off by 1/128 at most (the layout of HdrHistogram).
std::uint64_t latency_bucket_ns(std::uint64_t latency_ns);

class RequestStore {
  public:
    explicit RequestStore(std::size_t max_rows) : max_rows_(max_rows) {}
    void write(Database& database, Blocks& blocks, const std::vector<ledger::Request>& requests);
    std::uint64_t dropped() const { return dropped_; }

  private:
    void drop_oldest_block(Database& database, Blocks& blocks);
    void write_latencies(Database& database, Blocks& blocks) const;

    std::size_t max_rows_;
    std::uint64_t next_sequence_ = 0;
    std::uint64_t dropped_ = 0;  ///< also the first sequence that is left
    std::map<std::uint64_t, std::uint64_t> latencies_;
};

}  // namespace asrtrace::trace
