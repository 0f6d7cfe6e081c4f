// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * The allocator plane: one user call is one record. A call that another allocation function makes
 * (realloc(NULL) enters malloc) is told by its deeper stack pointer and left out. The attach cookie
 * says which function a probe stands on.
 */
#include "bpf/arch.bpf.h"
#include "bpf/emit.bpf.h"
#include "bpf/own_stack.bpf.h"
#include "bpf/sample.bpf.h"
#include "bpf/sampled.bpf.h"
#include "bpf/stack.bpf.h"

/* Calls of realloc(p, 0) under way: only then can a free be one that realloc makes itself. */
__u32 zero_reallocs = 0;
/*
 * Sizes that user space wants to see more of, both inclusive; none while the high end is 0 (sites
 * tier). Written one after the other: a range of both halves for an instant samples more, weighed
 * right.
 */
__u64 raised_low = 0;
__u64 raised_high = 0;

/* Alignments up to this are malloc's own: 2 * SIZE_SZ, malloc/malloc-alignment.h of glibc */
#define MALLOC_ALIGNMENT 16

/* What call_function carries beside the function. */
enum {
	CALL_FUNCTION_MASK = 0xff,
	CALL_NEW_SAMPLED = 0x100,
	CALL_OLD_SAMPLED = 0x200,
	CALL_RAISED = 0x400,
};

static __always_inline __u64 call_size(__u64 first, __u64 second, __u64 third, __u32 function)
{
	switch (function) {
	case FN_CALLOC:
		return first * second;
	case FN_REALLOC:
	case FN_MEMALIGN:
	case FN_ALIGNED_ALLOC:
		return second;
	case FN_POSIX_MEMALIGN:
		return third;
	default:
		return first;
	}
}

static __always_inline bool is_raised(__u64 size)
{
	return raised_high && size >= raised_low && size <= raised_high;
}

static __always_inline bool sample_raised(__u64 size)
{
	return bpf_get_prandom_u32() % RAISED_SAMPLE_BYTES < size;
}

static __always_inline __u8 sampling_flags(const struct thread_state *state)
{
	if (cfg.sample_all)
		return 0;
	return EV_SAMPLED | (state->call_function & CALL_RAISED ? EV_RAISED : 0);
}

static __always_inline void emit_realloc_begin(__u32 tid, __u64 address)
{
	struct ev_free *record = reserve(sizeof(*record), EV_REALLOC_BEGIN, tid);

	if (!record)
		return;
	record->address = address;
	submit(record);
}

/* True if the call is to be followed to its return. */
static __always_inline bool enter_realloc(struct thread_state *state, __u32 tid, bool new_sampled)
{
	__u64 old = state->call_argument;
	bool old_tracked = old && (cfg.sample_all || forget_sampled(old));

	if (old && state->call_size == 0)
		__sync_fetch_and_add(&zero_reallocs, 1);
	if (old_tracked)
		emit_realloc_begin(tid, old);
	if (!cfg.sample_all)
		state->call_function |= old_tracked ? CALL_OLD_SAMPLED : 0;
	return old_tracked || new_sampled || (old && state->call_size == 0);
}

/*
 * Entered from another allocation function: deeper in the stack, or by a tail jump to malloc (from
 * realloc(NULL), memalign with a small alignment), which leaves the stack pointer where it was.
 */
static __always_inline bool is_nested(struct thread_state *state, __u64 sp, __u32 function,
				      __u64 size)
{
	bool skipped = function == FN_MALLOC && sp <= state->skip_sp && size == state->skip_size;
	__u32 outer = state->call_function & CALL_FUNCTION_MASK;

	if (function == FN_MALLOC)
		state->skip_sp = 0;
	if (skipped)
		return true;
	if (!state->call_sp)
		return false;
	return sp < state->call_sp || (sp == state->call_sp && function == FN_MALLOC &&
				       outer != FN_MALLOC && state->call_size == size);
}

/* A call that is not followed may still go on to malloc, which must then be left out. */
static __always_inline int leave_out(struct thread_state *state, __u64 sp, __u64 first,
				     __u64 second, __u32 function)
{
	bool to_malloc = (function == FN_REALLOC && !first) ||
			 ((function == FN_MEMALIGN || function == FN_ALIGNED_ALLOC) &&
			  first <= MALLOC_ALIGNMENT) ||
			 (function == FN_POSIX_MEMALIGN && second <= MALLOC_ALIGNMENT);

	state->skip_sp = to_malloc ? sp : 0;
	state->skip_size = state->call_size;
	return 1;
}

/* Returns 1 if the return need not be seen (a session then skips its return probe). */
static __always_inline int enter_call(struct pt_regs *ctx, __u32 function)
{
	/* All registers at once: the verifier wants plain offsets from the context. */
	__u64 sp = PT_REGS_SP(ctx);
	__u64 first = PT_REGS_PARM1(ctx);
	__u64 second = PT_REGS_PARM2(ctx);
	__u64 third = PT_REGS_PARM3(ctx);
	__u32 window = allocator_window;
	__u64 id = window ? target_thread() : 0;
	__u32 tid = id;

	if (!id)
		return 1;
	struct counter_row *counters_here = own_counters();

	count_in(counters_here, COUNT_PROBE_HITS, 1);
	struct thread_state *state = thread_state_of(tid);
	if (!state)
		return 1;
	if (state->window != window) {
		state->window = window;
		state->call_sp = 0;
		state->skip_sp = 0;
	}
	__u64 size = call_size(first, second, third, function);
	if (is_nested(state, sp, function, size))
		return 1;
	if (state->call_sp)
		count(LOST_INFLIGHT, 1);
	state->call_sp = 0;
	count_in(counters_here, COUNT_CALLS + function, 1);
	start_countdowns(state);
	bool raised = !cfg.sample_all && is_raised(size);
	bool is_sampled = cfg.sample_all || (raised ? sample_raised(size)
						    : sample_bytes(&state->alloc_countdown, size,
								   cfg.sample_mean_bytes));
	state->call_function =
		function | (is_sampled ? CALL_NEW_SAMPLED : 0) | (raised ? CALL_RAISED : 0);
	state->call_size = size;
	state->call_argument = first;
	state->call_stack = 0;
	if (function == FN_REALLOC) {
		if (!enter_realloc(state, tid, is_sampled))
			return leave_out(state, sp, first, second, function);
	} else if (!is_sampled) {
		return leave_out(state, sp, first, second, function);
	}
	if (is_sampled)
		state->call_stack = take_entry_stack(ctx, &state->call_return);
	else
		state->call_return = arch_return_address((bpf_user_pt_regs_t *)ctx);
	state->call_sp = sp;
	return 0;
}

static __always_inline __u64 call_result(__u64 returned, struct thread_state *state)
{
	__u64 address = 0;

	if ((state->call_function & CALL_FUNCTION_MASK) != FN_POSIX_MEMALIGN)
		return returned;
	if ((__u32)returned != 0)
		return 0;
	bpf_probe_read_user(&address, sizeof(address), (void *)state->call_argument);
	return address;
}

static __always_inline void finish_alloc(struct thread_state *state, __u32 tid, __u64 address)
{
	struct ev_alloc *record;

	if (address && !cfg.sample_all)
		remember_sampled(address);
	record = reserve(sizeof(*record), EV_ALLOC, tid);
	if (!record)
		return;
	record->h.flags = sampling_flags(state);
	record->address = address;
	record->size = state->call_size;
	record->stack = state->call_stack;
	record->function = state->call_function & CALL_FUNCTION_MASK;
	record->pad = 0;
	submit(record);
}

static __always_inline void finish_realloc(struct thread_state *state, __u32 tid, __u64 address)
{
	__u64 old = state->call_argument;
	bool zero = old && state->call_size == 0;
	bool failed = !address && !zero;
	bool new_sampled = state->call_function & CALL_NEW_SAMPLED;
	struct ev_realloc_end *record;

	if (zero)
		__sync_fetch_and_sub(&zero_reallocs, 1);
	if (!cfg.sample_all) {
		if (failed && (state->call_function & CALL_OLD_SAMPLED))
			remember_sampled(old);
		if (address && new_sampled)
			remember_sampled(address);
		if (!new_sampled && !(state->call_function & CALL_OLD_SAMPLED))
			return;
	}
	record = reserve(sizeof(*record), EV_REALLOC_END, tid);
	if (!record)
		return;
	record->h.flags = sampling_flags(state) | (failed ? EV_FAILED : 0);
	record->old_address = cfg.sample_all || (state->call_function & CALL_OLD_SAMPLED) ? old : 0;
	record->address = new_sampled ? address : 0;
	record->size = state->call_size;
	record->stack = state->call_stack;
	submit(record);
}

static __always_inline void leave_call(struct pt_regs *ctx)
{
	__u64 returned = PT_REGS_RC(ctx);
	__u64 sp = PT_REGS_SP(ctx);
	__u32 window = allocator_window;
	__u64 id = window ? target_thread() : 0;
	__u32 tid = id;

	if (!id)
		return;
	struct counter_row *counters_here = own_counters();

	count_in(counters_here, COUNT_PROBE_HITS, 1);
	count_in(counters_here, COUNT_RETURN_HITS, 1);
	struct thread_state *state = find_thread_state(tid);
	/* Anywhere else in the stack it is the return of a nested call. */
	if (!state || state->window != window || !state->call_sp ||
	    sp != state->call_sp + ARCH_RETURN_POPS)
		return;
	__u64 address = call_result(returned, state);
	state->call_sp = 0;
	if ((state->call_function & CALL_FUNCTION_MASK) == FN_REALLOC)
		finish_realloc(state, tid, address);
	else
		finish_alloc(state, tid, address);
}

static __always_inline bool freed_by_realloc(__u32 tid, __u64 address)
{
	struct thread_state *state;

	if (!zero_reallocs)
		return false;
	state = find_thread_state(tid);
	return state && state->window == allocator_window && state->call_sp &&
	       state->call_argument == address &&
	       (state->call_function & CALL_FUNCTION_MASK) == FN_REALLOC;
}

/*
 * At the entry the thread is where the probe stands, at the return where the function was called
 * from. (bpf_session_is_return would say it, too, but has another prototype from 7.0 on.)
 */
SEC("uprobe")
int alloc_session(struct pt_regs *ctx)
{
	stay_on_own_stack(ctx);
	if (PT_REGS_IP(ctx) != bpf_get_func_ip(ctx)) {
		leave_call(ctx);
		return 0;
	}
	return enter_call(ctx, bpf_get_attach_cookie(ctx));
}

SEC("uprobe")
int alloc_enter(struct pt_regs *ctx)
{
	stay_on_own_stack(ctx);
	enter_call(ctx, bpf_get_attach_cookie(ctx));
	return 0;
}

SEC("uretprobe")
int alloc_leave(struct pt_regs *ctx)
{
	stay_on_own_stack(ctx);
	leave_call(ctx);
	return 0;
}

SEC("uprobe")
int free_enter(struct pt_regs *ctx)
{
	__u64 id = allocator_window ? target_thread() : 0;
	__u64 address = PT_REGS_PARM1(ctx);
	__u32 tid = id;
	struct counter_row *counters_here;
	struct ev_free *record;

	stay_on_own_stack(ctx);
	if (!id)
		return 0;
	counters_here = own_counters();
	count_in(counters_here, COUNT_PROBE_HITS, 1);
	if (!address || freed_by_realloc(tid, address))
		return 0;
	count_in(counters_here, COUNT_CALLS + FN_FREE, 1);
	if (!cfg.sample_all && !forget_sampled(address))
		return 0;
	record = reserve(sizeof(*record), EV_FREE, tid);
	if (!record)
		return 0;
	record->address = address;
	submit(record);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
