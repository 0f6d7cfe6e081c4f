// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/trace/sample_store.h"

#include <algorithm>

#include "user/trace/format.h"
#include "user/trace/rows.h"

namespace asrtrace::trace {

void SampleStore::write(Database& database, Blocks& blocks,
                        const std::vector<ledger::ProcSample>& samples) {
    append(database, blocks, samples);
    while (next_sequence_ > std::max<std::size_t>(max_rows_, 2)) thin(database, blocks);
}

void SampleStore::append(Database& database, Blocks& blocks,
                         const std::vector<ledger::ProcSample>& samples) {
    auto insert = database.prepare("INSERT INTO samples VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?)");
    for (const auto& sample : samples) {
        const SampleRow row{next_sequence_++, sample};
        bind_row(insert, row);
        blocks.add({SampleRow::kTable, row.sequence / kBlockRows}, digest_row(row));
    }
}

void SampleStore::thin(Database& database, Blocks& blocks) {
    std::vector<ledger::ProcSample> kept;
    auto select = database.prepare("SELECT * FROM samples ORDER BY sequence");
    while (select.step()) {
        const auto row = read_row<SampleRow>(select);
        if (row.sequence % 2 == 0 || row.sequence + 1 == next_sequence_) kept.push_back(row.sample);
    }
    database.prepare("DELETE FROM samples").run();
    for (std::uint64_t block = 0; block * kBlockRows < next_sequence_; ++block)
        blocks.erase({SampleRow::kTable, block});
    next_sequence_ = 0;
    append(database, blocks, kept);
}

}  // namespace asrtrace::trace
