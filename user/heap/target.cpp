// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/heap/target.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstdint>
#include <optional>
#include <string>

#include "user/base/denied.h"
#include "user/base/fd.h"
#include "user/base/maps.h"

namespace asrtrace::heap {
namespace {

/// The value behind `key` in a file of "Key:<tab>value" lines.
std::string field(const std::string& text, const std::string& key) {
    const std::size_t at = text.find("\n" + key + ":");
    if (at == std::string::npos) return {};
    const std::size_t begin = text.find_first_not_of(" \t", at + key.size() + 2);
    return text.substr(begin, text.find('\n', begin) - begin);
}

/// A field that the kernel counts in kB.
std::optional<std::uint64_t> bytes_in(const std::string& path, const std::string& key) {
    auto text = read_text_file(path);
    if (!text) return std::nullopt;
    const std::string value = field(*text, key);
    std::uint64_t kib = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), kib);
    if (error != std::errc{}) return std::nullopt;
    return kib * 1024;
}

constexpr std::uint8_t kElfClass64 = 2;

}  // namespace

Status check_target(pid_t pid) {
    const std::string who = "process " + std::to_string(pid);
    const std::string proc = "/proc/" + std::to_string(pid);
    if (pid <= 0) return Error{"a process id is a positive number"};
    if (pid == ::getpid()) return Error{who + " is asrtrace itself"};
    auto status = read_text_file(proc + "/status");
    if (!status) {
        return Error{"no " + who +
                     " (ended, or its number is that of another pid namespace: give "
                     "the number that this namespace sees)"};
    }
    if (field(*status, "State").starts_with("Z")) {
        return Error{who + " is a zombie: it has ended and waits for its parent; it has no memory"};
    }
    if (field(*status, "Tgid") != std::to_string(pid)) {
        return Error{who + " is a thread of process " + field(*status, "Tgid") +
                     ": give that number"};
    }
    if (field(*status, "VmSize").empty()) {
        return Error{who + " is a kernel thread: it has no memory of its own"};
    }
    UniqueFd exe(::open((proc + "/exe").c_str(), O_RDONLY | O_CLOEXEC));
    if (!exe.valid()) {
        return denied_process(pid);
    }
    std::array<std::uint8_t, 5> head{};
    if (::pread(exe.get(), head.data(), head.size(), 0) == 5 && head[4] != kElfClass64) {
        return Error{who + " is a 32-bit program: only 64-bit heaps are known"};
    }
    return ok_status();
}

std::uint64_t memory_available() {
    return bytes_in("/proc/meminfo", "MemAvailable").value_or(1ULL << 30);
}

std::uint64_t rss_bytes(pid_t pid) {
    return bytes_in("/proc/" + std::to_string(pid) + "/status", "VmRSS").value_or(0);
}

}  // namespace asrtrace::heap
