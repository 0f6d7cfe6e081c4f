// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/capture/target_module.h"

#include <sys/stat.h>

#include <cstdio>
#include <optional>
#include <set>
#include <tuple>

namespace asrtrace::capture {
namespace {

constexpr std::size_t kMaxModules = 4096;

bool is_octal(char c) {
    return c >= '0' && c <= '7';
}

std::optional<FileVersion> version_at(const std::string& path) {
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0) return std::nullopt;
    return FileVersion(status);
}

std::string map_files_path(const std::string& proc, const MapsEntry& entry) {
    char range[40];
    std::snprintf(range, sizeof(range), "%llx-%llx", static_cast<unsigned long long>(entry.begin),
                  static_cast<unsigned long long>(entry.end));
    return proc + "/map_files/" + range;
}

/// Fills open_path with what is still the mapped file; empty if nothing is.
TargetModule make_module(const std::string& proc, const MapsEntry& entry,
                         const std::optional<FileVersion>& main) {
    TargetModule module;
    module.path = unescape_maps_path(entry.path);
    module.begin = entry.begin;
    module.deleted = entry.deleted;
    module.mapped_path = map_files_path(proc, entry);
    const std::string root_path = proc + "/root" + module.path;
    // map_files needs CAP_SYS_ADMIN or CAP_CHECKPOINT_RESTORE (since 5.9); its names change with
    // the mapping, so a path that leads to the same file is the better one to open later.
    const auto mapped = version_at(module.mapped_path);
    const auto in_root = !module.path.empty() && module.path[0] == '/' && !entry.deleted
                             ? version_at(root_path)
                             : std::nullopt;
    if (in_root && (mapped ? mapped->same_file(*in_root) : in_root->inode == entry.inode)) {
        module.open_path = root_path;
        module.version = *in_root;
    } else if (mapped) {
        module.open_path = module.mapped_path;
        module.version = *mapped;
    }
    module.main = main && !module.open_path.empty() && module.version.same_file(*main);
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

Result<std::shared_ptr<const ModuleFile>> TargetModule::open() const {
    for (const std::string& name : {open_path, mapped_path}) {
        auto file = ModuleFile::open(name);
        if (file && (*file)->version().same_file(version)) return file;
    }
    return Error{open_path + ": replaced since it was mapped"};
}

Result<TargetModules> find_target_modules(pid_t pid) {
    const std::string proc = "/proc/" + std::to_string(pid);
    auto maps = read_maps(pid);
    if (!maps) return maps.error();
    if (maps->empty()) return Error{proc + ": no address space (kernel thread, or exiting)"};
    const auto main = version_at(proc + "/exe");
    TargetModules found;
    std::set<std::tuple<std::uint32_t, std::uint32_t, std::uint64_t>> known;
    for (const MapsEntry& entry : *maps) {
        if (!entry.executable || !entry.is_file()) continue;
        if (!known.emplace(entry.device_major, entry.device_minor, entry.inode).second) continue;
        TargetModule module;
        if (found.modules.size() < kMaxModules) module = make_module(proc, entry, main);
        if (module.open_path.empty()) {
            ++found.skipped;
        } else {
            found.modules.push_back(std::move(module));
        }
    }
    return found;
}

}  // namespace asrtrace::capture
