// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/capture/cgroup.h"

#include <charconv>
#include <string>
#include <string_view>

#include "user/base/maps.h"

namespace asrtrace::capture {
namespace {

/// Version 1 says "no limit" by the largest whole number of pages (PAGE_COUNTER_MAX).
constexpr std::uint64_t kNoLimitOfVersion1 = 0x7ffffffffffff000;

std::optional<std::uint64_t> number_in(std::string_view text) {
    std::uint64_t value = 0;
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
    return parsed.ec == std::errc{} ? std::optional(value) : std::nullopt;
}

std::optional<std::uint64_t> number_of_file(const std::string& path) {
    const auto text = read_text_file(path);
    return text ? number_in(*text) : std::nullopt;
}

/// The number behind `key` in a file of words.
std::optional<std::uint64_t> number_behind(const std::string& path, std::string_view key) {
    const auto text = read_text_file(path);
    const std::size_t at = text ? text->find(key) : std::string::npos;
    if (at == std::string::npos) return std::nullopt;
    return number_in(std::string_view(*text).substr(at + key.size()));
}

/// The path behind `key` ("0::", ":memory:") of a line of /proc/PID/cgroup.
std::optional<std::string> group_of(const std::string& membership, std::string_view key) {
    const std::size_t at = membership.find(key);
    if (at == std::string::npos) return std::nullopt;
    const std::size_t begin = at + key.size();
    return membership.substr(begin, membership.find('\n', begin) - begin);
}

CgroupMemory read_version_1(const std::string& directory) {
    CgroupMemory memory;
    memory.current_bytes = number_of_file(directory + "/memory.usage_in_bytes");
    memory.max_bytes = number_of_file(directory + "/memory.limit_in_bytes");
    if (memory.max_bytes >= kNoLimitOfVersion1) memory.max_bytes.reset();
    memory.oom_kills = number_behind(directory + "/memory.oom_control", "oom_kill ");
    return memory;
}

CgroupMemory read_version_2(const std::string& directory) {
    CgroupMemory memory;
    memory.current_bytes = number_of_file(directory + "/memory.current");
    memory.max_bytes = number_of_file(directory + "/memory.max");
    memory.oom_kills = number_behind(directory + "/memory.events", "oom_kill ");
    memory.stalled_us = number_behind(directory + "/memory.pressure", "total=");
    return memory;
}

}  // namespace

CgroupMemory read_cgroup_memory(pid_t pid) {
    const auto membership = read_text_file("/proc/" + std::to_string(pid) + "/cgroup");
    if (!membership) return {};
    // Version 1 first: where both are mounted, memory is accounted there.
    if (const auto group = group_of(*membership, ":memory:"))
        return read_version_1("/sys/fs/cgroup/memory" + *group);
    if (const auto group = group_of(*membership, "0::"))
        return read_version_2("/sys/fs/cgroup" + *group);
    return {};
}

}  // namespace asrtrace::capture
