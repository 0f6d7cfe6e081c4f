// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/capture/target_module.h"

#include <sys/stat.h>

#include <cstdio>
#include <set>
#include <tuple>

namespace asrtrace::capture {
namespace {

constexpr std::size_t kMaxModules = 4096;

bool is_octal(char c) {
    return c >= '0' && c <= '7';
}

bool same_file(const struct stat& a, const struct stat& b) {
    return a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

std::string map_files_path(const std::string& proc, const MapsEntry& entry) {
    char range[40];
    std::snprintf(range, sizeof(range), "%llx-%llx", static_cast<unsigned long long>(entry.begin),
                  static_cast<unsigned long long>(entry.end));
    return proc + "/map_files/" + range;
}

/// Fills open_path with what is still the mapped file; empty if nothing is.
TargetModule make_module(const std::string& proc, const MapsEntry& entry, const struct stat* main) {
    TargetModule module;
    module.path = unescape_maps_path(entry.path);
    module.begin = entry.begin;
    module.deleted = entry.deleted;
    const std::string mapped_path = map_files_path(proc, entry);
    const std::string root_path = proc + "/root" + module.path;
    struct stat mapped {};
    struct stat in_root {};
    // map_files needs CAP_SYS_ADMIN or CAP_CHECKPOINT_RESTORE (since 5.9); its names change with
    // the mapping, so a path that leads to the same file is the better one to keep.
    const bool have_mapped = ::stat(mapped_path.c_str(), &mapped) == 0;
    const bool have_root = !module.path.empty() && module.path[0] == '/' && !entry.deleted &&
                           ::stat(root_path.c_str(), &in_root) == 0;
    if (have_root && (have_mapped ? same_file(mapped, in_root) : in_root.st_ino == entry.inode)) {
        module.open_path = root_path;
        module.main = main != nullptr && same_file(in_root, *main);
    } else if (have_mapped) {
        module.open_path = mapped_path;
        module.main = main != nullptr && same_file(mapped, *main);
    }
    return module;
}

}  // namespace

std::string unescape_maps_path(const std::string& path) {
    std::string out;
    for (std::size_t i = 0; i < path.size(); ++i) {
        if (path[i] == '\\' && i + 3 < path.size() && path[i + 1] <= '3' && is_octal(path[i + 1]) &&
            is_octal(path[i + 2]) && is_octal(path[i + 3])) {
            out += static_cast<char>((path[i + 1] - '0') << 6 | (path[i + 2] - '0') << 3 |
                                     (path[i + 3] - '0'));
            i += 3;
        } else {
            out += path[i];
        }
    }
    return out;
}

Result<TargetModules> find_target_modules(pid_t pid) {
    const std::string proc = "/proc/" + std::to_string(pid);
    auto maps = read_maps(pid);
    if (!maps) return maps.error();
    if (maps->empty()) return Error{proc + ": no address space (kernel thread, or exiting)"};
    struct stat main {};
    const bool have_main = ::stat((proc + "/exe").c_str(), &main) == 0;
    TargetModules found;
    std::set<std::tuple<std::uint32_t, std::uint32_t, std::uint64_t>> known;
    for (const MapsEntry& entry : *maps) {
        if (!entry.executable || !entry.is_file()) continue;
        if (!known.emplace(entry.device_major, entry.device_minor, entry.inode).second) continue;
        TargetModule module;
        if (found.modules.size() < kMaxModules)
            module = make_module(proc, entry, have_main ? &main : nullptr);
        if (module.open_path.empty()) {
            ++found.skipped;
        } else {
            found.modules.push_back(std::move(module));
        }
    }
    return found;
}

}  // namespace asrtrace::capture
