// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The executable files in a target's address space, which the tracer can open and put uprobes on:
// through the target's own root, also when they are deleted.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "user/base/maps.h"
#include "user/base/result.h"
#include "user/capture/module_file.h"

namespace asrtrace::capture {

struct TargetModule {
    std::string path;         ///< as the target names it; unescaped, not fit for printing as it is
    std::string open_path;    ///< /proc/PID/root/PATH if that is the mapped file, else map_files
    std::string mapped_path;  ///< in map_files, for as long as the mapping stays as it is
    FileVersion version;      ///< of the mapped file
    std::uint64_t begin = 0;  ///< first address of its first executable mapping
    bool deleted = false;
    bool main = false;  ///< what /proc/PID/exe is

    /// Error: the file cannot be reached any more, whatever stands at its path by now.
    Result<std::shared_ptr<const ModuleFile>> open() const;
};

struct TargetModules {
    std::vector<TargetModule> modules;  ///< in the order of the addresses, each file once
    std::size_t skipped = 0;            ///< beyond 4,096 files, or of no reachable path
};

/// Error: the process is gone or may not be read, or is a kernel thread.
Result<TargetModules> find_target_modules(pid_t pid);

/// The octal escapes that procfs writes (\012 and the like) undone.
std::string unescape_maps_path(const std::string& path);

}  // namespace asrtrace::capture
