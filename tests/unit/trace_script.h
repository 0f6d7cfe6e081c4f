// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Recordings with known contents: a worker that leaks 4,096 bytes a request, and one whose names
// would like to be more than names.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "user/ledger/recording.h"
#include "user/trace/writer.h"

namespace asrtrace::trace {

inline ledger::Frame frame(const std::string& function, std::uint32_t line = 0) {
    return {function,      line == 0 ? "" : "src/" + function + ".cpp",
            line,          "/usr/bin/worker",
            0x1000 + line, false};
}

/// A worker of `epochs` epochs of 10 requests: stack 1 leaks 4,096 bytes a request, stack 2 holds
/// what it holds, stack 3 touches memory.
struct Script {
    std::size_t epochs = 40;
    std::uint64_t requests_per_epoch = 10;
    std::uint64_t leak_bytes = 4096;
};

inline ledger::EpochRecord scripted_epoch(const Script& script, std::uint64_t i) {
    const std::uint64_t n = script.requests_per_epoch;
    const std::uint64_t requests = (i + 1) * n;
    ledger::EpochRecord record;
    record.epoch = {(i + 1) * 1'000'000'000, requests, static_cast<std::uint32_t>(i % 2)};
    record.epoch.distinct_args = {requests, 1};
    const std::uint64_t leaked = requests * script.leak_bytes;
    record.sites.push_back({ledger::SiteKind::kHeap, StackId(1), n * script.leak_bytes, n, 0, 0,
                            leaked, requests, leaked, requests});
    if (i + 1 == script.epochs) {
        record.sites.back().unreachable_bytes = leaked - script.leak_bytes;
        record.sites.back().unreachable_blocks = requests - 1;
    }
    record.sites.push_back({ledger::SiteKind::kHeap, StackId(2), n * 100'000, n, n * 100'000, n,
                            i % 2 == 0 ? 0U : 100'000U, i % 2, 0, 0});
    record.sites.push_back({ledger::SiteKind::kFault, StackId(3), n * 4096, n, 0, 0, 0, 0, 0, 0});
    return record;
}

inline ledger::Request scripted_request(std::uint64_t i) {
    ledger::Request request;
    request.id = RequestId(i + 1);
    request.begin_ns = i * 100'000'000;
    request.end_ns = request.begin_ns + 20'000'000 + (i % 7) * 1'000'000;
    request.tid = 42;
    request.external_id = i;
    request.args = {1000 + i, 2};
    request.status = i % 5 == 0 ? -1 : 200;
    request.events = 30;
    request.allocated_bytes = 104'096;
    request.outlived_bytes = 4096;
    return request;
}

inline ledger::ProcSample scripted_sample(std::uint64_t i) {
    ledger::ProcSample sample;
    sample.t_ns = i * 1'000'000'000;
    sample.unix_seconds = 1'700'000'000 + static_cast<std::int64_t>(i);
    sample.vm_rss_kb = 100'000 + 40 * i;
    sample.rss_anon_kb = 50'000 + 40 * i;
    sample.rss_file_kb = 50'000;
    sample.pss_kb = 90'000 + 40 * i;
    sample.mem_available_kb = 2'000'000 - 40 * i;
    sample.mem_total_kb = 4'000'000;
    if (i % 2 == 0) sample.cgroup_current_bytes = 123'456'789 + i;
    sample.threads = 4;
    sample.around = {.page_tables_kb = 300 + i,
                     .huge_pages_kb = 0,
                     .mem_free_kb = 1'000'000 - 40 * i,
                     .cached_kb = 800'000,
                     .shmem_kb = 1000,
                     .slab_reclaimable_kb = 50'000 + i,
                     .swap_total_kb = 1'000'000,
                     .swap_free_kb = 1'000'000 - i,
                     .cgroup_max_bytes = 1 << 30,
                     .cgroup_oom_kills = i / 30,
                     .cgroup_stalled_us = 1000 * i};
    if (i == 3) sample.around->cgroup_max_bytes.reset();
    return sample;
}

/// The heap after epoch `i`: the leak, and 1 MiB of freed memory that comes once, in epoch 3.
inline ledger::Reading scripted_reading(const Script& script, std::uint64_t i) {
    ledger::Reading reading;
    reading.t_ns = (i + 1) * 1'000'000'000 - 100'000'000;
    reading.requests = (i + 1) * script.requests_per_epoch;
    reading.books.heap_live = 40'000'000 + reading.requests * script.leak_bytes;
    reading.books.heap_retained = i < 3 ? 200'000 : 6'200'000;
    reading.books.heap_overhead = 100'000 + 16 * reading.requests;
    reading.books.stack = 90'000;
    reading.books.anon_mapped = 4096;
    reading.books.image = 1'000'000;
    reading.books.unexplained = i % 2 == 0 ? -4096 : 8192;
    reading.retained_top = i < 3 ? 100'000 : 200'000;
    reading.retained_main = reading.books.heap_retained;
    reading.releasable = i < 3 ? 50'000 : 5'000'000;
    reading.in_use = reading.books.heap_live;
    reading.system = 50'000'000;
    reading.live_chunks = 1000 + reading.requests;
    reading.arenas = 2;
    reading.mmap_threshold = 128 << 10;
    reading.threads = 4;
    reading.duration_ns = 5'000'000;
    return reading;
}

inline std::vector<ledger::Arena> scripted_arenas() {
    return {{.address = 0x7f0000000c60,
             .heaps = 1,
             .size = 48'000'000,
             .in_use = 41'800'000,
             .resident_free = 6'100'000,
             .releasable = 5'000'000,
             .pin_address = 0x55d000000010,
             .pin_bytes = 112,
             .pin_stack = StackId(2)},
            {.address = 0x7f1000000030,
             .heaps = 1,
             .size = 135'168,
             .in_use = 35'168,
             .resident_free = 100'000}};
}

inline ledger::Losses scripted_losses() {
    ledger::Losses losses;
    losses.stacks_truncated = 3;
    losses.attach_failed = {"calloc: no such symbol", "brk: not permitted"};
    return losses;
}

inline ledger::Counts scripted_counts(const Script& script) {
    ledger::Counts counts;
    const std::uint64_t requests = script.epochs * script.requests_per_epoch;
    counts.calls = {{"malloc", 2 * requests}, {"free", requests}, {"mmap", 2}};
    counts.allocated_bytes = requests * (script.leak_bytes + 100'000);
    counts.allocated_blocks = 2 * requests;
    counts.freed_bytes = requests * 100'000;
    counts.freed_blocks = requests;
    counts.ended_bytes = 4000;
    counts.ended_blocks = 20;
    counts.faults_user = requests;
    counts.fault_bytes = requests * 4096;
    counts.peak_rss_anon_bytes = 60'000'000;
    return counts;
}

inline std::vector<ledger::FollowedProcess> scripted_children() {
    return {{.pid = 4712, .parent = 4711, .exe = "/usr/bin/worker", .exit_status = 9},
            {.pid = 4713, .parent = 4712, .exe = "", .exit_status = 0},
            {.pid = 4714, .parent = 4711, .exe = "/bin/sh", .exit_status = std::nullopt}};
}

inline void write_head(Writer& writer, const Script& script) {
    writer.set_tool_version("0.1.0");
    ledger::Target target;
    target.pid = 4711;
    target.exe = "/usr/bin/worker";
    target.cmdline = {"worker", "--port", "9000", ""};
    target.libc_path = "/lib/libc.so.6";
    target.libc_version = "2.36";
    target.libc_build_id = "ab01";
    target.allocator = "glibc";
    target.kernel = "6.1.0";
    target.followed = scripted_children();
    writer.set_target(target);
    writer.set_request_source(ledger::RequestSource::kUsdt, "usdt:asr:request_start,request_done");
    ledger::Window window;
    window.seconds = static_cast<double>(script.epochs);
    window.start_unix_seconds = 1'700'000'000;
    window.ended_by = "duration";
    window.exit_status = 256;
    writer.set_window(window);
    const std::uint64_t requests = script.epochs * script.requests_per_epoch;
    writer.set_requests_completed(requests);
    writer.set_attribution(requests * 30, requests);
    writer.set_counts(scripted_counts(script));
    writer.set_losses(scripted_losses());
    ledger::Overhead overhead;
    overhead.tier = "full";
    overhead.probe_hits = requests * 3;
    overhead.program_seconds = 0.125;
    overhead.target_cpu_fraction = 0.017;
    overhead.target_cpu_seconds = 20;
    overhead.tracer_cpu_seconds = 0.5;
    overhead.tracer_rss_bytes = 30 << 20;
    overhead.attach_seconds = 0.4;
    writer.set_overhead(overhead);
    writer.set_notes({"TLS is not seen", "a second note"});
    writer.add_stack(kUnknownStack, ledger::kStackFailed, {});
    writer.add_stack(StackId(1), 0,
                     {frame("operator new(unsigned long)"), frame("leak_plant", 33),
                      frame("serve", 12), frame("main", 5)});
    writer.add_stack(StackId(2), ledger::kStackTruncated, {frame("decode", 7), frame("main", 5)});
    writer.add_stack(StackId(3), ledger::kStackHeuristic, {frame("touch", 9), frame("main", 5)});
}

/// Writes the script, a commit an epoch; the last is left to finish().
inline void write_script(Writer& writer, const Script& script) {
    write_head(writer, script);
    for (std::uint64_t i = 0; i < script.epochs; ++i) {
        (void)writer.commit();
        writer.add_epoch(scripted_epoch(script, i));
        for (std::uint64_t k = 0; k < script.requests_per_epoch; ++k)
            writer.add_request(scripted_request(i * script.requests_per_epoch + k));
        writer.add_sample(scripted_sample(i));
        writer.add_reading(scripted_reading(script, i), scripted_arenas());
    }
    const std::uint64_t requests = script.epochs * script.requests_per_epoch;
    writer.add_reach({.t_ns = script.epochs * 1'000'000'000 - 50'000'000,
                      .requests = requests - 1,
                      .unreachable_bytes = requests * (script.leak_bytes + 16),
                      .unreachable_chunks = requests - 1,
                      .unmatched_bytes = 32,
                      .unmatched_chunks = 1,
                      .duration_ns = 90'000'000});
}

/// One more stack and site, of names that are escape sequences, markup and no UTF-8.
inline const std::string& hostile_name() {
    static const std::string name =
        "\x1b[31mred\x1b]0;title\x07<script>alert(1)</script>\xff\xfe\n]]>&\"'; "
        "\xe2\x80\xae\xef\xbf\xbf";
    return name;
}

inline void write_hostile(Writer& writer) {
    ledger::Target target;
    target.pid = 1;
    target.exe = "/tmp/" + hostile_name();
    target.cmdline = {hostile_name()};
    target.allocator = hostile_name();
    writer.set_target(target);
    writer.set_notes({hostile_name()});
    writer.add_stack(StackId(9), 0,
                     {{hostile_name(), hostile_name(), 1, hostile_name(), 0, false}});
    ledger::EpochRecord record;
    record.epoch = {50'000'000'000, 500, 0};
    record.sites.push_back(
        {ledger::SiteKind::kHeap, StackId(9), 1 << 24, 1, 0, 0, 1 << 24, 1, 1 << 24, 1});
    record.sites.push_back({ledger::SiteKind::kFault, StackId(9), 4096, 1, 0, 0, 0, 0, 0, 0});
    writer.add_epoch(record);
}

}  // namespace asrtrace::trace
