// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/capture/features.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <linux/seccomp.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "user/base/architecture.h"
#include "user/base/fd.h"
#include "user/capture/process.h"
#include "user/capture/uprobes.h"

namespace asrtrace::capture {
namespace {

/// `r0 = 0; exit` as a program of this type and expected attach type.
UniqueFd load_empty(bpf_prog_type type, std::uint32_t expected_attach_type) {
    std::array<bpf_insn, 2> code{};
    code[0].code = BPF_ALU64 | BPF_MOV | BPF_K;
    code[1].code = BPF_JMP | BPF_EXIT;
    LIBBPF_OPTS(bpf_prog_load_opts, options);
    options.expected_attach_type = static_cast<bpf_attach_type>(expected_attach_type);
    return UniqueFd(bpf_prog_load(type, "probe", "GPL", code.data(), code.size(), &options));
}

/// A link on a file that is no executable: a kernel that knows the attach type says EBADF or
/// EINVAL about the file only after it has accepted the type.
bool link_type_known(std::uint32_t attach_type) {
    const UniqueFd program = load_empty(BPF_PROG_TYPE_KPROBE, attach_type);
    if (!program.valid()) return false;
    const UprobeSite nowhere;
    const auto link = link_uprobe_multi(program.get(), attach_type, "/", {&nowhere, 1}, 0, 0);
    return !link && link.error().message.find(std::strerror(EBADF)) != std::string::npos;
}

bool btf_has_function_typedef(const btf* types, const char* name, std::size_t parameters) {
    const int id = btf__find_by_name_kind(types, name, BTF_KIND_TYPEDEF);
    if (id < 0) return false;
    const btf_type* pointer =
        btf__type_by_id(types, btf__type_by_id(types, static_cast<__u32>(id))->type);
    if (pointer == nullptr || !btf_is_ptr(pointer)) return false;
    const btf_type* prototype = btf__type_by_id(types, pointer->type);
    return prototype != nullptr && btf_is_func_proto(prototype) &&
           btf_vlen(prototype) == parameters;
}

/// mm_struct.rss_stat is an array of percpu_counter (since 6.2).
bool has_percpu_rss_stat(const btf* types) {
    const int id = btf__find_by_name_kind(types, "mm_struct", BTF_KIND_STRUCT);
    if (id < 0) return false;
    // The members sit in an anonymous struct inside mm_struct.
    const btf_type* type = btf__type_by_id(types, static_cast<__u32>(id));
    const auto find = [&](const btf_type* record, const auto& self) -> bool {
        const btf_member* members = btf_members(record);
        for (int i = 0; i < btf_vlen(record); ++i) {
            const char* name = btf__name_by_offset(types, members[i].name_off);
            const btf_type* member = btf__type_by_id(types, members[i].type);
            if (std::strcmp(name, "rss_stat") == 0) return btf_is_array(member);
            if (*name == '\0' && btf_is_composite(member) && self(member, self)) return true;
        }
        return false;
    };
    return find(type, find);
}

}  // namespace

Features detect_features() {
    libbpf_set_print(nullptr);
    Features features;
    features.tracefs =
        ::access("/sys/kernel/tracing/events/syscalls/sys_enter_mmap/id", R_OK) == 0 ||
        ::access("/sys/kernel/debug/tracing/events/syscalls/sys_enter_mmap/id", R_OK) == 0;
    std::uint32_t action = SECCOMP_RET_ERRNO;
    features.seccomp_filter = ::syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0;
    features.perf_uprobe = ::access("/sys/bus/event_source/devices/uprobe/type", R_OK) == 0;
    features.btf = ::access("/sys/kernel/btf/vmlinux", R_OK) == 0;
    const UniqueFd program = load_empty(BPF_PROG_TYPE_KPROBE, 0);
    features.bpf = program.valid();
    if (!features.bpf) features.bpf_error = std::strerror(errno);
    if (!features.bpf || !features.btf) return features;
    features.uprobe_multi = link_type_known(kAttachUprobeMulti);
    features.uprobe_session = link_type_known(kAttachUprobeSession);
    features.ring_buffer = libbpf_probe_bpf_map_type(BPF_MAP_TYPE_RINGBUF, nullptr) == 1;
    features.attach_cookie =
        libbpf_probe_bpf_helper(BPF_PROG_TYPE_KPROBE, BPF_FUNC_get_attach_cookie, nullptr) == 1;
    btf* types = btf__load_vmlinux_btf();
    if (types == nullptr) return features;
    features.fault_tracepoints =
        btf__find_by_name_kind(types, "btf_trace_page_fault_user", BTF_KIND_TYPEDEF) > 0 &&
        btf__find_by_name_kind(types, "btf_trace_page_fault_kernel", BTF_KIND_TYPEDEF) > 0;
    features.socket_tracepoints = true;
    for (const char* name : {"btf_trace_sock_recv_length", "btf_trace_sock_send_length",
                             "btf_trace_inet_sock_set_state", "btf_trace_tcp_destroy_sock"})
        features.socket_tracepoints = features.socket_tracepoints &&
                                      btf__find_by_name_kind(types, name, BTF_KIND_TYPEDEF) > 0;
    // The first parameter is the tracepoint's own data pointer.
    features.exact_rss_stat =
        btf_has_function_typedef(types, "btf_trace_rss_stat", 3) && has_percpu_rss_stat(types);
    btf__free(types);
    return features;
}

std::vector<FeatureRow> feature_rows(const Features& f) {
    const auto missing = missing_capabilities();
    std::string names;
    for (const std::string& name : missing) names += (names.empty() ? "" : ", ") + name;
    std::vector<FeatureRow> rows{
        {"capabilities", missing.empty(), true, "loading programs and reading the target",
         missing.empty() ? "" : "run with sudo; missing: " + names},
        {"bpf", f.bpf, true, "every probe",
         f.bpf ? ""
               : "loading a program failed: " + f.bpf_error +
                     "; with lockdown=confidentiality the kernel refuses it"},
        {"btf", f.btf, true, "CO-RE: the programs adapt to the kernel's types",
         f.btf ? "" : "boot a kernel built with CONFIG_DEBUG_INFO_BTF=y"},
        {"ring_buffer", f.ring_buffer, true, "the events' way to user space",
         f.ring_buffer ? "" : "needs Linux 5.8"},
        {"attach_cookie", f.attach_cookie, true, "telling the probes of one program apart",
         f.attach_cookie ? "" : "needs Linux 5.15"},
        {"tracefs", f.tracefs, false, "mappings where probes cannot follow them (--follow, musl)",
         f.tracefs ? "" : "mount -t tracefs tracefs /sys/kernel/tracing"},
        {"fault_tracepoints", f.fault_tracepoints, false, "page faults and growth by stack",
         f.fault_tracepoints ? "" : "needs x86-64; perf's event of page faults is used instead"},
        {"exact_rss_stat", f.exact_rss_stat, false, "the weight of huge-page faults",
         f.exact_rss_stat ? "" : "needs Linux 6.2; each fault counts as one page"},
        {"socket_tracepoints", f.socket_tracepoints, false,
         "HTTP requests at no cost to other processes' system calls",
         f.socket_tracepoints ? "" : "needs Linux 6.3; system calls are watched instead"},
        {"uprobe_session", f.uprobe_session, false, "the cheapest probes with a return",
         f.uprobe_session ? "" : "needs Linux 6.13; entry and return probes are used instead"},
        {"uprobe_multi", f.uprobe_multi, false,
         kCallsKeepArguments
             ? "probes attach in milliseconds; mappings cost other processes nothing"
             : "probes attach and detach in milliseconds",
         f.uprobe_multi ? "" : "needs Linux 6.6; perf uprobes and tracepoints are used instead"},
        {"perf_uprobe", f.perf_uprobe, false, "the way to attach without uprobe_multi",
         f.perf_uprobe ? "" : "needs CONFIG_UPROBE_EVENTS=y"},
        {"seccomp_filter", f.seccomp_filter, false, "confining the threads that read the target",
         f.seccomp_filter ? ""
                          : "needs CONFIG_SECCOMP_FILTER=y and a container that allows it; they "
                            "keep their system calls, and a run says so"},
    };
    if (!kCallsKeepArguments)
        rows.push_back({"call_probes", false, false,
                        "mappings at no cost to other processes, HTTP at none to their sockets",
                        "needs x86-64; tracepoints are used instead"});
    return rows;
}

}  // namespace asrtrace::capture
