// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/trace/raw_load.h"

#include <optional>

#include "user/trace/raw_block.h"
#include "user/trace/rows.h"

namespace asrtrace::trace {
namespace {

RawStacks load_raw_stacks(Database& database) {
    RawStacks stacks;
    auto select = database.prepare("SELECT * FROM raw_stacks ORDER BY stack");
    while (select.step()) {
        const auto row = read_row<RawStackRow>(select);
        stacks.emplace(row.key, StackId(static_cast<std::uint32_t>(row.stack)));
    }
    return stacks;
}

}  // namespace

void load_raw_events(Database& database, const UseRawEvent& use) {
    const RawStacks stacks = load_raw_stacks(database);
    auto select = database.prepare("SELECT * FROM raw_events ORDER BY sequence");
    const auto next = [&] {
        try {
            return select.step();
        } catch (const SqlError&) {
            return false;
        }
    };
    std::optional<std::uint64_t> last;
    while (next()) {
        const auto row = read_row<RawRow>(select);
        if (last && row.sequence <= *last) return;  // pages that refer to each other wrongly
        last = row.sequence;
        // A damaged block is left out: those behind it are whole.
        (void)unpack(row, [&](Bytes record) { use(record, stacks); });
    }
}

}  // namespace asrtrace::trace
