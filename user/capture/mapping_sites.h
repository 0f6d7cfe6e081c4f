// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Where a target changes its address space: the system calls mmap, munmap, mremap, brk and madvise
// of its libc, its loader, and whatever else makes them itself (gperftools, Go).
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "user/base/result.h"
#include "user/capture/elf_module.h"

namespace asrtrace::capture {

enum class MappingCall : std::uint8_t { kMmap, kMunmap, kMremap, kBrk, kMadvise };
/// "mmap"
std::string_view call_name(MappingCall call);

struct MappingSite {
    MappingCall call{};
    std::string path;               ///< for uprobes
    std::uint64_t file_offset = 0;  ///< where the probe stands
    std::uint32_t distance = 0;     ///< bytes from behind the system call instruction to it
    bool emulated = false;          ///< false: a single-step a call
};

struct MappingSites {
    std::vector<MappingSite> sites;
    /// Why probes there would not see all that the modules do; empty if they would.
    std::string doubt;
};

/// Error: the process is gone or may not be read.
Result<MappingSites> find_mapping_sites(pid_t pid);

/// The same for one file, as a module named `path` that the tracer opens as `open_path`.
void add_mapping_sites(const ElfModule& module, const std::string& path,
                       const std::string& open_path, MappingSites& out);

}  // namespace asrtrace::capture
