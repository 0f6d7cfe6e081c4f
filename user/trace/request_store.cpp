// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/trace/request_store.h"

#include <algorithm>
#include <bit>

#include "user/trace/format.h"
#include "user/trace/rows.h"

namespace asrtrace::trace {

std::uint64_t latency_bucket_ns(std::uint64_t latency_ns) {
    constexpr int kKeptBits = 7;
    const int shift = static_cast<int>(std::bit_width(latency_ns)) - kKeptBits;
    if (shift <= 0) return latency_ns;
    return (latency_ns >> shift << shift) + (std::uint64_t{1} << (shift - 1));
}

void RequestStore::write(Database& database, Blocks& blocks,
                         const std::vector<ledger::Request>& requests) {
    if (requests.empty()) return;
    auto insert = database.prepare(insert_statement<RequestRow>());
    for (const auto& request : requests) {
        const RequestRow row{next_sequence_++, request};
        bind_row(insert, row);
        blocks.add({RequestRow::kTable, row.sequence / kBlockRows}, digest_row(row));
    }
    if (next_sequence_ - dropped_ <= max_rows_) return;
    while (next_sequence_ - dropped_ > std::max<std::size_t>(max_rows_, kBlockRows))
        drop_oldest_block(database, blocks);
    write_latencies(database, blocks);
}

void RequestStore::drop_oldest_block(Database& database, Blocks& blocks) {
    const std::uint64_t end = dropped_ + kBlockRows;
    auto select = database.prepare("SELECT * FROM requests WHERE sequence < ?");
    select.bind(1, to_integer(end));
    while (select.step()) {
        const auto request = read_row<RequestRow>(select).request;
        const auto latency = request.end_ns - std::min(request.begin_ns, request.end_ns);
        ++latencies_[latency_bucket_ns(latency)];
    }
    auto remove = database.prepare("DELETE FROM requests WHERE sequence < ?");
    remove.bind(1, to_integer(end));
    remove.run();
    blocks.erase({RequestRow::kTable, dropped_ / kBlockRows});
    dropped_ = end;
}

void RequestStore::write_latencies(Database& database, Blocks& blocks) const {
    const BlockKey block{LatencyRow::kTable, 0};
    database.prepare("DELETE FROM dropped_latencies").run();
    blocks.erase(block);
    auto insert = database.prepare(insert_statement<LatencyRow>());
    for (const auto& [latency_ns, count] : latencies_) {
        const LatencyRow row{{latency_ns, count}};
        bind_row(insert, row);
        blocks.add(block, digest_row(row));
    }
}

}  // namespace asrtrace::trace
