/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Stands in for vmlinux/vmlinux.h when the BPF C is compiled for the host. */
#ifndef __VMLINUX_H__
#define __VMLINUX_H__

#include <linux/types.h>
#include <linux/bpf.h>
#include <stdbool.h>
#include <stddef.h>

struct pt_regs {
	unsigned long r15, r14, r13, r12, bp, bx;
	unsigned long r11, r10, r9, r8, ax, cx, dx, si, di;
	unsigned long orig_ax, ip, cs, flags, sp, ss;
};
typedef struct pt_regs bpf_user_pt_regs_t;

struct task_struct {
	int pid;
};

#endif
