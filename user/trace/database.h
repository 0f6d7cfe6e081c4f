// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// SQLite behind two owners, Database and Statement. Failures are thrown as SqlError inside
// user/trace and become a Result at its boundary (Writer, read).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>

#include "user/base/bytes.h"

struct sqlite3;
struct sqlite3_stmt;

namespace asrtrace::trace {

constexpr std::size_t kHeaderBytes = 100;  ///< of an SQLite database

class SqlError : public std::runtime_error {
  public:
    SqlError(int code, const std::string& message) : std::runtime_error(message), code_(code) {}
    int code() const { return code_; }  ///< SQLite's primary result code

  private:
    int code_;
};

enum class ColumnType : std::uint8_t { kNull, kInteger, kReal, kText, kBlob };

/// Bytes that are no text.
struct Blob {
    std::string bytes;
};

class Statement {
  public:
    Statement(sqlite3* database, std::string_view sql);

    void bind(int index, std::int64_t value);  ///< index from 1
    void bind(int index, double value);
    void bind(int index, std::string_view value);
    void bind(int index, const Blob& value);
    void bind_null(int index);

    bool step();  ///< true: a row is there
    void run();   ///< steps to the end and resets

    ColumnType type(int column) const;  ///< column from 0
    std::int64_t integer(int column) const;
    double real(int column) const;
    std::string_view text(int column) const;  ///< valid until the next step
    Blob blob(int column) const;

  private:
    struct Finalize {
        void operator()(sqlite3_stmt* statement) const;
    };
    [[noreturn]] void fail(int code) const;
    std::unique_ptr<sqlite3_stmt, Finalize> statement_;
};

class Database {
  public:
    static Database in_memory();
    static Database open_for_writing(const std::string& path);  ///< must exist; follows no link
    /// With its -wal if there is one, also where no -shm can be made beside it.
    static Database open_for_reading(const std::string& path);
    /// A copy of a file's bytes, opened for reading. Zero pages stand in for a missing end.
    static Database from_image(Bytes image);

    void execute(const char* sql);
    Statement prepare(std::string_view sql) { return {handle_.get(), sql}; }
    std::int64_t pragma(std::string_view name);
    void copy_to(Database& destination);
    bool in_transaction() const;

  private:
    struct Close {
        void operator()(sqlite3* database) const;
    };
    static Database open(const std::string& path, int flags, const char* vfs = nullptr);
    static Database open_alone(const std::string& path);
    void prepare_reading();
    std::unique_ptr<sqlite3, Close> handle_;
};

}  // namespace asrtrace::trace
