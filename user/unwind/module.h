// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// What is behind an executable mapping of the target: an ELF file, the vdso, generated code, or the
// kernel's trampolines; and how to get at it through the target's own eyes.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "user/base/maps.h"
#include "user/base/result.h"
#include "user/unwind/elf_file.h"

namespace asrtrace::unwind {

enum class MappingClass : std::uint8_t { kFile, kVdso, kJit, kTrampoline, kIgnored };

/// By name and inode as procfs shows them (Documentation/filesystems/proc.rst, 3.1).
MappingClass classify_mapping(const MapsEntry& entry);

/// Opens the file behind a mapping: through map_files (right also for deleted and replaced files,
/// needs CAP_SYS_ADMIN or CAP_CHECKPOINT_RESTORE), else by path below the target's root if the
/// inode there is still the mapped one. The vdso is read from the target's memory.
Result<ElfFile> open_module(pid_t pid, const MapsEntry& entry);

/// The address as linked of the first byte of a mapping. Error: no executable segment is there.
Result<std::uint64_t> linked_address(const std::vector<LoadSegment>& segments,
                                     const MapsEntry& entry);

}  // namespace asrtrace::unwind
