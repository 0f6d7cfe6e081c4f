/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Programs of uprobes stay on the stack of their thread. From 6.13 on their type, which kprobes
 * share, gets a stack a CPU (bpf_enable_priv_stack, kernel/bpf/verifier.c) and relies on a check of
 * recursion that uprobes do not have: where the kernel preempts (PREEMPT_LAZY, PREEMPT), a thread
 * that hits a probe while another is inside the same program on the same CPU writes over its
 * variables. A program with a tail call is left where it is; this one is never made. The array
 * belongs to programs of one attach type: sessions have one of their own.
 */
#ifndef ASRTRACE_OWN_STACK_BPF_H
#define ASRTRACE_OWN_STACK_BPF_H

#include "bpf/maps.bpf.h"

struct nowhere {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
};
struct nowhere nowhere_probe SEC(".maps") __weak;
struct nowhere nowhere_session SEC(".maps") __weak;

static __always_inline void stay_on_own_stack(struct pt_regs *ctx, void *nowhere)
{
	if (!cfg.tgid)
		bpf_tail_call(ctx, nowhere, 0);
}

#endif
