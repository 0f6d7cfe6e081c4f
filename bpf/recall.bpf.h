/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Stacks that were walked before, so that an allocation costs a look at its return addresses and no
 * walk. A remembered stack is taken only if every word that its walk depended on is still what it
 * was (bpf/unwind_trail.bpf.h); otherwise it is walked, and remembered in the old one's place.
 *
 * One table for all CPUs: entries change under their readers, who look whether a write began or
 * ended meanwhile. That needs stores and loads in their order, which x86 gives; elsewhere every
 * stack is walked.
 */
#ifndef ASRTRACE_RECALL_BPF_H
#define ASRTRACE_RECALL_BPF_H

#include "bpf/unwind.bpf.h"

enum {
	RECALL_ENTRIES = 4096,
};

struct recalled_stack {
	__u32 writers; /* 0 or 1, more for a moment: they give way */
	__u32 begun;   /* writes, counted before and behind */
	__u32 done;
	__u32 generation;
	__u64 ip;
	__u64 stack; /* key of `stacks` */
	struct unwind_trail trail;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, RECALL_ENTRIES);
	__type(key, __u32);
	__type(value, struct recalled_stack);
} recalled_stacks SEC(".maps") __weak;

/*
 * Does the stack at sp look as it did when this trail was kept? Read through the state's window: a
 * read of one word costs as much as one of 512 bytes.
 */
static __noinline __attribute__((unused)) int
trail_holds(const struct unwind_trail *trail, struct unwind_state *state, __u64 sp, __u64 fp)
{
	__u64 difference = 0;
	__u32 count;

	if (!trail || !state)
		return 0;
	count = trail->count;
	if (!count || count > UNWIND_TRAIL_WORDS)
		return 0;
	if (trail->uses_fp && trail->fp_distance != fp - sp)
		return 0;
	for (__u32 i = 0; i < UNWIND_TRAIL_WORDS; i++) {
		__u64 word = 0;
		__u32 at;

		if (i >= count)
			break;
		at = trail->at[i];
		difference |= unwind_read(state, sp + (at & ~7U), &word);
		difference |= (word - (sp & -(__u64)(at & 1))) ^ trail->word[i];
	}
	return !difference;
}

#define recall_in_order() asm volatile("" ::: "memory")

/*
 * The place for stacks of this call. Thread stacks are whole pages apart: the offset in the page
 * tells the depth of the call, for all threads alike.
 */
static __always_inline struct recalled_stack *recall_entry(__u64 ip, __u64 caller, __u64 sp)
{
	__u64 hash =
		(ip ^ caller * 0x9e3779b97f4a7c15ULL ^ (sp & 4095) << 20) * 0xff51afd7ed558ccdULL;
	__u32 index = (hash >> 40) & (RECALL_ENTRIES - 1);

	return ARCH_KEEPS_ORDER ? bpf_map_lookup_elem(&recalled_stacks, &index) : NULL;
}

/* The key of the stack that `walk` is about to walk, 0 if it must. */
static __always_inline __u64 recall_stack(const struct recalled_stack *entry,
					  struct unwind_state *walk)
{
	const struct unwind_process *process;
	__u64 stack;
	__u32 done;

	done = *(const volatile __u32 *)&entry->done;
	recall_in_order();
	if (entry->ip != walk->ip || !entry->stack)
		return 0;
	process = bpf_map_lookup_elem(&unwind_processes, &walk->tgid);
	if (!process || process->generation != entry->generation)
		return 0;
	stack = entry->stack;
	if (!trail_holds(&entry->trail, walk, walk->sp, walk->fp))
		return 0;
	recall_in_order();
	return *(const volatile __u32 *)&entry->begun == done ? stack : 0;
}

/* Keeps what was walked, if a trail tells all. Call between unwind_user() and unwind_release(). */
static __always_inline void remember_stack(struct recalled_stack *entry,
					   const struct unwind_state *walk, __u64 ip, __u64 stack)
{
	if (!stack || walk->out.flags || walk->trail.count > UNWIND_TRAIL_WORDS)
		return;
	__sync_fetch_and_add(&entry->writers, 1);
	if (*(volatile __u32 *)&entry->writers == 1) {
		__sync_fetch_and_add(&entry->begun, 1);
		entry->generation = walk->out.generation;
		entry->ip = ip;
		entry->stack = stack;
		entry->trail = walk->trail;
		recall_in_order();
		__sync_fetch_and_add(&entry->done, 1);
	}
	__sync_fetch_and_add(&entry->writers, -1);
}

#endif
