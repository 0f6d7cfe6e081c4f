// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * mmap, munmap, mremap, brk and madvise of the target, by probes behind the system call
 * instructions of its own modules, which no other process pays for. There the result is in its
 * register and the arguments still are in theirs, so that one hit tells all of a call:
 *
 *     mov  $9,%eax
 *     syscall
 *     cmp  $0xfffffffffffff000,%rax
 *     ja   error                      <- here: the kernel emulates the jump
 *
 * A range that went away is told when another thread may have it already; the ledger knows.
 */
#include "bpf/mappings.bpf.h"
#include "bpf/own_stack.bpf.h"

/*
 * The system call instruction leaves the address behind it in rcx: whoever came another way, or
 * from another system call, is not meant.
 */
static __always_inline bool comes_from_call(struct pt_regs *ctx, __u64 cookie)
{
	return ctx->cx + (cookie >> MAPPING_COOKIE_DISTANCE_SHIFT) == ctx->ip;
}

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
	__u32 call = cookie & MAPPING_COOKIE_CALL;
	__u64 id = current_thread();
	__u64 result = ctx->ax, old_break = last_break, stack = 0;
	struct thread_state *state;

	stay_on_own_stack(ctx, &nowhere_probe);
	if (process_of(id >> 32) < 0 || !comes_from_call(ctx, cookie))
		return 0;
	/* Before the window opens, too: the loader knows the break no better than by its page. */
	if (call == MAPPING_BRK)
		last_break = result;
	if (!enabled)
		return 0;
	count(COUNT_PROBE_HITS, 1);
	state = thread_state_of(id);
	if (!state || is_error(result))
		return 0;
	keep_arguments(state, ctx);
	if (call != MAPPING_MUNMAP && call != MAPPING_MADVISE)
		stack = take_kernel_entry_stack(state);
	switch (call) {
	case MAPPING_MMAP:
		state->syscall_args[0] = PT_REGS_PARM5_SYSCALL(ctx);
		emit_mmap(state, id, result, stack);
		break;
	case MAPPING_MUNMAP:
		emit_range(id, EV_MUNMAP, state->syscall_args[0], state->syscall_args[1], 0);
		break;
	case MAPPING_MREMAP:
		emit_mremap(state, id, EV_MREMAP, result, stack);
		break;
	case MAPPING_BRK:
		emit_brk(id, old_break, result, stack);
		break;
	case MAPPING_MADVISE:
		emit_range(id, EV_MADVISE, state->syscall_args[0], state->syscall_args[1],
			   state->syscall_args[2]);
		break;
	}
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
