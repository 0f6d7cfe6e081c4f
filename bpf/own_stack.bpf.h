/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Programs of uprobes stay on the stack of their thread. From 6.13 on their type, which kprobes
 * share, gets a stack a CPU (bpf_enable_priv_stack, kernel/bpf/verifier.c) and relies on a check of
 * recursion that uprobes do not have: where the kernel preempts (PREEMPT_LAZY, PREEMPT), a thread
 * that hits a probe while another is inside the same program on the same CPU writes over its
 * variables. A program in which a tail call stands is left where it is (check_subprogs looks at all
 * instructions). This one is never made: `cfg` is read-only, so the verifier knows the branch to be
 * dead, does not look at the map, which is none, and removes the call.
 */
#ifndef ASRTRACE_OWN_STACK_BPF_H
#define ASRTRACE_OWN_STACK_BPF_H

#include "bpf/maps.bpf.h"

static __always_inline void stay_on_own_stack(struct pt_regs *ctx)
{
	if (!cfg.tgid)
		bpf_tail_call(ctx, NULL, 0);
}

#endif
