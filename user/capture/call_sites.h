// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Where a target makes the system calls that are followed: in its libc, its loader, and whatever
// else makes them itself (Go).
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "user/base/result.h"
#include "user/capture/elf_module.h"
#include "user/capture/module_file.h"
#include "user/capture/syscall_sites.h"

namespace asrtrace::capture {

struct CallSite {
    std::uint32_t number = 0;  ///< of the system call
    std::shared_ptr<const ModuleFile> file;
    std::uint64_t file_offset = 0;  ///< where the probe stands
    std::uint32_t distance = 0;     ///< bytes from behind the system call instruction to it
    bool emulated = false;          ///< false: a single-step a call
};
/// "mmap"
std::string_view call_name(std::uint32_t number);

struct CallSites {
    std::vector<CallSite> sites;
    /// Why probes there would not see all that the modules do; empty if they would.
    std::string doubt;
};

/// mmap, munmap, mremap, brk and madvise. Error: the process is gone or may not be read.
Result<CallSites> find_mapping_calls(pid_t pid);
/// read, readv, recvfrom, recvmsg, write, writev, sendto, sendmsg and sendfile, likewise.
Result<CallSites> find_socket_calls(pid_t pid);

/// Mapping calls of one file, a module named `path` that was read from `file`.
void add_mapping_calls(const ElfModule& module, const std::string& path,
                       const std::shared_ptr<const ModuleFile>& file, CallSites& out);

}  // namespace asrtrace::capture
