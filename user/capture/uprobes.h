// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Attaching uprobes: as a session or by uprobe_multi in one link a file, else by one perf event a
// probe. Links are file descriptors: whatever ends us ends them.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "user/base/fd.h"
#include "user/base/result.h"
#include "user/capture/module_file.h"

namespace asrtrace::capture {

// enum bpf_attach_type, include/uapi/linux/bpf.h; newer than Debian 12's headers.
constexpr std::uint32_t kAttachUprobeMulti = 48;
constexpr std::uint32_t kAttachUprobeSession = 57;
// BPF_F_UPROBE_MULTI_RETURN
constexpr std::uint32_t kUprobeMultiReturn = 1;

/// How probes are attached, from cheap to dear.
enum class ProbeMethod : std::uint8_t { kSession, kMulti, kPerf };
std::string method_name(ProbeMethod method);

struct UprobeSite {
    std::shared_ptr<const ModuleFile> file;
    std::uint64_t file_offset = 0;
    std::uint64_t cookie = 0;
    std::uint64_t ref_ctr_offset = 0;  ///< USDT semaphore, 0 for none
    std::string what;                  ///< for messages: "malloc"
};

/// One link for all of `sites`, in the file at `path`. `pid` 0: every process that maps the file.
Result<UniqueFd> link_uprobe_multi(int program_fd, std::uint32_t attach_type,
                                   const std::string& path, std::span<const UprobeSite> sites,
                                   std::uint32_t flags, pid_t pid);

/// One perf event and its link; the event is kept open by the link.
Result<std::vector<UniqueFd>> link_perf_uprobe(int program_fd, const UprobeSite& site,
                                               bool return_probe, pid_t pid);

/// What runs at a call's entry and at its return. For a session both are the same program.
struct CallPrograms {
    int entry_fd = -1;
    int return_fd = -1;  ///< -1: the return is not probed
};

/// Puts the programs at all sites, by whatever links the method needs. pid <= 0: every process.
/// Error: what could not be attached and why, a file that was written to since it was looked at
/// among the reasons; nothing is attached then.
Result<std::vector<UniqueFd>> link_sites(ProbeMethod method, CallPrograms programs,
                                         std::vector<UprobeSite> sites, pid_t pid);

/// Removes the probes, all at once: each removal waits for a grace period of RCU, and together they
/// wait for one.
void unlink_sites(std::vector<UniqueFd>& links);

}  // namespace asrtrace::capture
