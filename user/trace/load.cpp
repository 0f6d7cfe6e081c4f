// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/trace/load.h"

#include <algorithm>
#include <functional>
#include <map>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "user/trace/blocks.h"
#include "user/trace/epoch_store.h"
#include "user/trace/format.h"
#include "user/trace/meta.h"
#include "user/trace/rows.h"

namespace asrtrace::trace {
namespace {

/// SQLite's own number for "malformed"; sqlite3.h stays in database.cpp.
constexpr int kCorrupt = 11;
/// Stacks are counted from 0; a larger id is no stack of ours.
constexpr std::uint64_t kMaxStackId = 1 << 20;

class Loader {
  public:
    explicit Loader(Database& database) : database_(database) {}
    ledger::Recording load(bool recording);

  private:
    void check_schema();
    void load_blocks();
    void check_commit();
    void load_meta(bool recording);
    void load_frames();
    void load_stacks();
    void load_stack_frames(std::map<std::uint64_t, ledger::Stack>& stacks);
    void place_stacks(std::map<std::uint64_t, ledger::Stack>& stacks);
    void load_epochs();
    void load_sites();
    void load_followed();
    void cut_epochs();
    void load_requests();
    void load_latencies();
    template <typename Row>
    void load_series(std::vector<decltype(Row::value)>& out, const char* what);
    void load_surroundings();
    void load_arenas();

    /// Calls `use` for each row, stops where the database is damaged.
    template <typename Row, typename Use>
    void each_row(const char* sql, Use use);
    bool intact(const BlockKey& key) const {
        const auto stored = stored_.find(key);
        const auto found = found_.find(key);
        return stored != stored_.end() && found != found_.end() && stored->second == found->second;
    }
    /// Drops all from the first row on whose block does not verify.
    template <typename T>
    void cut_rows(std::vector<T>& rows, const std::vector<std::uint64_t>& sequences,
                  const char* part, const char* what);
    void damage(std::string what) { out_.damage.push_back(std::move(what)); }
    /// A table can be read only up to some row.
    void break_off(const char* table, const SqlError& error) {
        broken_tables_ += (broken_tables_.empty() ? "" : ", ") + std::string(table);
        broken_why_ = error.what();
    }

    Database& database_;
    ledger::Recording out_;
    BlockMap stored_;  ///< what the trace says its blocks are
    BlockMap found_;   ///< what they are
    bool has_surroundings_ = false, has_followed_ = false;
    std::vector<std::uint64_t> epoch_ids_;
    std::string broken_tables_, broken_why_;
};

template <typename Row, typename Use>
void Loader::each_row(const char* sql, Use use) {
    try {
        auto select = database_.prepare(sql);
        while (select.step())
            if (!use(read_row<Row>(select))) throw SqlError(kCorrupt, "rows are out of order");
    } catch (const SqlError& error) {
        break_off(Row::kTable, error);
    }
}

ledger::Recording Loader::load(bool recording) {
    check_schema();
    load_blocks();
    check_commit();
    load_meta(recording);
    load_frames();
    load_stacks();
    load_epochs();
    load_sites();
    if (has_followed_) load_followed();
    cut_epochs();
    load_requests();
    load_latencies();
    load_series<SampleRow>(out_.samples, "memory samples");
    load_surroundings();
    load_series<ReadingRow>(out_.readings, "readings of the heap");
    load_series<ReachRow>(out_.reach, "readings of reachability");
    load_arenas();
    if (!broken_tables_.empty())
        damage("rows of the tables " + broken_tables_ + " (" + broken_why_ + ")");
    return std::move(out_);
}

/// Nothing may be in a trace but its tables: no view or trigger to run, no index to be wrong.
void Loader::check_schema() {
    std::map<std::string, std::string, std::less<>> tables;
    auto select = database_.prepare("SELECT name, sql FROM sqlite_schema");
    while (select.step()) tables[std::string(select.text(0))] = select.text(1);
    const auto is_there = [&](const Table& table) {
        const auto found = tables.find(table.name);
        return found != tables.end() && found->second == table.create;
    };
    has_surroundings_ = is_there(kSurroundings);
    has_followed_ = is_there(kFollowed);
    const auto raw = static_cast<std::size_t>(std::ranges::count_if(kRawTables, is_there));
    const bool same = std::ranges::all_of(kTables, is_there) &&
                      (raw == 0 || raw == kRawTables.size()) &&
                      tables.size() == kTables.size() + raw + (has_surroundings_ ? 1 : 0) +
                                           (has_followed_ ? 1 : 0);
    if (!same) throw SqlError(kCorrupt, "its tables are not those of a trace");
}

void Loader::load_blocks() {
    try {
        auto select = database_.prepare("SELECT * FROM blocks ORDER BY part, number");
        while (select.step())
            stored_[{std::string(select.text(0)), static_cast<std::uint64_t>(select.integer(1))}] =
                {static_cast<std::uint64_t>(select.integer(2)),
                 static_cast<std::uint64_t>(select.integer(3))};
    } catch (const SqlError& error) {
        break_off("blocks", error);
    }
    if (stored_.empty()) throw SqlError(kCorrupt, "nothing in it is intact");
}

void Loader::check_commit() {
    try {
        auto select = database_.prepare("SELECT number, digest FROM commits");
        if (select.step() &&
            static_cast<std::uint64_t>(select.integer(1)) ==
                digest_blocks(static_cast<std::uint64_t>(select.integer(0)), stored_))
            return;
        damage("the list of blocks does not match its digest: the end may be missing");
    } catch (const SqlError& error) {
        break_off("commits", error);
    }
}

void Loader::load_meta(bool recording) {
    std::map<std::string, MetaRows> parts;
    try {
        auto select = database_.prepare("SELECT part, key, item, value FROM meta");
        while (select.step()) {
            const std::string part(select.text(0));
            const MetaKey key{std::string(select.text(1)),
                              static_cast<std::uint64_t>(select.integer(2))};
            MetaValue value = std::string(select.text(3));
            if (select.type(3) == ColumnType::kInteger) value = select.integer(3);
            if (select.type(3) == ColumnType::kReal) value = select.real(3);
            found_[{part, 0}].add(digest_meta(part, key, value));
            parts[part][key] = std::move(value);
        }
    } catch (const SqlError& error) {
        break_off("meta", error);
    }
    if (intact({kIdentityPart, 0}))
        apply_identity(parts[kIdentityPart], out_);
    else
        damage("what was traced (process, libc, request source)");
    out_.totals_known = intact({kTotalsPart, 0});
    if (!out_.totals_known) return damage("counts, losses, overhead and notes");
    if (apply_totals(parts[kTotalsPart], out_) || recording) return;
    out_.window.ended_by = "recorder died";
    out_.notes.emplace_back(
        "the trace was not finished: its recorder died or is still running; it ends with its last "
        "commit");
}

void Loader::load_frames() {
    std::uint64_t next = 0;
    each_row<FrameRow>("SELECT * FROM frames ORDER BY id", [&](FrameRow row) {
        if (row.id != next++) return false;
        found_[{FrameRow::kTable, row.id / kBlockRows}].add(digest_row(row));
        out_.frames.push_back(std::move(row.frame));
        return true;
    });
    std::uint64_t lost = 0;
    for (std::uint64_t i = 0; i < out_.frames.size(); ++i) {
        if (intact({FrameRow::kTable, i / kBlockRows})) continue;
        out_.frames[i] = {};
        ++lost;
    }
    if (lost != 0) damage(std::to_string(lost) + " frames are shown as [unknown]");
}

void Loader::load_stacks() {
    std::map<std::uint64_t, ledger::Stack> stacks;
    each_row<StackRow>("SELECT * FROM stacks ORDER BY id", [&](const StackRow& row) {
        if (row.id > kMaxStackId || (!stacks.empty() && row.id <= stacks.rbegin()->first))
            return false;
        found_[{StackRow::kTable, row.id / kBlockRows}].add(digest_row(row));
        stacks[row.id] = {StackId(static_cast<std::uint32_t>(row.id)), row.flags, {}};
        return true;
    });
    load_stack_frames(stacks);
    place_stacks(stacks);
}

void Loader::load_stack_frames(std::map<std::uint64_t, ledger::Stack>& stacks) {
    constexpr auto kOrdered = "SELECT * FROM stack_frames ORDER BY stack, position";
    StackFrameRow last;
    bool first = true;
    each_row<StackFrameRow>(kOrdered, [&](const StackFrameRow& row) {
        if (!first && std::tie(row.stack, row.position) <= std::tie(last.stack, last.position))
            return false;
        first = false;
        last = row;
        found_[{StackRow::kTable, row.stack / kBlockRows}].add(digest_row(row));
        const auto stack = stacks.find(row.stack);
        if (stack == stacks.end()) return false;
        stack->second.frames.emplace_back(static_cast<std::uint32_t>(row.frame));
        return true;
    });
}

void Loader::place_stacks(std::map<std::uint64_t, ledger::Stack>& stacks) {
    std::uint64_t lost = 0;
    std::erase_if(stacks, [&](const auto& entry) {
        const bool bad = !intact({StackRow::kTable, entry.first / kBlockRows});
        lost += bad ? 1 : 0;
        return bad;
    });
    if (lost != 0) damage(std::to_string(lost) + " stacks are shown as [unknown]");
    const std::uint64_t count = stacks.empty() ? 1 : stacks.rbegin()->first + 1;
    out_.stacks.resize(count);
    const FrameId unknown_frame(static_cast<std::uint32_t>(out_.frames.size()));
    bool frame_missing = false;
    for (std::uint64_t id = 0; id < count; ++id) {
        const auto found = stacks.find(id);
        ledger::Stack& stack = out_.stacks[id];
        if (found != stacks.end()) stack = std::move(found->second);
        if (found == stacks.end()) stack.flags = ledger::kStackFailed;
        stack.id = StackId(static_cast<std::uint32_t>(id));
        for (auto& frame : stack.frames) {
            if (frame < unknown_frame) continue;
            frame = unknown_frame;
            frame_missing = true;
        }
    }
    if (!frame_missing) return;
    out_.frames.emplace_back();
    damage("some stacks name frames that are missing, shown as [unknown]");
}

void Loader::load_epochs() {
    each_row<EpochRow>("SELECT * FROM epochs ORDER BY id", [&](const EpochRow& row) {
        if (!epoch_ids_.empty() && row.id <= epoch_ids_.back()) return false;
        found_[{EpochRow::kTable, row.id}].add(digest_row(row));
        epoch_ids_.push_back(row.id);
        out_.epochs.push_back(row.epoch);
        return true;
    });
    out_.site_epochs.resize(out_.epochs.size());
}

void Loader::load_sites() {
    SiteRow last;
    bool first = true;
    std::size_t at = 0;
    BlockDigest* block = nullptr;  // of last.epoch
    constexpr auto kOrdered = "SELECT * FROM site_epochs ORDER BY epoch, kind, stack";
    each_row<SiteRow>(kOrdered, [&](const SiteRow& row) {
        if (!first && std::tie(row.epoch, row.site.kind, row.site.stack) <=
                          std::tie(last.epoch, last.site.kind, last.site.stack))
            return false;
        if (first || row.epoch != last.epoch) block = &found_[{EpochRow::kTable, row.epoch}];
        first = false;
        last = row;
        while (at < epoch_ids_.size() && epoch_ids_[at] < row.epoch) ++at;
        if (at == epoch_ids_.size() || epoch_ids_[at] != row.epoch) return false;
        if (row.site.kind > ledger::SiteKind::kFault) return false;
        block->add(digest_row(row));
        out_.site_epochs[at].push_back(row.site);
        return true;
    });
}

/// An epoch's block covers these rows, too: without one of them it does not verify.
void Loader::load_followed() {
    FollowedRow last;
    bool first = true;
    std::size_t at = 0;
    constexpr auto kOrdered = "SELECT * FROM followed_sites ORDER BY epoch, stack";
    each_row<FollowedRow>(kOrdered, [&](const FollowedRow& row) {
        if (!first && std::tie(row.epoch, row.stack) <= std::tie(last.epoch, last.stack))
            return false;
        first = false;
        last = row;
        while (at < epoch_ids_.size() && epoch_ids_[at] < row.epoch) ++at;
        if (at == epoch_ids_.size() || epoch_ids_[at] != row.epoch) return false;
        found_[{EpochRow::kTable, row.epoch}].add(digest_row(row));
        return set_followed(out_.site_epochs[at], row);
    });
}

void Loader::cut_epochs() {
    std::size_t expected = 0;
    for (const auto& [key, block] : stored_) expected += key.first == EpochRow::kTable ? 1 : 0;
    std::size_t good = 0;
    while (good < epoch_ids_.size() && intact({EpochRow::kTable, epoch_ids_[good]})) ++good;
    out_.epochs.resize(good);
    out_.site_epochs.resize(good);
    if (good < std::max(expected, epoch_ids_.size()))
        damage("epochs " + std::to_string(good + 1) + " to " +
               std::to_string(std::max(expected, epoch_ids_.size())));
    // A site may name a stack that never came: it is counted, as an unknown one.
    for (auto& epoch : out_.site_epochs)
        for (auto& site : epoch) {
            if (site.stack.value < out_.stacks.size()) continue;
            if (site.stack.value > kMaxStackId) throw SqlError(kCorrupt, "a site names no stack");
            const std::size_t old = out_.stacks.size();
            out_.stacks.resize(site.stack.value + 1);
            for (std::size_t id = old; id < out_.stacks.size(); ++id)
                out_.stacks[id] = {
                    StackId(static_cast<std::uint32_t>(id)), ledger::kStackFailed, {}};
        }
}

template <typename T>
void Loader::cut_rows(std::vector<T>& rows, const std::vector<std::uint64_t>& sequences,
                      const char* part, const char* what) {
    std::size_t good = 0;
    while (good < rows.size() && intact({part, sequences[good] / kBlockRows})) ++good;
    std::uint64_t expected = 0;
    for (const auto& [key, block] : stored_)
        if (key.first == part) expected += std::min<std::uint64_t>(block.rows, kBlockRows);
    expected = std::max<std::uint64_t>(expected, rows.size());
    rows.resize(good);
    if (good < expected) damage(std::to_string(expected - good) + std::string(" ") + what);
}

void Loader::load_requests() {
    std::vector<std::uint64_t> sequences;
    each_row<RequestRow>("SELECT * FROM requests ORDER BY sequence", [&](const RequestRow& row) {
        if (!sequences.empty() && row.sequence <= sequences.back()) return false;
        found_[{RequestRow::kTable, row.sequence / kBlockRows}].add(digest_row(row));
        sequences.push_back(row.sequence);
        out_.requests.push_back(row.request);
        return true;
    });
    cut_rows(out_.requests, sequences, RequestRow::kTable, "requests");
}

void Loader::load_latencies() {
    constexpr auto kOrdered = "SELECT * FROM dropped_latencies ORDER BY latency_ns";
    const BlockKey block{LatencyRow::kTable, 0};
    each_row<LatencyRow>(kOrdered, [&](const LatencyRow& row) {
        auto& counts = out_.dropped_latencies;
        if (!counts.empty() && row.latency.latency_ns <= counts.back().latency_ns) return false;
        found_[block].add(digest_row(row));
        counts.push_back(row.latency);
        return true;
    });
    if (intact(block) || (!stored_.contains(block) && out_.dropped_latencies.empty())) return;
    out_.dropped_latencies.clear();
    damage("the times of the oldest requests");
}

template <typename Row>
void Loader::load_series(std::vector<decltype(Row::value)>& out, const char* what) {
    std::vector<std::uint64_t> sequences;
    const std::string sql = std::string("SELECT * FROM ") + Row::kTable + " ORDER BY sequence";
    each_row<Row>(sql.c_str(), [&](const Row& row) {
        if (!sequences.empty() && row.sequence <= sequences.back()) return false;
        found_[{Row::kTable, row.sequence / kBlockRows}].add(digest_row(row));
        sequences.push_back(row.sequence);
        out.push_back(row.value);
        return true;
    });
    cut_rows(out, sequences, Row::kTable, what);
}

void Loader::load_surroundings() {
    constexpr auto kWhat = "samples of what is around the process";
    if (!has_surroundings_) {
        const auto named = [](const auto& block) {
            return block.first.first == SurroundingsRow::kTable;
        };
        if (std::ranges::any_of(stored_, named)) damage(kWhat);
        return;
    }
    std::vector<ledger::Surroundings> around;
    load_series<SurroundingsRow>(around, kWhat);
    auto sample = out_.samples.begin();
    for (const ledger::Surroundings& one : around) {
        while (sample != out_.samples.end() && sample->t_ns < one.t_ns) ++sample;
        if (sample != out_.samples.end() && sample->t_ns == one.t_ns) sample->around = one;
    }
}

void Loader::load_arenas() {
    const BlockKey block{ArenaRow::kTable, 0};
    each_row<ArenaRow>("SELECT * FROM arenas ORDER BY position", [&](const ArenaRow& row) {
        if (row.position != out_.arenas.size()) return false;
        found_[block].add(digest_row(row));
        out_.arenas.push_back(row.arena);
        return true;
    });
    for (auto& arena : out_.arenas)
        if (arena.pin_stack.value >= out_.stacks.size()) arena.pin_stack = kUnknownStack;
    if (intact(block) || (!stored_.contains(block) && out_.arenas.empty())) return;
    out_.arenas.clear();
    damage("the arenas of the last reading");
}

}  // namespace

ledger::Recording load(Database& database, bool recording) {
    return Loader(database).load(recording);
}

}  // namespace asrtrace::trace
