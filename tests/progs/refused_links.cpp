// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Preloaded into the tracer: the kernel refuses its probes on free, and takes all others.
#include <dlfcn.h>
#include <linux/bpf.h>
#include <sys/syscall.h>

#include <cerrno>
#include <cstdarg>
#include <cstdint>

#include "bpf/event.h"

namespace {

/// The part of union bpf_attr that a link on uprobes begins with (include/uapi/linux/bpf.h).
struct LinkOnUprobes {
    std::uint32_t program, target, attach_type, flags;
    std::uint64_t path_or_cookie;  ///< a cookie if it is a link on a perf event
    const std::uint64_t* offsets;
    const std::uint64_t* counters;
    const std::uint64_t* cookies;
};

bool is_on_free(const LinkOnUprobes& link) {
    constexpr std::uint32_t kMulti = 48, kSession = 57;  // newer than some headers
    if (link.attach_type == BPF_PERF_EVENT) return link.path_or_cookie == asrtrace::wire::FN_FREE;
    return (link.attach_type == kMulti || link.attach_type == kSession) &&
           link.cookies[0] == asrtrace::wire::FN_FREE;
}

}  // namespace

extern "C" long syscall(long number, ...) noexcept {
    using Function = long (*)(long, ...);
    static const auto real = reinterpret_cast<Function>(dlsym(RTLD_NEXT, "syscall"));
    std::va_list rest;
    va_start(rest, number);
    long arguments[6];
    for (long& argument : arguments) argument = va_arg(rest, long);
    va_end(rest);
    if (number == SYS_bpf && arguments[0] == BPF_LINK_CREATE &&
        is_on_free(*reinterpret_cast<const LinkOnUprobes*>(arguments[1]))) {
        errno = ENOMEM;
        return -1;
    }
    return real(number, arguments[0], arguments[1], arguments[2], arguments[3], arguments[4],
                arguments[5]);
}
