// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// /proc/PID/maps: the target's address space as the kernel tells it (Documentation/filesystems/
// proc.rst, 3.1).
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "user/base/result.h"

namespace asrtrace {

struct MapsEntry {
    std::uint64_t begin = 0;  ///< first byte
    std::uint64_t end = 0;    ///< one past the last byte
    bool readable = false;
    bool writable = false;
    bool executable = false;
    bool shared = false;
    std::uint64_t file_offset = 0;  ///< bytes
    std::uint32_t device_major = 0;
    std::uint32_t device_minor = 0;
    std::uint64_t inode = 0;
    std::string path;  ///< as the kernel escapes it, without " (deleted)"; "[heap]" and the like
    bool deleted = false;

    std::uint64_t size_bytes() const { return end - begin; }
    bool is_file() const { return inode != 0; }
    bool contains(std::uint64_t address) const { return begin <= address && address < end; }
};

/// Files that hold generated code unless they hold ELF: memfd_create, shared anonymous memory.
bool is_memory_file(std::string_view path);

/// One line of maps; nothing if it is malformed.
std::optional<MapsEntry> parse_maps_line(std::string_view line);

/// All lines in the order of the addresses; malformed ones are left out.
std::vector<MapsEntry> parse_maps(std::string_view text);

/// Reads /proc/PID/maps. Error: the process is gone or may not be read.
Result<std::vector<MapsEntry>> read_maps(pid_t pid);

/// The entry that holds `address`, or null; `maps` must be sorted as read_maps returns it.
const MapsEntry* find_mapping(const std::vector<MapsEntry>& maps, std::uint64_t address);

/// Whole text of a small file (procfs, sysfs). Error: names the path and the reason; more than
/// 256 MiB, which is what 200,000 mappings take in smaps.
Result<std::string> read_text_file(const std::string& path);

/// The first `limit` bytes of a file whose length is the target's choice. Error: as above.
Result<std::string> read_text_beginning(const std::string& path, std::size_t limit);

}  // namespace asrtrace
