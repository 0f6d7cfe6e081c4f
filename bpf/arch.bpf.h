/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Where architectures differ in how a function or a system call is entered and left. What a walk
 * knows of them is in bpf/unwind_rules.bpf.h.
 */
#ifndef ASRTRACE_ARCH_BPF_H
#define ASRTRACE_ARCH_BPF_H

#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#ifdef __TARGET_ARCH_arm64

#define ARCH_RETURN_IN_REGISTER 1 /* x30 holds the return address at a function's entry */
#define ARCH_RETURN_POPS 0        /* bytes that returning takes from the stack */
/* Pointer authentication signs return addresses in the bits above the address space (48 bits). */
#define ARCH_ADDRESS_MASK 0xffffffffffffULL
/* x86 keeps the order of stores and of loads among themselves. */
#define ARCH_KEEPS_ORDER 0

static __always_inline __u64 arch_return_address(const bpf_user_pt_regs_t *regs)
{
	return regs->regs[30] & ARCH_ADDRESS_MASK;
}

/* PSR_MODE_EL0t is 0. */
static __always_inline bool arch_in_user_mode(const bpf_user_pt_regs_t *regs)
{
	return !(regs->pstate & 15);
}

/* Of the system call under way. */
static __always_inline int arch_call_number(struct pt_regs *regs)
{
	return BPF_CORE_READ(regs, syscallno);
}

/* The software event of page faults tells of each. */
static __always_inline bool arch_came_by_exception(struct task_struct *task)
{
	(void)task;
	return false;
}

/* x0 is overwritten by the result, so no probe stands behind calls. */
static __always_inline bool arch_is_behind_call(const bpf_user_pt_regs_t *regs, __u64 distance)
{
	(void)regs, (void)distance;
	return false;
}

#else

#define ARCH_RETURN_IN_REGISTER 0
#define ARCH_RETURN_POPS 8
#define ARCH_ADDRESS_MASK (~0ULL)
#define ARCH_KEEPS_ORDER 1

static __always_inline __u64 arch_return_address(const bpf_user_pt_regs_t *regs)
{
	__u64 address = 0;

	bpf_probe_read_user(&address, sizeof(address), (void *)regs->sp);
	return address;
}

static __always_inline bool arch_in_user_mode(const bpf_user_pt_regs_t *regs)
{
	return regs->cs & 3;
}

static __always_inline int arch_call_number(struct pt_regs *regs)
{
	return BPF_CORE_READ(regs, orig_ax);
}

/*
 * Did the thread enter the kernel by an exception or an interrupt? They leave -1 where a system
 * call has its number (arch/x86/entry/entry_64.S and entry_fred.c).
 */
static __always_inline bool arch_came_by_exception(struct task_struct *task)
{
	return ((struct pt_regs *)bpf_task_pt_regs(task))->orig_ax == ~0UL;
}

/* The system call instruction leaves the address behind it in rcx. */
static __always_inline bool arch_is_behind_call(const bpf_user_pt_regs_t *regs, __u64 distance)
{
	return regs->cx + distance == regs->ip;
}

#endif

#endif
