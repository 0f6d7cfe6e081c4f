// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Raw events in the trace: records of the ring as they came (bpf/event.h), packed into blocks of
// which each is a zlib stream of its own, and the stacks that they name by the kernel's key.
//
//   record --add--> [length u16][record] ... --close--> RawRow{zlib} --unpack--> record
//
// A stream ends in an Adler-32 of its contents: that is a block's checksum.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "user/base/bytes.h"
#include "user/ledger/recording.h"
#include "user/trace/database.h"

namespace asrtrace::trace {

/// A block is closed when it holds that much, before compression.
constexpr std::size_t kRawBlockBytes = 256 << 10;

struct RawRow {
    static constexpr const char* kTable = "raw_events";
    std::uint64_t sequence = 0;
    std::uint64_t events = 0;
    std::uint64_t size = 0;  ///< before compression
    Blob data;
    template <typename Self, typename Visitor>
    static void columns(Self& r, Visitor& v) {
        v(r.sequence), v(r.events), v(r.size), v(r.data);
    }
};

struct RawStackRow {
    static constexpr const char* kTable = "raw_stacks";
    std::uint64_t stack = 0;
    std::uint64_t key = 0;
    template <typename Self, typename Visitor>
    static void columns(Self& r, Visitor& v) {
        v(r.stack), v(r.key);
    }
};

class RawPacker {
  public:
    /// Keeps blocks until they measure `max_bytes`, compressed; from then on counts only.
    RawPacker(std::uint64_t max_bytes, std::uint64_t start_ns)
        : max_bytes_(max_bytes), totals_{.start_ns = start_ns} {}

    void add(Bytes record);
    /// What there is since the last call, as blocks.
    std::vector<RawRow> take();
    /// Nothing more is kept.
    void stop() { max_bytes_ = 0; }
    const ledger::RawEvents& totals() const { return totals_; }

  private:
    void close();

    std::uint64_t max_bytes_;
    std::uint64_t packed_bytes_ = 0;
    std::uint64_t next_sequence_ = 0;
    std::string open_;
    std::uint64_t open_events_ = 0;
    std::vector<RawRow> closed_;
    ledger::RawEvents totals_;
};

/// Calls `use` with each record of a block; false, and no call, if the block is damaged.
bool unpack(const RawRow& row, const std::function<void(Bytes)>& use);

}  // namespace asrtrace::trace
