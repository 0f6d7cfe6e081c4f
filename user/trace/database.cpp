// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/trace/database.h"

#include <sqlite3.h>

#include <algorithm>
#include <cstring>

namespace asrtrace::trace {
namespace {

constexpr int kBusyTimeoutMs = 2000;
constexpr int kMaxStringBytes = 16 << 20;
constexpr std::size_t kMaxPadding = 64 << 20;

/// What the header says the file should measure (SQLite file format, 1.3: page size at 16, number
/// of pages at 28, both big-endian).
std::size_t claimed_size(Bytes image) {
    const std::size_t page = static_cast<std::size_t>(image[16]) << 8 | image[17];
    std::size_t pages = 0;
    for (std::size_t i = 28; i < 32; ++i) pages = pages << 8 | image[i];
    return (page == 1 ? 65536 : page) * pages;
}

void harden(sqlite3* database) {
    sqlite3_busy_timeout(database, kBusyTimeoutMs);
    sqlite3_limit(database, SQLITE_LIMIT_LENGTH, kMaxStringBytes);
    sqlite3_db_config(database, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
    sqlite3_db_config(database, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
    sqlite3_db_config(database, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, nullptr);
    sqlite3_db_config(database, SQLITE_DBCONFIG_ENABLE_VIEW, 0, nullptr);
}

}  // namespace

Statement::Statement(sqlite3* database, std::string_view sql) {
    sqlite3_stmt* statement = nullptr;
    const int code =
        sqlite3_prepare_v2(database, sql.data(), static_cast<int>(sql.size()), &statement, nullptr);
    statement_.reset(statement);
    if (code != SQLITE_OK) throw SqlError(code & 0xff, sqlite3_errmsg(database));
}

void Statement::Finalize::operator()(sqlite3_stmt* statement) const {
    sqlite3_finalize(statement);
}

void Statement::fail(int code) const {
    throw SqlError(code & 0xff, sqlite3_errmsg(sqlite3_db_handle(statement_.get())));
}

void Statement::bind(int index, std::int64_t value) {
    if (const int code = sqlite3_bind_int64(statement_.get(), index, value)) fail(code);
}

void Statement::bind(int index, double value) {
    if (const int code = sqlite3_bind_double(statement_.get(), index, value)) fail(code);
}

void Statement::bind(int index, std::string_view value) {
    const char* bytes = value.empty() ? "" : value.data();
    const int code = sqlite3_bind_text64(statement_.get(), index, bytes, value.size(),
                                         SQLITE_TRANSIENT, SQLITE_UTF8);
    if (code != SQLITE_OK) fail(code);
}

void Statement::bind(int index, const Blob& value) {
    const int code = sqlite3_bind_blob64(statement_.get(), index, value.bytes.data(),
                                         value.bytes.size(), SQLITE_TRANSIENT);
    if (code != SQLITE_OK) fail(code);
}

void Statement::bind_null(int index) {
    if (const int code = sqlite3_bind_null(statement_.get(), index)) fail(code);
}

bool Statement::step() {
    const int code = sqlite3_step(statement_.get());
    if (code == SQLITE_ROW) return true;
    if (code != SQLITE_DONE) fail(code);
    return false;
}

void Statement::run() {
    while (step()) {
    }
    sqlite3_reset(statement_.get());
}

ColumnType Statement::type(int column) const {
    switch (sqlite3_column_type(statement_.get(), column)) {
        case SQLITE_INTEGER:
            return ColumnType::kInteger;
        case SQLITE_FLOAT:
            return ColumnType::kReal;
        case SQLITE_TEXT:
            return ColumnType::kText;
        case SQLITE_BLOB:
            return ColumnType::kBlob;
        default:
            return ColumnType::kNull;
    }
}

std::int64_t Statement::integer(int column) const {
    return sqlite3_column_int64(statement_.get(), column);
}

double Statement::real(int column) const {
    return sqlite3_column_double(statement_.get(), column);
}

std::string_view Statement::text(int column) const {
    const auto* bytes = sqlite3_column_text(statement_.get(), column);
    if (bytes == nullptr) return {};
    return {reinterpret_cast<const char*>(bytes),
            static_cast<std::size_t>(sqlite3_column_bytes(statement_.get(), column))};
}

Blob Statement::blob(int column) const {
    const auto* bytes = static_cast<const char*>(sqlite3_column_blob(statement_.get(), column));
    if (bytes == nullptr) return {};
    const int size = sqlite3_column_bytes(statement_.get(), column);
    return {std::string(bytes, static_cast<std::size_t>(size))};
}

void Database::Close::operator()(sqlite3* database) const {
    sqlite3_close_v2(database);
}

Database Database::open(const std::string& path, int flags, const char* vfs) {
    sqlite3* handle = nullptr;
    // One thread at a time uses a connection: its mutex would be a tenth of what reading costs.
    constexpr int kOwn = SQLITE_OPEN_PRIVATECACHE | SQLITE_OPEN_NOMUTEX;
    const int code = sqlite3_open_v2(path.c_str(), &handle, flags | kOwn, vfs);
    Database database;
    database.handle_.reset(handle);
    if (code != SQLITE_OK)
        throw SqlError(code & 0xff,
                       handle == nullptr ? sqlite3_errstr(code) : sqlite3_errmsg(handle));
    harden(handle);
    return database;
}

Database Database::in_memory() {
    return open(":memory:", SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
}

Database Database::open_for_writing(const std::string& path) {
    return open(path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOFOLLOW);
}

Database Database::open_for_reading(const std::string& path) {
    Database database = open(path, SQLITE_OPEN_READONLY);
    database.prepare_reading();
    try {
        database.pragma("schema_version");  // the first access, which looks for the -wal
        return database;
    } catch (const SqlError& error) {
        if (error.code() != SQLITE_CANTOPEN && error.code() != SQLITE_READONLY) throw;
    }
    return open_alone(path);
}

/// What a dead recorder left, in a directory that we may not write to: SQLite makes no -shm there.
/// In exclusive mode it does without (sqlite.org/wal.html, "Use of WAL Without Shared-Memory"), but
/// asks for a write lock, which a file that is open for reading cannot have: hence no locks.
/// Should somebody write all the same, the digests tell.
Database Database::open_alone(const std::string& path) {
    Database database = open(path, SQLITE_OPEN_READONLY, "unix-none");
    sqlite3_db_config(database.handle_.get(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
    database.execute("PRAGMA locking_mode=EXCLUSIVE");
    database.prepare_reading();
    return database;
}

void Database::prepare_reading() {
    execute("PRAGMA cell_size_check=ON; PRAGMA mmap_size=0; PRAGMA query_only=ON");
}

Database Database::from_image(Bytes image) {
    if (image.size() < kHeaderBytes) throw SqlError(SQLITE_NOTADB, "too short for a database");
    const std::size_t size = std::max(image.size(), claimed_size(image));
    if (size > std::max(kMaxPadding, image.size()))
        throw SqlError(SQLITE_CORRUPT, "nearly all of it is missing");
    Database database = open(":memory:", SQLITE_OPEN_READWRITE);
    auto* copy = static_cast<unsigned char*>(sqlite3_malloc64(size));
    if (copy == nullptr) throw SqlError(SQLITE_NOMEM, "out of memory");
    std::memcpy(copy, image.data(), image.size());
    std::memset(copy + image.size(), 0, size - image.size());
    copy[18] = copy[19] = 1;  // a database in WAL mode cannot be opened without a file
    const auto length = static_cast<sqlite3_int64>(size);
    const int code =
        sqlite3_deserialize(database.handle_.get(), "main", copy, length, length,
                            SQLITE_DESERIALIZE_FREEONCLOSE | SQLITE_DESERIALIZE_READONLY);
    if (code != SQLITE_OK) throw SqlError(code & 0xff, sqlite3_errmsg(database.handle_.get()));
    database.execute("PRAGMA cell_size_check=ON; PRAGMA query_only=ON");
    return database;
}

void Database::execute(const char* sql) {
    const int code = sqlite3_exec(handle_.get(), sql, nullptr, nullptr, nullptr);
    if (code != SQLITE_OK) throw SqlError(code & 0xff, sqlite3_errmsg(handle_.get()));
}

std::int64_t Database::pragma(std::string_view name) {
    Statement statement = prepare("PRAGMA " + std::string(name));
    return statement.step() ? statement.integer(0) : 0;
}

void Database::copy_to(Database& destination) {
    sqlite3* target = destination.handle_.get();
    sqlite3_backup* backup = sqlite3_backup_init(target, "main", handle_.get(), "main");
    if (backup == nullptr) throw SqlError(sqlite3_errcode(target), sqlite3_errmsg(target));
    const int code = sqlite3_backup_step(backup, -1);
    sqlite3_backup_finish(backup);
    if (code != SQLITE_DONE) throw SqlError(code & 0xff, sqlite3_errstr(code));
}

bool Database::in_transaction() const {
    return sqlite3_get_autocommit(handle_.get()) == 0;
}

}  // namespace asrtrace::trace
