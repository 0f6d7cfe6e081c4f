// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Rows of a time series on their way into the trace: procfs samples, readings of the heap. Beyond
// the limit every second one goes, never the first or the last.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "user/trace/blocks.h"
#include "user/trace/database.h"
#include "user/trace/format.h"
#include "user/trace/rows.h"

namespace asrtrace::trace {

/// `Row` has a `sequence` and a `value`.
template <typename Row>
class SeriesStore {
  public:
    using Value = decltype(Row::value);
    explicit SeriesStore(std::size_t max_rows) : max_rows_(max_rows) {}

    void write(Database& database, Blocks& blocks, const std::vector<Value>& values) {
        append(database, blocks, values);
        while (next_sequence_ > std::max<std::size_t>(max_rows_, 2)) thin(database, blocks);
    }

  private:
    void append(Database& database, Blocks& blocks, const std::vector<Value>& values) {
        if (values.empty()) return;
        auto insert = database.prepare(insert_statement<Row>());
        for (const Value& value : values) {
            const Row row{next_sequence_++, value};
            bind_row(insert, row);
            blocks.add({Row::kTable, row.sequence / kBlockRows}, digest_row(row));
        }
    }

    void thin(Database& database, Blocks& blocks) {
        const std::string table = Row::kTable;
        std::vector<Value> kept;
        auto select = database.prepare("SELECT * FROM " + table + " ORDER BY sequence");
        while (select.step()) {
            const auto row = read_row<Row>(select);
            if (row.sequence % 2 == 0 || row.sequence + 1 == next_sequence_)
                kept.push_back(row.value);
        }
        database.prepare("DELETE FROM " + table).run();
        for (std::uint64_t block = 0; block * kBlockRows < next_sequence_; ++block)
            blocks.erase({Row::kTable, block});
        next_sequence_ = 0;
        append(database, blocks, kept);
    }

    std::size_t max_rows_;
    std::uint64_t next_sequence_ = 0;
};

}  // namespace asrtrace::trace
