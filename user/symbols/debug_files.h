// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The target's files as the target sees them: modules by mapping, separate debug files by build-id,
// .gnu_debuglink or .gnu_debugaltlink (GDB manual, "Debugging Information in Separate Files").
#pragma once

#include <sys/types.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "user/base/fd.h"
#include "user/base/maps.h"
#include "user/symbols/elf_image.h"

namespace asrtrace::symbols {

class TargetFiles {
  public:
    /// `root` empty: /proc/PID/root. Its descriptor is kept, so debug files are found after the
    /// target has exited too.
    TargetFiles(pid_t pid, const std::string& root, std::vector<std::string> debug_directories,
                bool debuginfod);

    /// The file behind a mapping, deleted or replaced ones included (/proc/PID/map_files; by path
    /// where that is not allowed, provided that the inode is the mapping's). Error: why not.
    Result<MappedFile> open_mapping(const MapsEntry& entry) const;

    /// The separate debug file of `image`, which was mapped as `path`; null if there is none.
    std::unique_ptr<ElfImage> find_debug(const ElfImage& image, const std::string& path) const;
    /// The file that dwz moved common DWARF of `debug` to; null if there is none.
    std::unique_ptr<ElfImage> find_shared(const ElfImage& debug) const;

  private:
    bool has_checksum(const MappedFile& file, std::uint32_t crc) const;
    Result<MappedFile> open_inside(const std::string& path) const;
    std::unique_ptr<ElfImage> open_image(const std::string& path) const;
    std::unique_ptr<ElfImage> by_build_id(const std::string& build_id) const;
    std::unique_ptr<ElfImage> by_link(const ElfImage& image, const std::string& path) const;

    pid_t pid_;
    UniqueFd root_;
    std::vector<std::string> debug_directories_;
    bool debuginfod_;
    mutable std::uint64_t checksum_bytes_left_;
};

}  // namespace asrtrace::symbols
