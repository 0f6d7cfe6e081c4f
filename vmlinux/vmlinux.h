/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The kernel types that asrtrace's BPF programs touch, and no others. Written by hand from the output
 * of `bpftool btf dump file /sys/kernel/btf/vmlinux format c` (see README.md); every struct is
 * matched against the running kernel's BTF when the programs are loaded (CO-RE), so only names and
 * types matter here, never offsets. Variants of one struct on other kernels carry a ___suffix.
 */
#ifndef __VMLINUX_H__
#define __VMLINUX_H__

#include <linux/types.h>
#include <linux/bpf.h>

typedef __u8 u8;
typedef __s8 s8;
typedef __u16 u16;
typedef __s16 s16;
typedef __u32 u32;
typedef __s32 s32;
typedef __u64 u64;
typedef __s64 s64;
typedef _Bool bool;
enum { false = 0, true = 1 };

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

#include "registers.h" /* of this architecture */

struct page;

struct mm_struct {
	unsigned long brk;
};

typedef struct {
	int counter;
} atomic_t;

struct signal_struct {
	atomic_t live; /* threads that have not ended */
	int group_exit_code;
	unsigned int flags;
	struct mm_struct *oom_mm; /* set: the OOM killer chose the process */
};

struct ns_common {
	unsigned int inum;
};

struct pid_namespace {
	struct ns_common ns;
};

struct upid {
	int nr;
	struct pid_namespace *ns;
};

struct pid {
	unsigned int level;
	struct upid numbers[1]; /* level + 1 of them */
};

/* Whose type and number of the protocol's port are read, of whatever family. */
struct sock_common {
	__u16 skc_num;
	unsigned short skc_family;
};

struct sock {
	struct sock_common __sk_common;
	__u16 sk_protocol;
	struct socket *sk_socket;
};

struct socket {
	short type;
	struct sock *sk;
};

struct inode {
	unsigned short i_mode;
	unsigned long i_ino;
};

/* A socket and its inode are one allocation (include/net/sock.h). */
struct socket_alloc {
	struct socket socket;
	struct inode vfs_inode;
};

/* include/net/tcp_states.h */
enum {
	TCP_FIN_WAIT1 = 4,
	TCP_LAST_ACK = 9,
};

struct file {
	struct inode *f_inode;
	void *private_data;
};

struct fdtable {
	unsigned int max_fds;
	struct file **fd;
};

struct files_struct {
	struct fdtable *fdt;
};

struct sched_entity {
	unsigned long long sum_exec_runtime; /* ns */
};

struct task_struct {
	int pid;
	int tgid;
	int exit_code;
	int pagefault_disabled;
	unsigned long min_flt, maj_flt;
	struct sched_entity se;
	struct mm_struct *mm;
	struct task_struct *real_parent;
	struct task_struct *group_leader;
	struct pid *thread_pid;
	struct signal_struct *signal;
	struct files_struct *files;
};

/* include/trace/trace_events.h */
struct trace_entry {
	int pid;
};

struct trace_event_raw_sys_enter {
	struct trace_entry ent;
	long id;
	unsigned long args[6];
};

struct trace_event_raw_sys_exit {
	struct trace_entry ent;
	long id;
	long ret;
};

/* include/trace/events/oom.h: there is a `uid` where the tracepoint passes a task and not its pid */
struct trace_event_raw_mark_victim {
	unsigned int uid;
};

#pragma clang attribute pop

/* include/uapi/linux/bpf_perf_event.h */
struct bpf_perf_event_data {
	bpf_user_pt_regs_t regs;
	__u64 sample_period;
	__u64 addr;
};

#endif
