// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/trace/writer_state.h"

#include <sys/stat.h>

#include <algorithm>

#include "user/base/escape.h"
#include "user/trace/format.h"
#include "user/trace/load.h"
#include "user/trace/meta.h"

namespace asrtrace::trace {
namespace {

/// Of functions and files. What a program has is a tenth; a table of strings that overlap is
/// endless.
constexpr std::size_t kMaxNamesBytes = std::size_t{128} << 20U;

void write_part(Database& database, Blocks& blocks, const std::string& part, const MetaRows& rows) {
    auto remove = database.prepare("DELETE FROM meta WHERE part=?");
    remove.bind(1, part);
    remove.run();
    blocks.erase({part, 0});
    auto insert = database.prepare("INSERT INTO meta VALUES(?,?,?,?)");
    for (const auto& [key, value] : rows) {
        insert.bind(1, part);
        insert.bind(2, key.first);
        insert.bind(3, to_integer(key.second));
        if (const auto* text = std::get_if<std::string>(&value)) insert.bind(4, *text);
        if (const auto* real = std::get_if<double>(&value)) insert.bind(4, *real);
        if (const auto* integer = std::get_if<std::int64_t>(&value)) insert.bind(4, *integer);
        insert.run();
        blocks.add({part, 0}, digest_meta(part, key, value));
    }
}

}  // namespace

FileIdentity file_identity(int fd) {
    struct stat info {};
    return ::fstat(fd, &info) == 0 ? FileIdentity{info.st_dev, info.st_ino} : FileIdentity{};
}

FileIdentity file_identity(const std::string& path) {
    struct stat info {};
    return ::lstat(path.c_str(), &info) == 0 ? FileIdentity{info.st_dev, info.st_ino}
                                             : FileIdentity{};
}

Writer::State::State(Database database, Limits limits, std::string path)
    : database_(std::move(database)),
      path_(std::move(path)),
      stores_{{},
              EpochStore(limits.epochs, limits.site_rows),
              RequestStore(limits.requests),
              SeriesStore<SampleRow>(limits.samples),
              SeriesStore<SurroundingsRow>(limits.samples),
              SeriesStore<ReadingRow>(limits.readings),
              SeriesStore<ReachRow>(limits.readings)} {}

void Writer::State::set_up() {
    // The header first, outside the WAL: whoever finds the file knows what it is.
    database_.execute("BEGIN IMMEDIATE");
    database_.execute(("PRAGMA application_id=" + std::to_string(kApplicationId)).c_str());
    database_.execute(("PRAGMA user_version=" + std::to_string(kFormatVersion)).c_str());
    for (const auto& table : kTables) database_.execute(table.create);
    database_.execute(kSurroundings.create);
    database_.execute(kFollowed.create);
    database_.execute("COMMIT");
    if (path_.empty()) return;
    // NORMAL: a commit need not reach the disk, but a crash never corrupts what did.
    // The first read takes the lock that tells others that the file is in use.
    database_.execute(
        "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; SELECT count(*) FROM commits");
}

Status Writer::State::keep_raw_events(std::uint64_t max_bytes, std::uint64_t start_ns) {
    try {
        for (const auto& table : kRawTables) database_.execute(table.create);
    } catch (const SqlError& error) {
        return Error{path_ + ": " + error.what()};
    }
    raw.emplace(max_bytes, start_ns);
    return ok_status();
}

FrameId Writer::State::add_frame(const ledger::Frame& frame) {
    ledger::Frame clean = frame;
    clean.function = escape_invalid(cut_text(frame.function));
    clean.file = escape_invalid(cut_text(frame.file));
    clean.module = escape_invalid(cut_text(frame.module));
    if (const auto known = frame_ids_.find(clean); known != frame_ids_.end()) return known->second;
    if (name_bytes_ > kMaxNamesBytes) {
        clean.function.clear();
        clean.file.clear();
        ++unnamed_frames_;
    }
    name_bytes_ += clean.function.size() + clean.file.size();
    const FrameId next(static_cast<std::uint32_t>(frame_ids_.size()));
    const auto [found, inserted] = frame_ids_.emplace(clean, next);
    if (inserted) queue.frames.push_back({next.value, std::move(clean)});
    return found->second;
}

void Writer::State::add_stack(const ledger::Stack& stack) {
    if (stack_ids_.insert(stack.id).second) queue.stacks.push_back(stack);
}

Status Writer::State::commit(bool finished) {
    const Stores before = stores_;
    std::string reason;
    try {
        write(finished);
        return ok_status();
    } catch (const SqlError& error) {
        reason = error.what();
    }
    stores_ = before;
    if (path_.empty() || full_file_) return Error{"trace in memory: " + reason};
    auto status = fall_back_to_memory(reason);
    try {
        write(finished);
        return status;
    } catch (const SqlError& error) {
        stores_ = before;
        return Error{path_ + ": " + reason + "; in memory: " + error.what()};
    }
}

void Writer::State::write(bool finished) {
    try {
        database_.execute("BEGIN IMMEDIATE");
        write_queue(finished);
        database_.execute("COMMIT");
    } catch (const SqlError&) {
        try {
            if (database_.in_transaction()) database_.execute("ROLLBACK");
        } catch (const SqlError&) {  // NOLINT(bugprone-empty-catch): SQLite has rolled back itself
        }
        throw;
    }
    queue = {};
    identity_written_ = true;
}

void Writer::State::write_queue(bool finished) {
    stores_.requests.write(database_, stores_.blocks, queue.requests);
    head.requests_dropped = stores_.requests.dropped();
    head.losses.unnamed_frames = unnamed_frames_;
    write_raw();
    write_meta(finished);
    write_stacks();
    stores_.epochs.write(database_, stores_.blocks, queue.epochs);
    stores_.samples.write(database_, stores_.blocks, queue.samples);
    stores_.surroundings.write(database_, stores_.blocks, queue.surroundings);
    stores_.readings.write(database_, stores_.blocks, queue.readings);
    stores_.reach.write(database_, stores_.blocks, queue.reach);
    write_arenas();
    stores_.blocks.save(database_);
}

void Writer::State::write_meta(bool finished) {
    if (!identity_written_)
        write_part(database_, stores_.blocks, kIdentityPart, identity_rows(head));
    write_part(database_, stores_.blocks, kTotalsPart, totals_rows(head, finished));
}

void Writer::State::write_stacks() {
    auto insert_frame = database_.prepare(insert_statement<FrameRow>());
    for (const auto& row : queue.frames) {
        bind_row(insert_frame, row);
        stores_.blocks.add({FrameRow::kTable, row.id / kBlockRows}, digest_row(row));
    }
    auto insert_stack = database_.prepare(insert_statement<StackRow>());
    auto insert_position = database_.prepare(insert_statement<StackFrameRow>());
    for (const auto& stack : queue.stacks) {
        const BlockKey block{StackRow::kTable, stack.id.value / kBlockRows};
        const StackRow row{stack.id.value, stack.flags};
        bind_row(insert_stack, row);
        stores_.blocks.add(block, digest_row(row));
        for (std::size_t i = 0; i < stack.frames.size(); ++i) {
            const StackFrameRow position{stack.id.value, i, stack.frames[i].value};
            bind_row(insert_position, position);
            stores_.blocks.add(block, digest_row(position));
        }
    }
}

void Writer::State::write_raw() {
    if (!raw) return;
    for (RawRow& row : raw->take()) queue.raw.push_back(std::move(row));
    head.raw_events = raw->totals();
    auto insert_block = database_.prepare(insert_statement<RawRow>());
    for (const auto& row : queue.raw) bind_row(insert_block, row);
    auto insert_stack = database_.prepare(insert_statement<RawStackRow>());
    for (const auto& row : queue.raw_stacks) bind_row(insert_stack, row);
}

void Writer::State::write_arenas() {
    if (!queue.arenas) return;
    const BlockKey block{ArenaRow::kTable, 0};
    database_.prepare("DELETE FROM arenas").run();
    stores_.blocks.erase(block);
    auto insert = database_.prepare(insert_statement<ArenaRow>());
    for (std::uint64_t i = 0; i < queue.arenas->size(); ++i) {
        const ArenaRow row{i, (*queue.arenas)[i]};
        bind_row(insert, row);
        stores_.blocks.add(block, digest_row(row));
    }
}

Status Writer::State::fall_back_to_memory(const std::string& reason) {
    const Error error{path_ + ": " + reason + "; the trace goes on in memory"};
    if (raw) raw->stop();  // a disk's worth of them does not go into memory
    try {
        Database memory = Database::in_memory();
        database_.copy_to(memory);
        full_file_ = std::exchange(database_, std::move(memory));
    } catch (const SqlError& second) {
        return Error{path_ + ": " + reason + "; cannot go on in memory: " + second.what()};
    }
    return error;
}

Status Writer::State::finish() {
    auto status = commit(true);
    if (path_.empty()) return status;
    if (full_file_) return restore_file();
    if (!status) return status;
    return finish_file();
}

Status Writer::State::finish_file() {
    try {
        // In the order of the tables and of time: whoever gets half a file has the first half.
        database_.execute("VACUUM");
    } catch (const SqlError&) {  // NOLINT(bugprone-empty-catch): no room; it is as good without
    }
    try {
        database_.execute("PRAGMA wal_checkpoint(TRUNCATE)");
        auto mode = database_.prepare("PRAGMA journal_mode=DELETE");
        if (mode.step() && mode.text(0) == "delete") return ok_status();
        return Error{path_ + ": another program is reading it; " + path_ + "-wal belongs to it"};
    } catch (const SqlError& error) {
        return Error{path_ + ": " + error.what() + "; " + path_ + "-wal belongs to it"};
    }
}

Status Writer::State::restore_file() {
    try {
        database_.copy_to(*full_file_);
        full_file_->execute("PRAGMA wal_checkpoint(TRUNCATE); PRAGMA journal_mode=DELETE");
        return ok_status();
    } catch (const SqlError& error) {
        return Error{path_ + ": " + error.what() +
                     "; the file ends where the disk was full, the report is complete"};
    }
}

Result<ledger::Recording> Writer::State::read() {
    try {
        return load(database_, true);
    } catch (const SqlError& error) {
        return Error{(path_.empty() ? "trace in memory" : path_) + ": " + error.what()};
    }
}

}  // namespace asrtrace::trace
