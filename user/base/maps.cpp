// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/base/maps.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>

#include "user/base/denied.h"
#include "user/base/fd.h"

namespace asrtrace {
namespace {

constexpr std::size_t kMaxTextBytes = std::size_t{256} << 20U;

/// Consumes an unsigned number and the separator behind it.
template <typename T>
bool take_number(std::string_view& text, int base, char separator, T& out) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out, base);
    if (error != std::errc{}) return false;
    const auto used = static_cast<std::size_t>(end - text.data());
    if (separator != '\0' && (used >= text.size() || text[used] != separator)) return false;
    text.remove_prefix(used + (separator != '\0' ? 1 : 0));
    return true;
}

void take_path(std::string_view text, MapsEntry& entry) {
    constexpr std::string_view kDeleted = " (deleted)";
    text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
    if (entry.inode != 0 && text.ends_with(kDeleted)) {
        entry.deleted = true;
        text.remove_suffix(kDeleted.size());
    }
    entry.path = text;
}

}  // namespace

std::optional<MapsEntry> parse_maps_line(std::string_view line) {
    MapsEntry entry;
    if (!take_number(line, 16, '-', entry.begin) || !take_number(line, 16, ' ', entry.end))
        return {};
    if (entry.end <= entry.begin || line.size() < 5 || line[4] != ' ') return {};
    entry.readable = line[0] == 'r';
    entry.writable = line[1] == 'w';
    entry.executable = line[2] == 'x';
    entry.shared = line[3] == 's';
    line.remove_prefix(5);
    if (!take_number(line, 16, ' ', entry.file_offset)) return {};
    if (!take_number(line, 16, ':', entry.device_major)) return {};
    if (!take_number(line, 16, ' ', entry.device_minor)) return {};
    if (!take_number(line, 10, '\0', entry.inode)) return {};
    take_path(line, entry);
    return entry;
}

bool is_memory_file(std::string_view path) {
    return path.starts_with("/memfd:") || path.starts_with("/dev/zero") ||
           path.starts_with("/dev/shm/") || path.starts_with("/SYSV");
}

std::vector<MapsEntry> parse_maps(std::string_view text) {
    std::vector<MapsEntry> entries;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        if (auto entry = parse_maps_line(text.substr(0, end))) entries.push_back(std::move(*entry));
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return entries;
}

Result<std::vector<MapsEntry>> read_maps(pid_t pid) {
    auto text = read_text_file("/proc/" + std::to_string(pid) + "/maps");
    const int reason = errno;
    if (!text) return reason == EACCES || reason == EPERM ? denied_process(pid) : text.error();
    return parse_maps(*text);
}

const MapsEntry* find_mapping(const std::vector<MapsEntry>& maps, std::uint64_t address) {
    auto next = std::upper_bound(maps.begin(), maps.end(), address,
                                 [](std::uint64_t a, const MapsEntry& m) { return a < m.end; });
    return next != maps.end() && next->contains(address) ? &*next : nullptr;
}

Result<std::string> read_text_file(const std::string& path) {
    auto text = read_text_beginning(path, kMaxTextBytes + 1);
    if (text && text->size() > kMaxTextBytes) {
        return Error{path + ": more than " + std::to_string(kMaxTextBytes >> 20U) + " MiB"};
    }
    return text;
}

Result<std::string> read_text_beginning(const std::string& path, std::size_t limit) {
    UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd.valid()) return errno_error(path);
    std::string text;
    std::array<char, 65536> buffer;
    for (;;) {
        const std::size_t wanted = std::min(buffer.size(), limit - text.size());
        const ssize_t got = ::read(fd.get(), buffer.data(), wanted);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return errno_error(path);
        if (got == 0) return text;
        text.append(buffer.data(), static_cast<std::size_t>(got));
    }
}

}  // namespace asrtrace
