/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Probes behind system call instructions of the target's own modules, which no other process pays
 * for. There the result is in its register and the arguments still are in theirs, so that one hit
 * tells all of a call:
 *
 *     mov  $9,%eax
 *     syscall
 *     cmp  $0xfffffffffffff000,%rax
 *     ja   error                      <- here: the kernel emulates the jump
 */
#ifndef ASRTRACE_CALL_SITES_BPF_H
#define ASRTRACE_CALL_SITES_BPF_H

#include "bpf/arch.bpf.h"
#include "bpf/own_stack.bpf.h"

/* Whoever came another way, or from another system call, is not meant. */
static __always_inline bool comes_from_call(struct pt_regs *ctx, __u64 cookie)
{
	return arch_is_behind_call((bpf_user_pt_regs_t *)ctx, cookie >> CALL_COOKIE_DISTANCE_SHIFT);
}

#endif
