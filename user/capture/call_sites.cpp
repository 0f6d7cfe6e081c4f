// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/capture/call_sites.h"

#include <sys/syscall.h>

#include <algorithm>
#include <array>

#include "user/base/escape.h"
#include "user/base/path.h"
#include "user/capture/target_module.h"

namespace asrtrace::capture {
namespace {

struct Call {
    SyscallWish wish;
    std::string_view name;
};
constexpr std::array<Call, 14> kCalls{{{{SYS_mmap, 6}, "mmap"},
                                       {{SYS_munmap, 2}, "munmap"},
                                       {{SYS_mremap, 4}, "mremap"},
                                       {{SYS_brk, 1}, "brk"},
                                       {{SYS_madvise, 3}, "madvise"},
                                       {{SYS_read, 3}, "read"},
                                       {{SYS_readv, 3}, "readv"},
                                       {{SYS_recvfrom, 6}, "recvfrom"},
                                       {{SYS_recvmsg, 3}, "recvmsg"},
                                       {{SYS_write, 3}, "write"},
                                       {{SYS_writev, 3}, "writev"},
                                       {{SYS_sendto, 6}, "sendto"},
                                       {{SYS_sendmsg, 3}, "sendmsg"},
                                       {{SYS_sendfile, 4}, "sendfile"}}};
constexpr std::size_t kMappingCalls = 5;

std::vector<SyscallWish> wishes(std::span<const Call> calls) {
    std::vector<SyscallWish> out;
    for (const Call& call : calls) out.push_back(call.wish);
    return out;
}

std::vector<SyscallWish> mapping_wishes() {
    return wishes(std::span(kCalls).first(kMappingCalls));
}

std::vector<SyscallWish> socket_wishes() {
    return wishes(std::span(kCalls).subspan(kMappingCalls));
}

void add_call_sites(const ElfModule& module, const std::string& path,
                    const std::shared_ptr<const ModuleFile>& file,
                    std::span<const SyscallWish> wishes, CallSites& out) {
    const SyscallSites found = find_syscall_sites(module, wishes);
    for (const SyscallSite& site : found.sites)
        out.sites.push_back({.number = site.number,
                             .file = file,
                             .file_offset = site.file_offset,
                             .distance = site.distance,
                             .emulated = site.emulated});
    if (found.unproved != 0 && out.doubt.empty())
        out.doubt = std::to_string(found.unproved) + " system calls of " +
                    escape_terminal(basename_of(path)) + " have no place for a probe";
}

/// `needed`: a target that makes none of these makes them in another way.
Result<CallSites> find_calls(pid_t pid, std::span<const SyscallWish> wishes,
                             std::initializer_list<std::uint32_t> needed) {
    auto modules = find_target_modules(pid);
    if (!modules) return modules.error();
    CallSites found;
    for (const TargetModule& target : modules->modules) {
        const auto file = target.open();
        const auto module = file ? ElfModule::open((*file)->path()) : file.error();
        if (module) add_call_sites(*module, target.path, *file, wishes, found);
        if (module && module->source().failed())
            found.doubt = escape_terminal(basename_of(target.path)) + " cannot be read whole";
    }
    for (const std::uint32_t number : needed)
        if (std::ranges::find(found.sites, number, &CallSite::number) == found.sites.end())
            found.doubt = "no file of the target makes these calls in a way that is known";
    return found;
}

}  // namespace

std::string_view call_name(std::uint32_t number) {
    for (const Call& call : kCalls)
        if (call.wish.number == number) return call.name;
    return {};
}

void add_mapping_calls(const ElfModule& module, const std::string& path,
                       const std::shared_ptr<const ModuleFile>& file, CallSites& out) {
    add_call_sites(module, path, file, mapping_wishes(), out);
}

Result<CallSites> find_mapping_calls(pid_t pid) {
    return find_calls(pid, mapping_wishes(), {SYS_mmap, SYS_munmap});
}

Result<CallSites> find_socket_calls(pid_t pid) {
    return find_calls(pid, socket_wishes(), {SYS_read, SYS_write, SYS_recvfrom, SYS_sendto});
}

}  // namespace asrtrace::capture
