// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/capture/sampler.h"

#include <algorithm>
#include <charconv>
#include <string>

#include "user/base/maps.h"
#include "user/base/unix_clock.h"
#include "user/capture/cgroup.h"

namespace asrtrace::capture {
namespace {

/// The number behind "Name:" in a file of "Name:   123 kB" lines; 0 if there is none.
std::uint64_t field(const std::string& text, const std::string& name) {
    const std::string key = "\n" + name + ":";
    std::size_t at = text.starts_with(name + ":") ? name.size() + 1 : text.find(key);
    if (at == std::string::npos) return 0;
    if (!text.starts_with(name + ":")) at += key.size();
    at = text.find_first_not_of(" \t", at);
    std::uint64_t value = 0;
    if (at != std::string::npos)
        std::from_chars(text.data() + at, text.data() + text.size(), value);
    return value;
}

ledger::Surroundings surroundings(const std::string& status, const std::string& meminfo,
                                  const CgroupMemory& group) {
    ledger::Surroundings around;
    around.page_tables_kb = field(status, "VmPTE");
    around.huge_pages_kb = field(status, "HugetlbPages");
    around.mem_free_kb = field(meminfo, "MemFree");
    around.cached_kb = field(meminfo, "Cached");
    around.shmem_kb = field(meminfo, "Shmem");
    around.slab_reclaimable_kb = field(meminfo, "SReclaimable");
    around.swap_total_kb = field(meminfo, "SwapTotal");
    around.swap_free_kb = field(meminfo, "SwapFree");
    around.cgroup_max_bytes = group.max_bytes;
    around.cgroup_oom_kills = group.oom_kills;
    around.cgroup_stalled_us = group.stalled_us;
    return around;
}

}  // namespace

std::optional<ledger::ProcSample> sample_process(pid_t pid, bool with_pss) {
    const std::string directory = "/proc/" + std::to_string(pid);
    const auto status = read_text_file(directory + "/status");
    const auto meminfo = read_text_file("/proc/meminfo");
    if (!status || !meminfo || status->find("\nVmRSS:") == std::string::npos) return std::nullopt;
    ledger::ProcSample sample;
    sample.unix_seconds = unix_seconds();
    sample.vm_rss_kb = field(*status, "VmRSS");
    sample.rss_anon_kb = field(*status, "RssAnon");
    sample.rss_file_kb = field(*status, "RssFile");
    sample.rss_shmem_kb = field(*status, "RssShmem");
    sample.vm_swap_kb = field(*status, "VmSwap");
    sample.threads = static_cast<std::uint32_t>(field(*status, "Threads"));
    sample.mem_available_kb = field(*meminfo, "MemAvailable");
    sample.mem_total_kb = field(*meminfo, "MemTotal");
    const CgroupMemory group = read_cgroup_memory(pid);
    sample.cgroup_current_bytes = group.current_bytes;
    sample.around = surroundings(*status, *meminfo, group);
    if (with_pss) sample.pss_kb = pss_kb(pid);
    return sample;
}

std::uint64_t pss_kb(pid_t pid) {
    const auto rollup = read_text_file("/proc/" + std::to_string(pid) + "/smaps_rollup");
    return rollup ? field(*rollup, "Pss") : 0;
}

std::uint64_t mapped_bytes(pid_t pid) {
    const auto status = read_text_file("/proc/" + std::to_string(pid) + "/status");
    if (!status) return 0;
    const std::uint64_t all_kb = field(*status, "VmSize");
    return (all_kb - std::min(all_kb, field(*status, "VmStk"))) * 1024;
}

std::uint64_t first_break(pid_t pid) {
    const auto stat = read_text_file("/proc/" + std::to_string(pid) + "/stat");
    if (!stat) return 0;
    // The program's name, field 2, may hold anything; behind it are single words.
    constexpr int kBehindName = 3, kStartBrk = 47;
    std::size_t at = stat->rfind(')');
    for (int field = kBehindName - 1; at != std::string::npos && field < kStartBrk; ++field)
        at = stat->find(' ', at + 1);
    std::uint64_t value = 0;
    if (at != std::string::npos)
        std::from_chars(stat->data() + at + 1, stat->data() + stat->size(), value);
    return value;
}

}  // namespace asrtrace::capture
