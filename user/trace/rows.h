// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The rows of each table, their columns listed once: the same list binds a row, digests it and
// reads it back.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <type_traits>

#include "user/ledger/recording.h"
#include "user/trace/database.h"
#include "user/trace/digest.h"

namespace asrtrace::trace {

struct FrameRow {
    static constexpr const char* kTable = "frames";
    std::uint64_t id = 0;
    ledger::Frame frame;
    template <typename Self, typename Visitor>
    static void columns(Self& r, Visitor& v) {
        v(r.id), v(r.frame.function), v(r.frame.file), v(r.frame.line), v(r.frame.module);
        v(r.frame.module_offset), v(r.frame.inlined);
    }
};

struct StackRow {
    static constexpr const char* kTable = "stacks";
    std::uint64_t id = 0;
    std::uint32_t flags = 0;
    template <typename Self, typename Visitor>
    static void columns(Self& r, Visitor& v) {
        v(r.id), v(r.flags);
    }
};

struct StackFrameRow {
    static constexpr const char* kTable = "stack_frames";
    std::uint64_t stack = 0;
    std::uint64_t position = 0;
    std::uint64_t frame = 0;
    template <typename Self, typename Visitor>
    static void columns(Self& r, Visitor& v) {
        v(r.stack), v(r.position), v(r.frame);
    }
};

struct EpochRow {
    static constexpr const char* kTable = "epochs";
    std::uint64_t id = 0;
    ledger::Epoch epoch;
    std::uint64_t merged = 1;  ///< how many of the ledger's epochs went into it
    template <typename Self, typename Visitor>
    static void columns(Self& r, Visitor& v) {
        v(r.id), v(r.epoch.end_ns), v(r.epoch.requests), v(r.epoch.in_flight), v(r.merged);
    }
};

struct SiteRow {
    static constexpr const char* kTable = "site_epochs";
    std::uint64_t epoch = 0;
    ledger::SiteEpoch site;
    template <typename Self, typename Visitor>
    static void columns(Self& r, Visitor& v) {
        v(r.epoch), v(r.site.kind), v(r.site.stack.value);
        v(r.site.allocated_bytes), v(r.site.allocated_blocks);
        v(r.site.freed_bytes), v(r.site.freed_blocks);
        v(r.site.live_bytes), v(r.site.live_blocks);
        v(r.site.outlived_bytes), v(r.site.outlived_blocks);
    }
};

struct RequestRow {
    static constexpr const char* kTable = "requests";
    std::uint64_t sequence = 0;  ///< in the order in which they ended
    ledger::Request request;
    template <typename Self, typename Visitor>
    static void columns(Self& r, Visitor& v) {
        v(r.sequence), v(r.request.id.value), v(r.request.begin_ns), v(r.request.end_ns);
        v(r.request.tid), v(r.request.external_id), v(r.request.args[0]), v(r.request.args[1]);
        v(r.request.status), v(r.request.events), v(r.request.allocated_bytes);
        v(r.request.outlived_bytes);
    }
};

struct LatencyRow {
    static constexpr const char* kTable = "dropped_latencies";
    ledger::LatencyCount latency;
    template <typename Self, typename Visitor>
    static void columns(Self& r, Visitor& v) {
        v(r.latency.latency_ns), v(r.latency.count);
    }
};

struct SampleRow {
    static constexpr const char* kTable = "samples";
    std::uint64_t sequence = 0;
    ledger::ProcSample sample;
    template <typename Self, typename Visitor>
    static void columns(Self& r, Visitor& v) {
        v(r.sequence), v(r.sample.t_ns), v(r.sample.unix_seconds), v(r.sample.vm_rss_kb);
        v(r.sample.rss_anon_kb), v(r.sample.rss_file_kb), v(r.sample.rss_shmem_kb);
        v(r.sample.vm_swap_kb), v(r.sample.pss_kb), v(r.sample.mem_available_kb);
        v(r.sample.mem_total_kb), v(r.sample.cgroup_current_bytes), v(r.sample.threads);
    }
};

/// Unsigned values keep their bits: SQLite's integers are signed.
template <typename T>
requires std::is_integral_v<T> || std::is_enum_v<T> std::int64_t to_integer(T value) {
    return static_cast<std::int64_t>(value);
}

struct Binder {
    Statement& statement;
    int next = 1;
    void operator()(const std::string& value) { statement.bind(next++, value); }
    template <typename T>
    void operator()(const T& value) {
        statement.bind(next++, to_integer(value));
    }
    template <typename T>
    void operator()(const std::optional<T>& value) {
        if (value) return (*this)(*value);
        statement.bind_null(next++);
    }
};

struct Digester {
    RowDigest digest;
    void operator()(const std::string& value) { digest.text(value); }
    template <typename T>
    void operator()(const T& value) {
        digest.integer(to_integer(value));
    }
    template <typename T>
    void operator()(const std::optional<T>& value) {
        if (value) return (*this)(*value);
        digest.null();
    }
};

/// What is read is digested as it was read: a value that does not fit its field is cut, its digest
/// then differs from the one that was written.
struct ColumnReader {
    const Statement& statement;
    int next = 0;
    void operator()(std::string& value) { value = statement.text(next++); }
    template <typename T>
    void operator()(T& value) {
        value = static_cast<T>(statement.integer(next++));
    }
    template <typename T>
    void operator()(std::optional<T>& value) {
        if (statement.type(next) != ColumnType::kNull)
            value = static_cast<T>(statement.integer(next));
        ++next;
    }
};

template <typename Row>
void bind_row(Statement& statement, const Row& row) {
    Binder binder{statement};
    Row::columns(row, binder);
    statement.run();
}

template <typename Row>
std::uint64_t digest_row(const Row& row) {
    Digester digester{RowDigest(Row::kTable)};
    Row::columns(row, digester);
    return digester.digest.value();
}

template <typename Row>
Row read_row(const Statement& statement) {
    Row row;
    ColumnReader reader{statement};
    Row::columns(row, reader);
    return row;
}

}  // namespace asrtrace::trace
