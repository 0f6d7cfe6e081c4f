// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/base/confinement.h"

#include <fcntl.h>
#include <linux/bpf.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "user/base/architecture.h"
#include "user/base/syscall_filter.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define ASRTRACE_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define ASRTRACE_SANITIZED 1
#endif
#endif

namespace asrtrace {
namespace {

/// O_TMPFILE without the O_DIRECTORY in it.
constexpr std::uint32_t kUnnamedFile = O_TMPFILE & ~O_DIRECTORY;
constexpr std::uint32_t kWriting = O_ACCMODE | O_CREAT | O_TRUNC | kUnnamedFile;

void allow_basics(SyscallFilter& filter) {
    // A return probe may stand in our own libc (another tracer's; ours with --follow): EPERM is the
    // end.
    for (const long number : kProbeCalls) filter.allow({number});
    filter.allow({SYS_futex, SYS_read, SYS_pread64, SYS_readv, SYS_lseek, SYS_close, SYS_fstat,
                  SYS_munmap, SYS_mremap, SYS_madvise, SYS_brk});
    // Code comes from files that were there before: nothing that is read becomes code.
    filter.allow_without(SYS_mprotect, 2, PROT_EXEC);
    filter.allow_without(SYS_mmap, 2, PROT_EXEC);
    filter.allow({SYS_clock_gettime, SYS_clock_nanosleep, SYS_nanosleep, SYS_gettimeofday,
                  SYS_sched_yield, SYS_getrandom, SYS_getcpu, SYS_membarrier, SYS_getrusage,
                  SYS_getpid, SYS_gettid, SYS_getuid, SYS_geteuid, SYS_getgid, SYS_getegid,
                  SYS_sched_getaffinity, SYS_uname, SYS_sysinfo});
    filter.allow({SYS_rt_sigaction, SYS_rt_sigprocmask, SYS_rt_sigreturn, SYS_sigaltstack,
                  SYS_restart_syscall, SYS_exit, SYS_exit_group, SYS_set_robust_list, SYS_rseq});
    filter.allow_equal(SYS_tgkill, 0, static_cast<std::uint64_t>(::getpid()));  // abort
    filter.allow_equal(SYS_prlimit64, 2, 0);                                    // only asks
    filter.allow_one_of(SYS_fcntl, 1, {F_GETFD, F_SETFD, F_GETFL, F_DUPFD_CLOEXEC});
}

void allow_opening_files(SyscallFilter& filter, std::uint32_t without,
                         const std::vector<std::uint32_t>& others = {}) {
    filter.allow_without(SYS_openat, 2, without, others);
#ifdef SYS_open
    filter.allow_without(SYS_open, 1, without, others);
    filter.allow({SYS_stat, SYS_lstat, SYS_access, SYS_readlink});
#endif
    filter.allow_equal(SYS_openat2, 2, reinterpret_cast<std::uintptr_t>(&kReadInRoot));
    filter.allow({SYS_newfstatat, SYS_statx, SYS_fstatfs, SYS_faccessat, SYS_faccessat2,
                  SYS_readlinkat, SYS_getdents64, SYS_fadvise64});
}

void allow_threads(SyscallFilter& filter) {
    // Its flags lie behind a pointer; clone(2), which glibc takes then, has them in a register.
    filter.refuse({SYS_clone3}, ENOSYS);
    filter.allow_with(SYS_clone, 0, CLONE_THREAD);
}

/// Reports on standard error; a sanitizer tries by pipes whether memory can be read, names its
/// background thread, and looks up its own mappings.
void allow_messages(SyscallFilter& filter) {
#ifdef ASRTRACE_SANITIZED
    allow_opening_files(filter, kWriting);
    filter.allow({SYS_write, SYS_writev, SYS_pipe2, SYS_prctl, SYS_getppid, SYS_process_vm_readv});
#ifdef SYS_pipe
    filter.allow({SYS_pipe});
#endif
#else
    filter.allow_one_of(SYS_write, 0, {STDERR_FILENO});
    filter.allow_one_of(SYS_writev, 0, {STDERR_FILENO});
#endif
}

void allow_bpf(SyscallFilter& filter, const Confinement& confinement) {
    if (confinement.fills_bpf_maps)
        filter.allow_one_of(SYS_bpf, 0,
                            {BPF_MAP_CREATE, BPF_MAP_LOOKUP_ELEM, BPF_MAP_UPDATE_ELEM,
                             BPF_MAP_DELETE_ELEM, BPF_MAP_UPDATE_BATCH});
    if (confinement.switches_bpf_statistics) filter.allow_one_of(SYS_bpf, 0, {BPF_ENABLE_STATS});
}

/// Names are looked up in files and by DNS. No local sockets: what listens there trusts who is
/// root.
void allow_requests(SyscallFilter& filter) {
    filter.allow_one_of(SYS_socket, 0, {AF_INET, AF_INET6, AF_NETLINK});
    filter.allow({SYS_bind, SYS_connect, SYS_shutdown, SYS_sendto, SYS_sendmsg, SYS_sendmmsg,
                  SYS_recvfrom, SYS_recvmsg, SYS_recvmmsg, SYS_setsockopt, SYS_getsockopt,
                  SYS_getsockname, SYS_getpeername});
    filter.allow({SYS_ppoll, SYS_eventfd2, SYS_pipe2, SYS_socketpair, SYS_write, SYS_writev});
#ifdef SYS_poll
    filter.allow({SYS_poll});
#endif
    filter.allow_one_of(SYS_fcntl, 1, {F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_DUPFD_CLOEXEC});
    filter.allow_one_of(SYS_ioctl, 1, {FIONBIO, FIONREAD});
}

/// Of several rules for one system call the first decides.
SyscallFilter filter_for(const Confinement& confinement) {
    SyscallFilter filter(SyscallFilter::Others::kRefused);
    if (confinement.sends_requests) allow_requests(filter);  // more of fcntl than the basics
    allow_basics(filter);
    if (confinement.writes_files) {
        filter.allow({SYS_write, SYS_renameat, SYS_unlinkat});
        allow_opening_files(filter, 0);
    }
    if (confinement.makes_nameless_files) {
        filter.allow({SYS_pwrite64});
        allow_opening_files(filter, kWriting, {kNamelessFile});
    }
    if (confinement.opens_files) allow_opening_files(filter, kWriting);
    if (confinement.reads_processes) filter.allow({SYS_process_vm_readv});
    if (confinement.stops_processes) {
        filter.allow_one_of(SYS_ptrace, 0,
                            {PTRACE_SEIZE, PTRACE_INTERRUPT, PTRACE_GETREGSET, PTRACE_DETACH});
        filter.allow({SYS_wait4});
    }
    if (confinement.ioctl != 0) filter.allow_one_of(SYS_ioctl, 1, {confinement.ioctl});
    if (confinement.raises_priority)
        filter.allow(
            {SYS_getpriority, SYS_setpriority, SYS_sched_getscheduler, SYS_sched_setscheduler});
    if (confinement.starts_threads) allow_threads(filter);
    allow_bpf(filter, confinement);
    allow_messages(filter);
    return filter;
}

SyscallFilter filter_of_the_settled() {
    SyscallFilter filter(SyscallFilter::Others::kAllowed);
    filter.refuse({SYS_execve, SYS_execveat, SYS_process_vm_writev, SYS_pidfd_getfd}, EPERM);
    filter.refuse({SYS_init_module, SYS_finit_module, SYS_delete_module, SYS_kexec_load,
                   SYS_kexec_file_load, SYS_reboot, SYS_swapon, SYS_swapoff, SYS_acct, SYS_quotactl,
                   SYS_settimeofday, SYS_clock_settime, SYS_sethostname, SYS_setdomainname},
                  EPERM);
    filter.refuse(
        {SYS_mount, SYS_umount2, SYS_pivot_root, SYS_chroot, SYS_move_mount, SYS_open_tree,
         SYS_fsopen, SYS_fsmount, SYS_setns, SYS_unshare, SYS_open_by_handle_at, SYS_personality},
        EPERM);
    filter.refuse({SYS_add_key, SYS_request_key, SYS_keyctl, SYS_userfaultfd, SYS_io_uring_setup},
                  EPERM);
#ifdef SYS_iopl
    filter.refuse({SYS_iopl, SYS_ioperm, SYS_modify_ldt}, EPERM);
#endif
#ifndef ASRTRACE_SANITIZED  // which looks for leaks at the end from a process that traces this one
    filter.refuse({SYS_ptrace}, EPERM);
    allow_threads(filter);
#ifdef SYS_fork
    filter.refuse({SYS_fork, SYS_vfork}, EPERM);
#endif
#endif
    return filter;
}

}  // namespace

const open_how kReadInRoot = {
    .flags = O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK,
    .mode = 0,
    .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
};

Status settle_thread(CapabilitySet kept) {
    if (auto status = keep_capabilities(kept); !status) return status;
    return filter_of_the_settled().install();
}

Status confine_thread(const Settlement& settlement) {
    ::prctl(PR_SET_NAME, settlement.name);
    return settle_thread(settlement.capabilities);
}

Status confine_thread(const Confinement& confinement) {
    ::prctl(PR_SET_NAME, confinement.name);
    if (auto status = keep_capabilities(confinement.capabilities); !status) return status;
    return filter_for(confinement).install();
}

}  // namespace asrtrace
