// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// What an asrtrace trace looks like on disk; traces/FORMAT.md is its prose.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace asrtrace::trace {

constexpr std::uint32_t kApplicationId = 0x41535254;  ///< "ASRT", in the file's header at 68
constexpr std::uint32_t kFormatVersion = 5;           ///< user_version, in the header at 60

/// Rows are verified in blocks of so many keys; an epoch with its sites is a block of its own.
constexpr std::uint64_t kBlockRows = 128;

struct Table {
    std::string_view name;
    const char* create;  ///< exactly what sqlite_schema must hold
};

constexpr std::array<Table, 14> kTables{{
    {"commits", "CREATE TABLE commits(number INTEGER PRIMARY KEY, blocks INTEGER, digest INTEGER)"},
    {"blocks",
     "CREATE TABLE blocks(part TEXT, number INTEGER, row_count INTEGER, digest INTEGER, "
     "PRIMARY KEY(part, number)) WITHOUT ROWID"},
    {"meta",
     "CREATE TABLE meta(part TEXT, key TEXT, item INTEGER, value, "
     "PRIMARY KEY(part, key, item)) WITHOUT ROWID"},
    {"frames",
     "CREATE TABLE frames(id INTEGER PRIMARY KEY, function TEXT, file TEXT, line INTEGER, "
     "module TEXT, module_offset INTEGER, inlined INTEGER)"},
    {"stacks", "CREATE TABLE stacks(id INTEGER PRIMARY KEY, flags INTEGER)"},
    {"stack_frames",
     "CREATE TABLE stack_frames(stack INTEGER, position INTEGER, frame INTEGER, "
     "PRIMARY KEY(stack, position)) WITHOUT ROWID"},
    {"epochs",
     "CREATE TABLE epochs(id INTEGER PRIMARY KEY, end_ns INTEGER, requests INTEGER, "
     "in_flight INTEGER, merged INTEGER, distinct_arg0 INTEGER, distinct_arg1 INTEGER)"},
    {"site_epochs",
     "CREATE TABLE site_epochs(epoch INTEGER, kind INTEGER, stack INTEGER, "
     "allocated_bytes INTEGER, allocated_blocks INTEGER, freed_bytes INTEGER, "
     "freed_blocks INTEGER, live_bytes INTEGER, live_blocks INTEGER, outlived_bytes INTEGER, "
     "outlived_blocks INTEGER, late_freed_bytes INTEGER, late_freed_blocks INTEGER, "
     "unreachable_bytes INTEGER, unreachable_blocks INTEGER, retracted_blocks INTEGER, "
     "PRIMARY KEY(epoch, kind, stack)) WITHOUT ROWID"},
    {"requests",
     "CREATE TABLE requests(sequence INTEGER PRIMARY KEY, id INTEGER, begin_ns INTEGER, "
     "end_ns INTEGER, tid INTEGER, external_id INTEGER, arg0 INTEGER, arg1 INTEGER, "
     "status INTEGER, events INTEGER, allocated_bytes INTEGER, outlived_bytes INTEGER)"},
    {"dropped_latencies",
     "CREATE TABLE dropped_latencies(latency_ns INTEGER PRIMARY KEY, request_count INTEGER)"},
    {"samples",
     "CREATE TABLE samples(sequence INTEGER PRIMARY KEY, t_ns INTEGER, unix_seconds INTEGER, "
     "vm_rss_kb INTEGER, rss_anon_kb INTEGER, rss_file_kb INTEGER, rss_shmem_kb INTEGER, "
     "vm_swap_kb INTEGER, pss_kb INTEGER, mem_available_kb INTEGER, mem_total_kb INTEGER, "
     "cgroup_current_bytes INTEGER, threads INTEGER)"},
    {"readings",
     "CREATE TABLE readings(sequence INTEGER PRIMARY KEY, t_ns INTEGER, requests INTEGER, "
     "in_flight INTEGER, heap_live INTEGER, heap_retained INTEGER, heap_overhead INTEGER, "
     "stack INTEGER, anon_mapped INTEGER, image INTEGER, unexplained INTEGER, "
     "retained_top INTEGER, retained_tcache INTEGER, retained_large INTEGER, retained_main "
     "INTEGER, releasable INTEGER, "
     "in_use INTEGER, system INTEGER, mmapped_bytes INTEGER, mmapped_chunks INTEGER, "
     "live_chunks INTEGER, arenas INTEGER, mmap_threshold INTEGER, trim_threshold INTEGER, "
     "stack_cached INTEGER, threads INTEGER, rejected INTEGER, duration_ns INTEGER)"},
    {"arenas",
     "CREATE TABLE arenas(position INTEGER PRIMARY KEY, address INTEGER, heaps INTEGER, "
     "size INTEGER, in_use INTEGER, resident_free INTEGER, releasable INTEGER, "
     "pin_address INTEGER, pin_bytes INTEGER, pin_stack INTEGER)"},
    {"reach",
     "CREATE TABLE reach(sequence INTEGER PRIMARY KEY, t_ns INTEGER, requests INTEGER, "
     "unreachable_bytes INTEGER, unreachable_chunks INTEGER, unmatched_bytes INTEGER, "
     "unmatched_chunks INTEGER, duration_ns INTEGER)"},
}};

/// Since format 4.
constexpr Table kSurroundings{
    "surroundings",
    "CREATE TABLE surroundings(sequence INTEGER PRIMARY KEY, t_ns INTEGER, page_tables_kb INTEGER, "
    "huge_pages_kb INTEGER, mem_free_kb INTEGER, cached_kb INTEGER, shmem_kb INTEGER, "
    "slab_reclaimable_kb INTEGER, swap_total_kb INTEGER, swap_free_kb INTEGER, "
    "cgroup_max_bytes INTEGER, cgroup_oom_kills INTEGER, cgroup_stalled_us INTEGER)"};

/// Since format 5: rows for what followed children hold of a site.
constexpr Table kFollowed{
    "followed_sites",
    "CREATE TABLE followed_sites(epoch INTEGER, stack INTEGER, outlived_bytes INTEGER, "
    "outlived_blocks INTEGER, PRIMARY KEY(epoch, stack)) WITHOUT ROWID"};

/// Only in a trace that keeps raw events, then both. The last: who gets half a file has the rest.
constexpr std::array<Table, 2> kRawTables{{
    {"raw_stacks", "CREATE TABLE raw_stacks(stack INTEGER PRIMARY KEY, key INTEGER)"},
    {"raw_events",
     "CREATE TABLE raw_events(sequence INTEGER PRIMARY KEY, events INTEGER, size INTEGER, "
     "data BLOB)"},
}};

}  // namespace asrtrace::trace
