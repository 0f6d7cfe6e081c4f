// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// What this kernel and machine allow, found by trying, never by comparing versions.
#pragma once

#include <string>
#include <vector>

namespace asrtrace::capture {

struct Features {
    bool btf = false;                 ///< /sys/kernel/btf/vmlinux: without it nothing loads
    bool bpf = false;                 ///< a program can be loaded at all
    std::string bpf_error;            ///< why not
    bool uprobe_multi = false;        ///< since 6.6
    bool uprobe_session = false;      ///< since 6.13
    bool perf_uprobe = false;         ///< the uprobe PMU
    bool tracefs = false;             ///< mounted: system call tracepoints can be found
    bool fault_tracepoints = false;   ///< exceptions:page_fault_user/kernel as BTF tracepoints
    bool exact_rss_stat = false;      ///< rss_stat(mm, member) over percpu counters: since 6.2
    bool socket_tracepoints = false;  ///< sock_send_length, sock_recv_length: since 6.3
    bool ring_buffer = false;         ///< since 5.8
    bool attach_cookie = false;       ///< bpf_get_attach_cookie: since 5.15
    bool seccomp_filter = false;      ///< with answers as errors, and asked for by a thread
};

Features detect_features();

/// A row of `asrtrace doctor`.
struct FeatureRow {
    std::string name;
    bool works = false;
    bool required = false;
    std::string why;     ///< what is lost without it
    std::string remedy;  ///< how to get it; empty if it works
};
std::vector<FeatureRow> feature_rows(const Features& features);

}  // namespace asrtrace::capture
