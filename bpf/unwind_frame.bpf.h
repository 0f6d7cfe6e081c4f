/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * One step of a walk: from a frame to its caller, or one word of a stack scan. A step returns 1
 * when the walk is over.
 */
#ifndef ASRTRACE_UNWIND_FRAME_BPF_H
#define ASRTRACE_UNWIND_FRAME_BPF_H

#include "bpf/unwind_rules.bpf.h"
#include "bpf/unwind_scan.bpf.h"

/* ip is a return probe's trampoline: the caller of unwind_user knows what it replaced. */
static __always_inline int unwind_resolve_trampoline(struct unwind_state *state)
{
	/* Where the stack pointer was at the probed function's entry: one with the caller's if the
	 * call pushed nothing. */
	__u64 entry = ARCH_RETURN_IN_REGISTER ? state->sp : state->return_slot;

	for (__u32 i = 0; i < UNWIND_SAVED_RETURNS; i++) {
		if (i >= state->saved_count)
			break;
		if (state->saved[i].sp == entry) {
			unwind_trail_lose(state);
			state->ip = state->saved[i].address;
			return 0;
		}
	}
	return -1;
}

/* The return address is at the top of the stack, whatever code this is. */
static __always_inline long unwind_at_entry(struct unwind_state *state)
{
	__u64 ip = state->regs[0];

	if (ARCH_RETURN_IN_REGISTER)
		return unwind_to(state, ip & ARCH_ADDRESS_MASK, state->sp, state->fp, 0);
	if (unwind_read(state, state->sp, &ip))
		return unwind_stop(state, UNWIND_BAD_READ);
	unwind_trail_add(state, state->sp, ip, 0);
	return unwind_to(state, ip, state->sp + 8, state->fp, state->sp);
}

static __always_inline long unwind_start_scan(struct unwind_state *state)
{
	state->scanned = 1;
	unwind_trail_lose(state);
	return 0;
}

static __always_inline long unwind_from_mapping(struct unwind_state *state, __u64 pc)
{
	__u64 row;

	if (state->mapping.kind == UNWIND_MAPPING_TABLE) {
		row = unwind_find_row(state, pc);
		/* In a system call ip is behind the instruction; of rt_sigreturn, behind all. */
		if (state->exact && unwind_row_cfa(row) == UNWIND_CFA_NONE)
			row = unwind_find_row_again(state, pc - 1);
		switch (unwind_row_cfa(row)) {
		case UNWIND_CFA_END:
			return unwind_stop(state, UNWIND_COMPLETE);
		case UNWIND_CFA_SIGNAL:
			return unwind_signal(state);
		case UNWIND_CFA_NONE: /* assembly without CFI, mostly leaves that keep rbp */
			return unwind_start_scan(state);
		default:
			return unwind_by_row(state, row);
		}
	}
	if (state->mapping.kind == UNWIND_MAPPING_NO_TABLE) {
		if (unwind_at_sigreturn(state->ip))
			return unwind_signal(state);
		if (!unwind_by_frame_pointer(state))
			return 0;
	}
	return unwind_start_scan(state);
}

/* Records this frame and moves to its caller. */
static __always_inline long unwind_frame(struct unwind_state *state)
{
	__u32 depth = state->out.depth;
	int unknown = unwind_find_mapping(state, state->ip - !state->exact);

	/*
	 * A trampoline is no call's target: it begins its mapping, and ip - 1 is outside. The
	 * kernel makes that mapping at the first hit, so it may not be known yet.
	 */
	if (unknown && !state->exact) {
		if (!unwind_resolve_trampoline(state))
			unknown = unwind_find_mapping(state, state->ip - 1);
		else if (!unwind_find_mapping(state, state->ip) &&
			 state->mapping.kind == UNWIND_MAPPING_UPROBES)
			return unwind_stop(state, UNWIND_TRAMPOLINE);
	}
	if (depth >= UNWIND_MAX_FRAMES)
		return unwind_stop(state, UNWIND_TOO_DEEP);
	/* Code that user space has not seen yet, or a frame that is being torn down (libgcc
	 * rewrites return slots while it installs a handler's context)? */
	if (unknown && !state->exact && !unwind_behind_call(state->ip))
		return unwind_stop(state, UNWIND_NOT_CODE);
	state->out.pcs[depth] = state->ip;
	state->out.depth = depth + 1;
	unwind_key_add(state, unknown);
	if (unknown)
		state->out.flags |= UNWIND_UNKNOWN_MAPPING;
	if (!depth && (state->input & UNWIND_AT_ENTRY))
		return unwind_at_entry(state);
	if (unknown)
		return unwind_start_scan(state);
	return unwind_from_mapping(state, state->ip - !state->exact);
}

/*
 * What a scan took for the caller may be an old return address in a slot that nobody has written
 * since: the walk from there ends in the middle of nowhere. Back to the scan, behind that word.
 */
static __noinline long unwind_drop_guess(struct unwind_state *state)
{
	if (!state->guess_scanned || state->out.reason == UNWIND_COMPLETE ||
	    state->out.reason == UNWIND_TOO_DEEP)
		return 1;
	state->scanned = state->guess_scanned;
	state->guess_scanned = 0;
	state->out.depth = state->guess_depth;
	state->out.flags = state->guess_flags;
	state->out.reason = UNWIND_COMPLETE;
	state->sp = state->guess_sp;
	state->fp = state->guess_fp;
	state->key = state->guess_key;
	return 0;
}

static __always_inline long unwind_step(struct unwind_state *state)
{
	if (!(state->scanned ? unwind_scan(state) : unwind_frame(state)))
		return 0;
	return unwind_drop_guess(state);
}

#endif /* ASRTRACE_UNWIND_FRAME_BPF_H */
