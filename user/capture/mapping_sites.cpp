// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/capture/mapping_sites.h"

#include <sys/syscall.h>

#include <algorithm>
#include <array>

#include "user/base/escape.h"
#include "user/base/path.h"
#include "user/capture/syscall_sites.h"
#include "user/capture/target_module.h"

namespace asrtrace::capture {
namespace {

/// By enum MappingCall.
constexpr std::array<SyscallWish, 5> kCalls{
    {{SYS_mmap, 6}, {SYS_munmap, 2}, {SYS_mremap, 4}, {SYS_brk, 1}, {SYS_madvise, 3}}};

bool has(const MappingSites& found, MappingCall call) {
    return std::any_of(found.sites.begin(), found.sites.end(),
                       [&](const MappingSite& site) { return site.call == call; });
}

}  // namespace

std::string_view call_name(MappingCall call) {
    static constexpr std::array<std::string_view, 5> kNames{"mmap", "munmap", "mremap", "brk",
                                                            "madvise"};
    return kNames[static_cast<std::size_t>(call)];
}

void add_mapping_sites(const ElfModule& module, const std::string& path,
                       const std::string& open_path, MappingSites& out) {
    const SyscallSites found = find_syscall_sites(module, kCalls);
    for (const SyscallSite& site : found.sites) {
        const auto* const call = std::ranges::find(kCalls, site.number, &SyscallWish::number);
        out.sites.push_back({.call = static_cast<MappingCall>(call - kCalls.begin()),
                             .path = open_path,
                             .file_offset = site.file_offset,
                             .distance = site.distance,
                             .emulated = site.emulated});
    }
    if (found.unproved != 0 && out.doubt.empty())
        out.doubt = std::to_string(found.unproved) + " system calls of " +
                    escape_terminal(basename_of(path)) + " have no place for a probe";
}

Result<MappingSites> find_mapping_sites(pid_t pid) {
    auto modules = find_target_modules(pid);
    if (!modules) return modules.error();
    MappingSites found;
    for (const TargetModule& target : modules->modules) {
        const auto module = ElfModule::open(target.open_path);
        if (module) add_mapping_sites(*module, target.path, target.open_path, found);
    }
    if (!has(found, MappingCall::kMmap) || !has(found, MappingCall::kMunmap))
        found.doubt = "no module of the target makes these calls in a way that is known";
    return found;
}

}  // namespace asrtrace::capture
