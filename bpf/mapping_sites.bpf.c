// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * mmap, munmap, mremap, brk and madvise of the target, by probes behind its own system calls. A
 * range that went away is told when another thread may have it already; the ledger knows.
 */
#include "bpf/call_sites.bpf.h"
#include "bpf/mappings.bpf.h"
#include <asm/unistd.h>

static __always_inline void keep_arguments(struct thread_state *state, struct pt_regs *ctx)
{
	state->syscall_args[0] = PT_REGS_PARM1_SYSCALL(ctx);
	state->syscall_args[1] = PT_REGS_PARM2_SYSCALL(ctx);
	state->syscall_args[2] = PT_REGS_PARM3_SYSCALL(ctx);
	state->syscall_args[3] = PT_REGS_PARM4_SYSCALL(ctx);
}

SEC("uprobe")
int mapping_call(struct pt_regs *ctx)
{
	__u64 cookie = bpf_get_attach_cookie(ctx);
	__u32 call = cookie & CALL_COOKIE_CALL;
	__u64 id = current_thread();
	__u64 result = PT_REGS_RC(ctx), old_break = last_break, stack = 0;
	struct thread_state *state;

	stay_on_own_stack(ctx);
	if (process_of(id >> 32) < 0 || !comes_from_call(ctx, cookie))
		return 0;
	/*
	 * Before the window opens, too: the loader knows the break no better than by its page, and
	 * looks at what was advised a little earlier.
	 */
	if (call == __NR_brk)
		last_break = result;
	if (call == __NR_madvise && PT_REGS_PARM3_SYSCALL(ctx) == MADV_HUGEPAGE)
		huge_pages_advised = 1;
	if (!enabled)
		return 0;
	count(COUNT_PROBE_HITS, 1);
	state = thread_state_of(id);
	if (!state || is_error(result))
		return 0;
	keep_arguments(state, ctx);
	if (call != __NR_munmap && call != __NR_madvise)
		stack = take_kernel_entry_stack(state);
	switch (call) {
	case __NR_mmap:
		state->syscall_args[0] = PT_REGS_PARM5_SYSCALL(ctx);
		emit_mmap(state, id, result, stack);
		break;
	case __NR_munmap:
		emit_range(id, EV_MUNMAP, state->syscall_args[0], state->syscall_args[1]);
		break;
	case __NR_mremap:
		emit_mremap(state, id, EV_MREMAP, result, stack);
		break;
	case __NR_brk:
		emit_brk(id, old_break, result, stack);
		break;
	case __NR_madvise:
		emit_madvise(id, state);
		break;
	}
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
