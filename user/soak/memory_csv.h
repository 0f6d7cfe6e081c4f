// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The memory of a process and of its machine over time, as a CSV that any collector can write
// (tools/collect-memory.sh is one): a header line, then a row every few seconds.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "user/base/result.h"

namespace asrtrace::soak {

/// A row: Unix seconds, then KiB as in /proc/PID/status, smaps_rollup and /proc/meminfo.
struct Row {
    std::int64_t ts = 0;
    std::int64_t vm_rss = 0;
    std::int64_t rss_anon = 0;
    std::int64_t rss_file = 0;
    std::int64_t rss_shmem = 0;
    std::int64_t vm_swap = 0;
    std::int64_t pss = 0;
    std::int64_t mem_available = 0;
    std::int64_t mem_total = 0;
};

struct Column {
    std::string_view name;
    std::int64_t Row::*value;
};

/// In the order of the header, which is their names joined by commas.
constexpr std::array<Column, 9> kColumns = {{
    {"ts", &Row::ts},
    {"VmRSS_kB", &Row::vm_rss},
    {"RssAnon_kB", &Row::rss_anon},
    {"RssFile_kB", &Row::rss_file},
    {"RssShmem_kB", &Row::rss_shmem},
    {"VmSwap_kB", &Row::vm_swap},
    {"Pss_kB", &Row::pss},
    {"MemAvailable_kB", &Row::mem_available},
    {"MemTotal_kB", &Row::mem_total},
}};

/// Larger values are refused, so that sums and percentages of them cannot overflow.
constexpr std::int64_t kMostValue = std::int64_t{1} << 42;

/// Without the newline.
std::string memory_csv_header();
std::string memory_csv_line(const Row& row);

/// The rows of a CSV in their order. The last line may lack its newline. Error, with the line's
/// number: the header is another one, a row does not hold nine whole numbers without a sign up to
/// kMostValue, the time runs backwards, or MemTotal is 0.
Result<std::vector<Row>> parse_memory_csv(std::string_view text);

}  // namespace asrtrace::soak
