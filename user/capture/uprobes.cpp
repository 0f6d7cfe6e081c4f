// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/capture/uprobes.h"

#include <bpf/bpf.h>
#include <linux/bpf.h>
#include <linux/perf_event.h>
#include <sys/syscall.h>

#include <algorithm>
#include <cstdlib>
#include <iterator>
#include <thread>
#include <utility>

#include "user/base/beside.h"
#include "user/base/maps.h"

namespace asrtrace::capture {
namespace {

/// The BPF_LINK_CREATE part of union bpf_attr for uprobe_multi (include/uapi/linux/bpf.h, 6.6).
struct LinkCreateUprobeMulti {
    std::uint32_t prog_fd;
    std::uint32_t target_fd;
    std::uint32_t attach_type;
    std::uint32_t flags;
    std::uint64_t path;
    std::uint64_t offsets;
    std::uint64_t ref_ctr_offsets;
    std::uint64_t cookies;
    std::uint32_t count;
    std::uint32_t multi_flags;
    std::uint32_t pid;
    std::uint32_t path_fd;
};
static_assert(sizeof(LinkCreateUprobeMulti) == 64);

std::uint64_t pointer(const void* address) {
    return reinterpret_cast<std::uintptr_t>(address);
}

}  // namespace

Result<UniqueFd> link_uprobe_multi(int program_fd, std::uint32_t attach_type,
                                   const std::string& path, std::span<const UprobeSite> sites,
                                   std::uint32_t flags, pid_t pid) {
    std::vector<std::uint64_t> offsets;
    std::vector<std::uint64_t> counters;
    std::vector<std::uint64_t> cookies;
    for (const UprobeSite& site : sites) {
        offsets.push_back(site.file_offset);
        counters.push_back(site.ref_ctr_offset);
        cookies.push_back(site.cookie);
    }
    LinkCreateUprobeMulti attributes{};
    attributes.prog_fd = static_cast<std::uint32_t>(program_fd);
    attributes.attach_type = attach_type;
    attributes.path = pointer(path.c_str());
    attributes.offsets = pointer(offsets.data());
    attributes.ref_ctr_offsets = pointer(counters.data());
    attributes.cookies = pointer(cookies.data());
    attributes.count = static_cast<std::uint32_t>(sites.size());
    attributes.multi_flags = flags;
    attributes.pid = pid > 0 ? static_cast<std::uint32_t>(pid) : 0;
    const long fd = ::syscall(SYS_bpf, BPF_LINK_CREATE, &attributes, sizeof(attributes));
    if (fd < 0) return errno_error("uprobe_multi");
    return UniqueFd(static_cast<int>(fd));
}

Result<std::vector<UniqueFd>> link_perf_uprobe(int program_fd, const UprobeSite& site,
                                               bool return_probe, pid_t pid) {
    const auto type = read_text_file("/sys/bus/event_source/devices/uprobe/type");
    if (!type) return type.error();
    perf_event_attr attributes{};
    attributes.size = sizeof(attributes);
    attributes.type = static_cast<std::uint32_t>(std::strtoul(type->c_str(), nullptr, 10));
    // format/retprobe is config:0, format/ref_ctr_offset is config:32-63.
    attributes.config = (return_probe ? 1U : 0U) | site.ref_ctr_offset << 32;
    attributes.config1 = pointer(site.file->path().c_str());
    attributes.config2 = site.file_offset;
    UniqueFd event(static_cast<int>(::syscall(SYS_perf_event_open, &attributes, pid,
                                              pid > 0 ? -1 : 0, -1, PERF_FLAG_FD_CLOEXEC)));
    if (!event.valid()) return errno_error("perf uprobe");
    LIBBPF_OPTS(bpf_link_create_opts, options);
    options.perf_event.bpf_cookie = site.cookie;
    UniqueFd link(bpf_link_create(program_fd, event.get(), BPF_PERF_EVENT, &options));
    if (!link.valid()) return errno_error("perf uprobe's link");
    std::vector<UniqueFd> fds;
    fds.push_back(std::move(link));
    fds.push_back(std::move(event));
    return fds;
}

std::string method_name(ProbeMethod method) {
    return method == ProbeMethod::kSession ? "uprobe session"
           : method == ProbeMethod::kMulti ? "uprobe_multi"
                                           : "perf uprobe";
}

namespace {

Status link_perf(CallPrograms programs, const UprobeSite& site, pid_t pid,
                 std::vector<UniqueFd>& links) {
    const auto link = [&](int program_fd, bool return_probe) -> Status {
        auto linked = link_perf_uprobe(program_fd, site, return_probe, pid);
        if (!linked) return linked.error();
        std::ranges::move(*linked, std::back_inserter(links));
        return ok_status();
    };
    // The return first: a return without an entry is ignored, not the other way round.
    const Status returns = programs.return_fd >= 0 ? link(programs.return_fd, true) : ok_status();
    return returns ? link(programs.entry_fd, false) : returns;
}

/// `sites` are of one file.
Status link_multi(bool session, CallPrograms programs, std::span<const UprobeSite> sites, pid_t pid,
                  std::vector<UniqueFd>& links) {
    const std::string& path = sites.front().file->path();
    const auto link = [&](int program_fd, std::uint32_t attach_type,
                          std::uint32_t flags) -> Status {
        auto linked = link_uprobe_multi(program_fd, attach_type, path, sites, flags, pid);
        if (!linked) return linked.error();
        links.push_back(std::move(*linked));
        return ok_status();
    };
    const auto [entry_fd, return_fd] = programs;
    if (session && return_fd == entry_fd) return link(entry_fd, kAttachUprobeSession, 0);
    const Status returns =
        return_fd >= 0 ? link(return_fd, kAttachUprobeMulti, kUprobeMultiReturn) : ok_status();
    return returns ? link(entry_fd, kAttachUprobeMulti, 0) : returns;
}

}  // namespace

Result<std::vector<UniqueFd>> link_sites(ProbeMethod method, CallPrograms programs,
                                         std::vector<UprobeSite> sites, pid_t pid) {
    std::ranges::stable_sort(sites, {},
                             [](const UprobeSite& site) { return site.file->version(); });
    std::vector<UniqueFd> links;
    for (auto begin = sites.begin(); begin != sites.end();) {
        const auto end = std::find_if(begin + 1, sites.end(), [&](const UprobeSite& site) {
            return method == ProbeMethod::kPerf || site.file->version() != begin->file->version();
        });
        Status status = begin->file->check_unchanged();
        if (status)
            status = method == ProbeMethod::kPerf ? link_perf(programs, *begin, pid, links)
                                                  : link_multi(method == ProbeMethod::kSession,
                                                               programs, {begin, end}, pid, links);
        if (!status) {
            unlink_sites(links);
            return Error{begin->what + " in " + begin->file->name() + ": " +
                         status.error().message};
        }
        begin = end;
    }
    return links;
}

void unlink_sites(std::vector<UniqueFd>& links) {
    std::vector<std::jthread> removals;
    removals.reserve(links.size());
    for (UniqueFd& fd : links) removals.push_back(do_beside([&fd] { fd.reset(); }));
    removals.clear();  // waits for all
    links.clear();
}

}  // namespace asrtrace::capture
