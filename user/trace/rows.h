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
        v(r.epoch.distinct_args[0]), v(r.epoch.distinct_args[1]);
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
        v(r.site.late_freed_bytes), v(r.site.late_freed_blocks);
        v(r.site.unreachable_bytes), v(r.site.unreachable_blocks), v(r.site.retracted_blocks);
    }
};

/// What of a heap site's outlived bytes and blocks followed children hold; none: nothing.
struct FollowedRow {
    static constexpr const char* kTable = "followed_sites";
    std::uint64_t epoch = 0;
    StackId stack{};
    std::uint64_t bytes = 0;
    std::uint64_t blocks = 0;
    template <typename Self, typename Visitor>
    static void columns(Self& r, Visitor& v) {
        v(r.epoch), v(r.stack.value), v(r.bytes), v(r.blocks);
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
    ledger::ProcSample value;
    template <typename Self, typename Visitor>
    static void columns(Self& r, Visitor& v) {
        v(r.sequence), v(r.value.t_ns), v(r.value.unix_seconds), v(r.value.vm_rss_kb);
        v(r.value.rss_anon_kb), v(r.value.rss_file_kb), v(r.value.rss_shmem_kb);
        v(r.value.vm_swap_kb), v(r.value.pss_kb), v(r.value.mem_available_kb);
        v(r.value.mem_total_kb), v(r.value.cgroup_current_bytes), v(r.value.threads);
    }
};

struct SurroundingsRow {
    static constexpr const char* kTable = "surroundings";
    std::uint64_t sequence = 0;
    ledger::Surroundings value;
    template <typename Self, typename Visitor>
    static void columns(Self& r, Visitor& v) {
        v(r.sequence), v(r.value.t_ns), v(r.value.page_tables_kb), v(r.value.huge_pages_kb);
        v(r.value.mem_free_kb), v(r.value.cached_kb), v(r.value.shmem_kb);
        v(r.value.slab_reclaimable_kb), v(r.value.swap_total_kb), v(r.value.swap_free_kb);
        v(r.value.cgroup_max_bytes), v(r.value.cgroup_oom_kills), v(r.value.cgroup_stalled_us);
    }
};

struct ReadingRow {
    static constexpr const char* kTable = "readings";
    std::uint64_t sequence = 0;
    ledger::Reading value;
    template <typename Self, typename Visitor>
    static void columns(Self& r, Visitor& v) {
        v(r.sequence), v(r.value.t_ns), v(r.value.requests), v(r.value.in_flight);
        auto& books = r.value.books;
        v(books.heap_live), v(books.heap_retained), v(books.heap_overhead), v(books.stack);
        v(books.anon_mapped), v(books.image), v(books.unexplained);
        v(r.value.retained_top), v(r.value.retained_tcache), v(r.value.retained_large);
        v(r.value.retained_main), v(r.value.releasable), v(r.value.in_use), v(r.value.system),
            v(r.value.mmapped_bytes);
        v(r.value.mmapped_chunks), v(r.value.live_chunks), v(r.value.arenas);
        v(r.value.mmap_threshold), v(r.value.trim_threshold), v(r.value.stack_cached);
        v(r.value.threads), v(r.value.rejected), v(r.value.duration_ns);
    }
};

struct ArenaRow {
    static constexpr const char* kTable = "arenas";
    std::uint64_t position = 0;
    ledger::Arena arena;
    template <typename Self, typename Visitor>
    static void columns(Self& r, Visitor& v) {
        v(r.position), v(r.arena.address), v(r.arena.heaps), v(r.arena.size), v(r.arena.in_use);
        v(r.arena.resident_free), v(r.arena.releasable), v(r.arena.pin_address);
        v(r.arena.pin_bytes), v(r.arena.pin_stack.value);
    }
};

struct ReachRow {
    static constexpr const char* kTable = "reach";
    std::uint64_t sequence = 0;
    ledger::ReachReading value;
    template <typename Self, typename Visitor>
    static void columns(Self& r, Visitor& v) {
        v(r.sequence), v(r.value.t_ns), v(r.value.requests);
        v(r.value.unreachable_bytes), v(r.value.unreachable_chunks);
        v(r.value.unmatched_bytes), v(r.value.unmatched_chunks), v(r.value.duration_ns);
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
    void operator()(const Blob& value) { statement.bind(next++, value); }
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
    void operator()(Blob& value) { value = statement.blob(next++); }
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

struct ColumnCounter {
    std::size_t count = 0;
    template <typename T>
    void operator()(const T& /*value*/) {
        ++count;
    }
};

/// "INSERT INTO table VALUES(?,?,...)" with a place for each column.
template <typename Row>
std::string insert_statement() {
    ColumnCounter counter;
    const Row row;
    Row::columns(row, counter);
    std::string sql = std::string("INSERT INTO ") + Row::kTable + " VALUES(?";
    for (std::size_t i = 1; i < counter.count; ++i) sql += ",?";
    return sql + ")";
}

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
