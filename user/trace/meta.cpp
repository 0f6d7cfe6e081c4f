// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/trace/meta.h"

#include <optional>
#include <type_traits>

#include "user/base/escape.h"
#include "user/trace/digest.h"

namespace asrtrace::trace {
namespace {

using ledger::Recording;

/// SQLite refuses a row of 16 MiB, and with it the whole commit, again and again.
constexpr std::size_t kMaxTextBytes = std::size_t{64} << 10U;

/// The fields of a row of a list; what the last visit returns.
template <typename Visitor, typename Path>
auto path_fields(Visitor& v, const std::string& key, Path& path) {
    v((key + ".requests").c_str(), path.requests);
    v((key + ".aborted").c_str(), path.aborted);
    v((key + ".duration_ns").c_str(), path.duration_ns);
    v((key + ".body_bytes").c_str(), path.body_bytes);
    v((key + ".response_bytes").c_str(), path.response_bytes);
    v((key + ".allocated_bytes").c_str(), path.allocated_bytes);
    v((key + ".held_bytes").c_str(), path.held_bytes);
    v((key + ".held_blocks").c_str(), path.held_blocks);
    return v((key + ".path").c_str(), path.path);
}

template <typename Visitor, typename Row>
auto site_path_fields(Visitor& v, const std::string& key, Row& row) {
    v((key + ".stack").c_str(), row.stack.value);
    v((key + ".held_bytes").c_str(), row.held_bytes);
    v((key + ".held_blocks").c_str(), row.held_blocks);
    return v((key + ".path").c_str(), row.path);
}

/// Turns fields into rows.
struct RowMaker {
    MetaRows& rows;
    std::uint64_t item = 0;

    void operator()(const char* key, const std::string& value) {
        put(key, escape_invalid(cut_text(value, kMaxTextBytes)));
    }
    void operator()(const char* key, double value) { put(key, value); }
    template <typename T>
    requires std::is_integral_v<T> || std::is_enum_v<T>
    void operator()(const char* key, T value) { put(key, static_cast<std::int64_t>(value)); }
    template <typename T>
    void operator()(const char* key, const std::optional<T>& value) {
        if (value) (*this)(key, *value);
    }
    void operator()(const char* key, const std::vector<std::string>& values) {
        for (const auto& value : values) (*this)(key, value), ++item;
        item = 0;
    }
    void operator()(const char* key, const std::vector<ledger::FollowedProcess>& processes) {
        const std::string prefix = key;
        for (const auto& process : processes) {
            (*this)((prefix + ".pid").c_str(), process.pid);
            (*this)((prefix + ".parent").c_str(), process.parent);
            (*this)((prefix + ".exe").c_str(), process.exe);
            (*this)((prefix + ".exit_status").c_str(), process.exit_status);
            ++item;
        }
        item = 0;
    }
    void operator()(const char* key, const std::vector<ledger::PathTotals>& paths) {
        for (const auto& path : paths) path_fields(*this, key, path), ++item;
        item = 0;
    }
    void operator()(const char* key, const std::vector<ledger::SitePath>& held) {
        for (const auto& row : held) site_path_fields(*this, key, row), ++item;
        item = 0;
    }
    void operator()(const char* key, const std::map<std::string, std::uint64_t>& values) {
        for (const auto& [name, value] : values)
            (*this)((std::string(key) + "." + name).c_str(), value);
    }
    void operator()(const char* key, const std::optional<ledger::RawEvents>& value) {
        if (!value) return;
        const std::string prefix = key;
        (*this)((prefix + ".kept").c_str(), value->kept);
        (*this)((prefix + ".not_kept").c_str(), value->not_kept);
        (*this)((prefix + ".start_ns").c_str(), value->start_ns);
    }
    void operator()(const char* key, const std::optional<Estimate>& value) {
        if (!value) return;
        const std::string prefix = key;
        put((prefix + ".value").c_str(), value->value);
        put((prefix + ".lo").c_str(), value->ci95.lo);
        put((prefix + ".hi").c_str(), value->ci95.hi);
    }

  private:
    void put(const char* key, MetaValue value) { rows[{key, item}] = std::move(value); }
};

/// Fills fields from rows.
struct RowTaker {
    const MetaRows& rows;
    std::uint64_t item = 0;

    bool operator()(const char* key, std::string& value) { return take(key, value); }
    bool operator()(const char* key, double& value) { return take(key, value); }
    template <typename T>
    requires std::is_integral_v<T> || std::is_enum_v<T>
    bool operator()(const char* key, T& value) {
        std::int64_t integer = 0;
        if (!take(key, integer)) return false;
        value = static_cast<T>(integer);
        return true;
    }
    template <typename T>
    void operator()(const char* key, std::optional<T>& value) {
        T inner{};
        if ((*this)(key, inner)) value = inner;
    }
    void operator()(const char* key, std::vector<std::string>& values) {
        values.clear();
        for (std::string value; take(key, value); ++item) values.push_back(value);
        item = 0;
    }
    void operator()(const char* key, std::vector<ledger::FollowedProcess>& processes) {
        const std::string prefix = key;
        processes.clear();
        for (ledger::FollowedProcess process; (*this)((prefix + ".pid").c_str(), process.pid);
             ++item, process = {}) {
            (*this)((prefix + ".parent").c_str(), process.parent);
            (*this)((prefix + ".exe").c_str(), process.exe);
            (*this)((prefix + ".exit_status").c_str(), process.exit_status);
            processes.push_back(process);
        }
        item = 0;
    }
    void operator()(const char* key, std::vector<ledger::PathTotals>& paths) {
        paths.clear();
        for (ledger::PathTotals path; path_fields(*this, key, path); ++item, path = {})
            paths.push_back(path);
        item = 0;
    }
    void operator()(const char* key, std::vector<ledger::SitePath>& out) {
        out.clear();
        for (ledger::SitePath row; site_path_fields(*this, key, row); ++item, row = {})
            out.push_back(row);
        item = 0;
    }
    void operator()(const char* key, std::map<std::string, std::uint64_t>& values) {
        const std::string prefix = std::string(key) + ".";
        values.clear();
        for (auto at = rows.lower_bound({prefix, 0}); at != rows.end(); ++at) {
            if (!at->first.first.starts_with(prefix)) break;
            if (const auto* integer = std::get_if<std::int64_t>(&at->second))
                values[at->first.first.substr(prefix.size())] =
                    static_cast<std::uint64_t>(*integer);
        }
    }
    void operator()(const char* key, std::optional<ledger::RawEvents>& value) {
        const std::string prefix = key;
        ledger::RawEvents raw;
        if ((*this)((prefix + ".kept").c_str(), raw.kept) &&
            (*this)((prefix + ".not_kept").c_str(), raw.not_kept) &&
            (*this)((prefix + ".start_ns").c_str(), raw.start_ns))
            value = raw;
    }
    void operator()(const char* key, std::optional<Estimate>& value) {
        const std::string prefix = key;
        Estimate estimate;
        if (take((prefix + ".value").c_str(), estimate.value) &&
            take((prefix + ".lo").c_str(), estimate.ci95.lo) &&
            take((prefix + ".hi").c_str(), estimate.ci95.hi))
            value = estimate;
    }

  private:
    template <typename T>
    bool take(const char* key, T& value) {
        const auto found = rows.find({key, item});
        if (found == rows.end() || !std::holds_alternative<T>(found->second)) return false;
        value = std::get<T>(found->second);
        return true;
    }
};

template <typename Visitor, typename Rec>
void identity_fields(Visitor& v, Rec& r) {
    v("tool_version", r.tool_version);
    v("target.pid", r.target.pid);
    v("target.exe", r.target.exe);
    v("target.cmdline", r.target.cmdline);
    v("target.libc_path", r.target.libc_path);
    v("target.libc_version", r.target.libc_version);
    v("target.libc_build_id", r.target.libc_build_id);
    v("target.allocator", r.target.allocator);
    v("target.kernel", r.target.kernel);
    v("request_source", r.request_source);
    v("request_spec", r.request_spec);
    v("window.start_unix_seconds", r.window.start_unix_seconds);
}

template <typename Visitor, typename Counts>
void count_fields(Visitor& v, Counts& c) {
    v("counts.calls", c.calls);
    v("counts.allocated_bytes", c.allocated_bytes);
    v("counts.allocated_blocks", c.allocated_blocks);
    v("counts.freed_bytes", c.freed_bytes);
    v("counts.freed_blocks", c.freed_blocks);
    v("counts.freed_unknown_blocks", c.freed_unknown_blocks);
    v("counts.ended_bytes", c.ended_bytes);
    v("counts.ended_blocks", c.ended_blocks);
    v("counts.failed_allocations", c.failed_allocations);
    v("counts.allocated_bytes_estimate", c.allocated_bytes_estimate);
    v("counts.mapped_bytes", c.mapped_bytes);
    v("counts.unmapped_bytes", c.unmapped_bytes);
    v("counts.brk_grown_bytes", c.brk_grown_bytes);
    v("counts.brk_shrunk_bytes", c.brk_shrunk_bytes);
    v("counts.faults_user", c.faults_user);
    v("counts.faults_kernel", c.faults_kernel);
    v("counts.fault_bytes", c.fault_bytes);
    v("counts.peak_rss_anon_bytes", c.peak_rss_anon_bytes);
}

template <typename Visitor, typename Losses>
void loss_fields(Visitor& v, Losses& l) {
    v("losses.ring_events", l.ring_events);
    v("losses.ring_calls", l.ring_calls);
    v("losses.map_full_events", l.map_full_events);
    v("losses.map_full_stacks", l.map_full_stacks);
    v("losses.missed_programs", l.missed_programs);
    v("losses.missed_tracepoints", l.missed_tracepoints);
    v("losses.stacks_failed", l.stacks_failed);
    v("losses.stacks_truncated", l.stacks_truncated);
    v("losses.stacks_heuristic", l.stacks_heuristic);
    v("losses.inflight_reset", l.inflight_reset);
    v("losses.missed_frees", l.missed_frees);
    v("losses.undecodable", l.undecodable);
    v("losses.unknown_requests", l.unknown_requests);
    v("losses.attach_failed", l.attach_failed);
    v("losses.census_rejected", l.census_rejected);
    v("losses.unseen_http_calls", l.unseen_http_calls);
    v("losses.unsized_faults", l.unsized_faults);
    v("losses.unseen_mapping_bytes", l.unseen_mapping_bytes);
    v("losses.unnamed_frames", l.unnamed_frames);
    v("losses.modules_failed", l.modules_failed);
    v("losses.mappings_dropped", l.mappings_dropped);
}

template <typename Visitor, typename Overhead>
void overhead_fields(Visitor& v, Overhead& o) {
    v("overhead.tier", o.tier);
    v("overhead.probe_hits", o.probe_hits);
    v("overhead.program_seconds", o.program_seconds);
    v("overhead.trap_seconds_estimated", o.trap_seconds_estimated);
    v("overhead.target_cpu_fraction", o.target_cpu_fraction);
    v("overhead.target_cpu_seconds", o.target_cpu_seconds);
    v("overhead.tracer_cpu_seconds", o.tracer_cpu_seconds);
    v("overhead.tracer_rss_bytes", o.tracer_rss_bytes);
    v("overhead.attach_seconds", o.attach_seconds);
    v("overhead.detach_seconds", o.detach_seconds);
}

template <typename Visitor, typename Seen>
void http_fields(Visitor& v, Seen& s) {
    v("http.aborted", s.aborted);
    v("http.excluded", s.excluded);
    v("http.confused", s.confused);
    v("http.tls", s.tls);
    v("http.http2", s.http2);
    v("http.upgraded", s.upgraded);
    v("http.io_uring_calls", s.io_uring_calls);
}

template <typename Visitor, typename Lives>
void lifetime_fields(Visitor& v, Lives& l) {
    v("lifetimes.same.bytes", l.same.bytes);
    v("lifetimes.same.blocks", l.same.blocks);
    v("lifetimes.next.bytes", l.next.bytes);
    v("lifetimes.next.blocks", l.next.blocks);
    v("lifetimes.later.bytes", l.later.bytes);
    v("lifetimes.later.blocks", l.later.blocks);
    v("lifetimes.held.bytes", l.held.bytes);
    v("lifetimes.held.blocks", l.held.blocks);
}

template <typename Visitor, typename Rec>
void totals_fields(Visitor& v, Rec& r) {
    v("window.seconds", r.window.seconds);
    v("window.ended_by", r.window.ended_by);
    v("window.exit_status", r.window.exit_status);
    v("requests_completed", r.requests_completed);
    v("requests_dropped", r.requests_dropped);
    v("events_attributed", r.events_attributed);
    v("events_unattributed", r.events_unattributed);
    v("notes", r.notes);
    v("target.followed", r.target.followed);
    http_fields(v, r.http);
    lifetime_fields(v, r.lifetimes);
    v("path", r.paths);
    v("site_path", r.site_paths);
    count_fields(v, r.counts);
    v("raw_events", r.raw_events);
    loss_fields(v, r.losses);
    overhead_fields(v, r.overhead);
}

}  // namespace

MetaRows identity_rows(const Recording& recording) {
    MetaRows rows;
    RowMaker maker{rows};
    identity_fields(maker, recording);
    return rows;
}

MetaRows totals_rows(const Recording& recording, bool finished) {
    MetaRows rows;
    RowMaker maker{rows};
    totals_fields(maker, recording);
    maker("finished", finished);
    return rows;
}

void apply_identity(const MetaRows& rows, Recording& recording) {
    RowTaker taker{rows};
    identity_fields(taker, recording);
}

bool apply_totals(const MetaRows& rows, Recording& recording) {
    RowTaker taker{rows};
    totals_fields(taker, recording);
    bool finished = false;
    taker("finished", finished);
    return finished;
}

std::uint64_t digest_meta(const std::string& part, const MetaKey& key, const MetaValue& value) {
    RowDigest digest("meta");
    digest.text(part);
    digest.text(key.first);
    digest.integer(static_cast<std::int64_t>(key.second));
    if (const auto* integer = std::get_if<std::int64_t>(&value)) digest.integer(*integer);
    if (const auto* real = std::get_if<double>(&value)) digest.real(*real);
    if (const auto* text = std::get_if<std::string>(&value)) digest.text(*text);
    return digest.value();
}

}  // namespace asrtrace::trace
