/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * User stacks, interned by content: the record carries a key, the map the stack. A stack is stored
 * before the first record that names it, so a lost record loses no stack.
 */
#ifndef ASRTRACE_STACK_BPF_H
#define ASRTRACE_STACK_BPF_H

#include "bpf/emit.bpf.h"
#include "bpf/maps.bpf.h"
#include "bpf/recall.bpf.h"
#include "bpf/unwind.bpf.h"

/* Whose stack this is may have ended when the first record comes that names it. */
static __always_inline void announce_stack(__u64 key)
{
	struct ev_stack *record =
		reserve(sizeof(*record), EV_STACK, (__u32)bpf_get_current_pid_tgid());

	if (!record)
		return;
	record->stack = key;
	submit(record);
}

static __noinline __u64 intern_stack(const struct unwind_state *walk)
{
	__u64 key;

	if (!walk)
		return 0;
	key = walk->key;
	if (!walk->out.generation) /* an address, and nothing known of what is there */
		key = unwind_mix(key, walk->out.process);
	if (!key)
		key = 1;
	if (bpf_map_lookup_elem(&stacks, &key))
		return key;
	if (bpf_map_update_elem(&stacks, &key, &walk->out, BPF_NOEXIST) &&
	    !bpf_map_lookup_elem(&stacks, &key)) {
		count(LOST_STACK_MAP, 1);
		return 0;
	}
	announce_stack(key);
	return key;
}

static __always_inline __u64 walk_and_intern(struct unwind_state *walk)
{
	unwind_user(walk);
	if (walk->out.flags & STACK_TRUNCATED)
		count(COUNT_STACK_TRUNCATED, 1);
	if (walk->out.flags & STACK_HEURISTIC)
		count(COUNT_STACK_HEURISTIC, 1);
	walk->out.process = cfg.follow ? process_of(walk->tgid) : 0;
	return intern_stack(walk);
}

/*
 * The stack at a function's entry, before a return probe rewrites the return address. That address
 * is left in *return_address: a stack taken further down meets the trampoline in its place.
 */
static __always_inline __u64 take_entry_stack(struct pt_regs *regs, __u64 *return_address)
{
	struct unwind_state *walk = unwind_claim();
	struct recalled_stack *entry;
	__u64 stack = 0, ip;

	*return_address = 0;
	if (!walk) {
		count(LOST_STACK_WALK, 1);
		return 0;
	}
	unwind_from_regs(walk, regs, target_tgid());
	walk->window_bytes = 0;
	ip = walk->ip;
	if (ARCH_RETURN_IN_REGISTER)
		*return_address = walk->regs[0] & ARCH_ADDRESS_MASK;
	else
		unwind_read(walk, walk->sp, return_address);
	entry = recall_entry(ip, *return_address, walk->sp);
	if (entry)
		stack = recall_stack(entry, walk);
	if (!stack) {
		walk->input = UNWIND_AT_ENTRY | UNWIND_KEEP_TRAIL;
		stack = walk_and_intern(walk);
		if (entry)
			remember_stack(entry, walk, ip, stack);
	}
	unwind_release(walk);
	return stack;
}

/* The stack with which the current thread entered the kernel. */
static __always_inline __u64 take_kernel_entry_stack(struct thread_state *state)
{
	struct unwind_state *walk = unwind_claim();
	__u64 stack;

	if (!walk) {
		count(LOST_STACK_WALK, 1);
		return 0;
	}
	unwind_from_task(walk, target_tgid());
	if (state->call_sp)
		unwind_add_saved_return(walk, state->call_sp, state->call_return);
	stack = walk_and_intern(walk);
	unwind_release(walk);
	return stack;
}

#endif
