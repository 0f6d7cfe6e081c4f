/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * User stacks, interned by content: the record carries a key, the map the stack. A stack is stored
 * before the first record that names it, so a lost record loses no stack.
 */
#ifndef ASRTRACE_STACK_BPF_H
#define ASRTRACE_STACK_BPF_H

#include "bpf/maps.bpf.h"

enum {
	SCRATCH_SLOTS = 4,
};

struct scratch {
	__u32 busy;
	__u32 pad;
	struct stack_record stack;
};

/* Programs can be preempted by others on the same CPU, so a slot is claimed, not assumed. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, SCRATCH_SLOTS);
	__type(key, __u32);
	__type(value, struct scratch);
} scratches SEC(".maps") __weak;

static __always_inline struct scratch *claim_scratch(void)
{
	for (__u32 i = 0; i < SCRATCH_SLOTS; i++) {
		__u32 index = i;
		struct scratch *slot = bpf_map_lookup_elem(&scratches, &index);

		if (slot && __sync_val_compare_and_swap(&slot->busy, 0, 1) == 0)
			return slot;
	}
	count(LOST_SCRATCH, 1);
	return NULL;
}

static __always_inline void release_scratch(struct scratch *slot)
{
	__sync_lock_test_and_set(&slot->busy, 0);
}

/* Mixes like MurmurHash3's finaliser (public domain, A. Appleby). */
static __always_inline __u64 mix(__u64 hash, __u64 value)
{
	hash ^= value;
	hash *= 0xff51afd7ed558ccdULL;
	hash ^= hash >> 32;
	return hash;
}

static __noinline __u64 intern_stack(struct stack_record *stack)
{
	__u64 hash = 0x9e3779b97f4a7c15ULL;

	if (!stack)
		return 0;
	stack->generation = map_generation;
	hash = mix(hash, stack->generation);
	for (int i = 0; i < STACK_MAX_DEPTH; i++) {
		if (i >= stack->depth)
			break;
		hash = mix(hash, stack->pcs[i]);
	}
	if (!hash)
		hash = 1;
	if (bpf_map_lookup_elem(&stacks, &hash))
		return hash;
	if (bpf_map_update_elem(&stacks, &hash, stack, BPF_NOEXIST) &&
	    !bpf_map_lookup_elem(&stacks, &hash)) {
		count(LOST_STACK_MAP, 1);
		return 0;
	}
	return hash;
}

/*
 * The user stack of the current thread by frame pointers. At a function's first instruction the
 * kernel's walk skips the direct caller, whose return address still lies at [rsp]: `at_entry_sp` is
 * that stack pointer, 0 elsewhere.
 */
static __always_inline __u64 take_stack(void *ctx, __u64 at_entry_sp)
{
	struct scratch *slot = claim_scratch();
	struct stack_record *stack;
	__u64 hash = 0;
	long bytes;

	if (!slot)
		return 0;
	stack = &slot->stack;
	stack->flags = 0;
	stack->reason = 0;
	if (at_entry_sp) {
		bytes = bpf_get_stack(ctx, &stack->pcs[1], (STACK_MAX_DEPTH - 1) * 8,
				      BPF_F_USER_STACK);
		stack->pcs[0] = stack->pcs[1];
		if (bpf_probe_read_user(&stack->pcs[1], 8, (void *)at_entry_sp))
			stack->pcs[1] = 0;
		bytes += 8;
	} else {
		bytes = bpf_get_stack(ctx, &stack->pcs[0], STACK_MAX_DEPTH * 8, BPF_F_USER_STACK);
	}
	if (bytes > 8) {
		stack->depth = (__u64)bytes / 8;
		hash = intern_stack(stack);
	} else {
		count(LOST_STACK_WALK, 1);
	}
	release_scratch(slot);
	return hash;
}

#endif
