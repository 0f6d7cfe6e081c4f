/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Walks a user stack by the tables of bpf/unwind.h, with frame pointers and a stack scan where
 *there are none. Use:
 *
 *	struct unwind_state *state = unwind_claim();
 *
 *	if (!state)
 *		return 0;			(counted under UNWIND_NO_SLOT)
 *	unwind_from_regs(state, regs, tgid);	(or fill ip, sp, fp, tgid by hand)
 *	unwind_user(state);
 *	... state->out.pcs[0 .. depth) leaf first, flags, reason ...
 *	unwind_release(state);
 *
 * What the verifier asks for shapes the code: all mutable state is in a map value (on the BPF stack
 * every value it may take is a state to explore), searches are without branches, and one step is
 *one iteration of bpf_loop (5.17) or one call of a global function, which is verified by itself.
 */
#ifndef ASRTRACE_UNWIND_BPF_H
#define ASRTRACE_UNWIND_BPF_H

#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include "bpf/arch.bpf.h"
#include "bpf/event.h"
#include "bpf/unwind.h"

enum {
	UNWIND_SLOTS = 3,         /* walks that may preempt each other on one CPU */
	UNWIND_WINDOW_WORDS = 64, /* stack words read at once */
	UNWIND_SCAN_WORDS = 64,
	UNWIND_PARKED_WORDS = 32, /* of these, looked at again for a parked stack pointer */
	UNWIND_REGISTERS = 16,
	UNWIND_SAVED_RETURNS = 4,
	UNWIND_STEPS = UNWIND_MAX_FRAMES + 8 * (UNWIND_SCAN_WORDS + UNWIND_PARKED_WORDS),
	UNWIND_PROCESSES = 1024,
	UNWIND_TRAIL_WORDS = 64,
	UNWIND_TRAIL_LOST = 255, /* as a trail's count: the walk depended on more than words */
};

/* A return address that a return probe replaced: found at `sp`, really `address`. */
struct unwind_saved_return {
	__u64 sp;
	__u64 address;
};

/* What a walk depended on: see bpf/unwind_trail.bpf.h. */
struct unwind_trail {
	__u32 count;
	__u32 uses_fp; /* the register's first value: compared by fp_distance */
	__u64 fp_distance;
	__u32 at[UNWIND_TRAIL_WORDS]; /* bytes above sp; bit 0: the word is a place */
	__u64 word[UNWIND_TRAIL_WORDS];
};

struct unwind_state {
	/* in; ip, sp and fp move up the stack during the walk */
	__u64 ip;
	__u64 sp;
	__u64 fp;
	__u32 tgid;  /* key of unwind_processes */
	__u32 input; /* UNWIND_AT_ENTRY, UNWIND_KEEP_TRAIL */
	__u32 saved_count;
	__u32 slot;
	struct unwind_saved_return saved[UNWIND_SAVED_RETURNS];
	/* The innermost frame's others: x86-64 by DWARF number, arm64 x30 in [0]; 0 if unknown. */
	__u64 regs[UNWIND_REGISTERS];

	/* of the walk */
	struct unwind_process process;
	struct unwind_mapping mapping; /* found last, covering [mapping_begin, mapping_end) */
	__u64 mapping_begin;
	__u64 mapping_end;
	__u64 context;     /* signal frame whose registers are the innermost; 0: regs */
	__u64 return_slot; /* where ip was read from */
	__u64 fp_slot;     /* where fp was read from; 0: the register */
	__u64 origin;      /* sp at the beginning */
	__u64 word;        /* read last */
	__u64 key;         /* of the frames so far: bpf/unwind_key.bpf.h */
	__u32 exact;       /* ip is an instruction to be executed, no return address */
	__u32 scanned;     /* words looked at, + 1; 0: not scanning */
	__u32 busy;
	__u32 window_bytes;
	/* The last guess of a scan: where the scan goes on if it leads nowhere. */
	__u32 guess_scanned; /* `scanned` then; 0: no guess */
	__u16 guess_depth;
	__u16 guess_flags;
	__u64 guess_sp;
	__u64 guess_fp;
	__u64 guess_key;
	__u64 window_begin;
	__u64 window[UNWIND_WINDOW_WORDS];

	struct unwind_trail trail;
	struct stack_record out;
};

struct unwind_chunk {
	__u64 cells[UNWIND_CHUNK_CELLS];
};

/* Created by user space as tables need room; see BPF_F_MMAPABLE (5.5): it writes tables in place.
 */
struct unwind_bank {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, UNWIND_BANK_CHUNKS);
	__uint(map_flags, BPF_F_MMAPABLE);
	/* by size: clang's BTF only declares a struct that is named two pointers deep */
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(struct unwind_chunk));
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, UNWIND_BANKS);
	__type(key, __u32);
	__array(values, struct unwind_bank);
} unwind_banks SEC(".maps") __weak;

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, UNWIND_PROCESSES);
	__type(key, __u32);
	__type(value, struct unwind_process);
} unwind_processes SEC(".maps") __weak;

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, UNWIND_SLOTS);
	__type(key, __u32);
	__type(value, struct unwind_state);
} unwind_states SEC(".maps") __weak;

/* Walks by enum unwind_reason. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, UNWIND_REASONS);
	__type(key, __u32);
	__type(value, __u64);
} unwind_outcomes SEC(".maps") __weak;

static __always_inline void unwind_count(__u32 reason)
{
	__u64 *value = bpf_map_lookup_elem(&unwind_outcomes, &reason);

	if (value)
		*value += 1;
}

/*
 * Scratch for one walk. Programs on one CPU may preempt each other, so a slot is claimed: add, look
 * whether we were the only one, take back. No compare-exchange, which 5.10 does not have in BPF;
 * only this CPU touches its slots (programs do not migrate), so two that add at once both back off.
 */
static __always_inline struct unwind_state *unwind_claim(void)
{
	for (__u32 i = 0; i < UNWIND_SLOTS; i++) {
		__u32 slot = i;
		struct unwind_state *state = bpf_map_lookup_elem(&unwind_states, &slot);

		if (!state)
			continue;
		__sync_fetch_and_add(&state->busy, 1);
		if (*(volatile __u32 *)&state->busy == 1) {
			state->slot = i;
			state->input = 0;
			state->saved_count = 0;
			__builtin_memset(state->regs, 0, sizeof(state->regs));
			return state;
		}
		__sync_fetch_and_add(&state->busy, -1);
	}
	unwind_count(UNWIND_NO_SLOT);
	return NULL;
}

static __always_inline void unwind_release(struct unwind_state *state)
{
	__sync_fetch_and_add(&state->busy, -1);
}

/* A return probe's trampoline at `sp` stands for `address`. At most UNWIND_SAVED_RETURNS. */
static __always_inline void unwind_add_saved_return(struct unwind_state *state, __u64 sp,
						    __u64 address)
{
	__u32 i = state->saved_count;

	if (i >= UNWIND_SAVED_RETURNS)
		return;
	state->saved[i].sp = sp;
	state->saved[i].address = address;
	state->saved_count = i + 1;
}

/* A forked child has its parent's address space until it execs. */
static __always_inline void unwind_on_fork(__u32 parent, __u32 child)
{
	struct unwind_process *process = bpf_map_lookup_elem(&unwind_processes, &parent);

	if (process)
		bpf_map_update_elem(&unwind_processes, &child, process, BPF_NOEXIST);
}

/* Also on exec: the old tables would be wrong for the new image. */
static __always_inline void unwind_on_exit(__u32 tgid)
{
	bpf_map_delete_elem(&unwind_processes, &tgid);
}

#include "bpf/unwind_trail.bpf.h"
#include "bpf/unwind_lookup.bpf.h"
#include "bpf/unwind_key.bpf.h"
#include "bpf/unwind_frame.bpf.h"

/* For kernels without bpf_loop; global, so that it is verified once and not per iteration. */
__weak __noinline int unwind_step_slot(__u32 slot)
{
	struct unwind_state *state = bpf_map_lookup_elem(&unwind_states, &slot);

	return state ? (int)unwind_step(state) : 1;
}

static long unwind_step_callback(__u32 index, void *context)
{
	struct unwind_state **state = context;

	(void)index;
	return unwind_step(*state);
}

/*
 * Walks from ip, sp, fp to the root. out.depth is at least 1 (ip itself); out.generation is the
 * process's, 0 if nothing is known of it; key is the stack's. Returns the number of frames.
 */
static __noinline __attribute__((unused)) int unwind_user(struct unwind_state *state)
{
	struct unwind_process *process;
	struct unwind_state *context = state;

	if (!state)
		return 0;
	state->out.depth = 0;
	state->out.flags = 0;
	state->out.reason = UNWIND_COMPLETE;
	state->out.process = 0;
	state->exact = 1;
	state->scanned = 0;
	state->guess_scanned = 0;
	state->window_bytes = 0;
	state->mapping_begin = 1;
	state->mapping_end = 0;
	state->return_slot = 0;
	state->fp_slot = 0;
	state->origin = state->sp;
	state->trail.count = 0;
	state->trail.uses_fp = 0;
	state->context = 0;
	state->key = UNWIND_KEY_SEED;
	process = bpf_map_lookup_elem(&unwind_processes, &state->tgid);
	if (!process) {
		state->out.generation = 0;
		state->out.pcs[0] = state->ip;
		state->out.depth = 1;
		state->key = unwind_mix(state->key, state->ip);
		unwind_stop(state, UNWIND_NO_PROCESS);
	} else {
		state->process = *process;
		state->out.generation = process->generation;
		if (bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_loop)) {
			bpf_loop(UNWIND_STEPS, unwind_step_callback, &context, 0);
		} else {
			for (int i = 0; i < UNWIND_STEPS; i++)
				if (unwind_step_slot(state->slot))
					break;
		}
	}
	unwind_count(state->out.reason);
	return (int)state->out.depth;
}

/* From a uprobe's context, or a copy of the user registers. */
static __always_inline void unwind_from_regs(struct unwind_state *state, struct pt_regs *regs,
					     __u32 tgid)
{
#ifdef __TARGET_ARCH_arm64
	struct user_pt_regs *user = (struct user_pt_regs *)regs;

	state->ip = user->pc;
	state->sp = user->sp;
	state->fp = user->regs[29];
	state->regs[0] = user->regs[30];
#else
	state->ip = regs->ip;
	state->sp = regs->sp;
	state->fp = regs->bp;
	state->regs[0] = regs->ax;
	state->regs[1] = regs->dx;
	state->regs[2] = regs->cx;
	state->regs[3] = regs->bx;
	state->regs[4] = regs->si;
	state->regs[5] = regs->di;
	state->regs[8] = regs->r8;
	state->regs[9] = regs->r9;
	state->regs[10] = regs->r10;
	state->regs[11] = regs->r11;
	state->regs[12] = regs->r12;
	state->regs[13] = regs->r13;
	state->regs[14] = regs->r14;
	state->regs[15] = regs->r15;
#endif
	state->tgid = tgid;
}

struct task_struct___unwind {
	void *stack;
} __attribute__((preserve_access_index));

/*
 * From the registers with which the current thread entered the kernel: for tracepoints, page faults
 * and perf events. Before bpf_task_pt_regs (5.15) they are taken from the top of the kernel stack
 * (arch/x86/include/asm/processor.h, task_pt_regs; THREAD_SIZE is 16 KiB without KASAN).
 */
static __always_inline void unwind_from_task(struct unwind_state *state, __u32 tgid)
{
	if (bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_task_pt_regs)) {
		struct task_struct *task = (struct task_struct *)bpf_get_current_task_btf();

		unwind_from_regs(state, (struct pt_regs *)bpf_task_pt_regs(task), tgid);
	} else {
		struct task_struct___unwind *task = (void *)bpf_get_current_task();
		struct pt_regs regs = {};
		void *top = BPF_CORE_READ(task, stack) + 16384;

		bpf_probe_read_kernel(&regs, sizeof(regs), top - sizeof(regs));
		unwind_from_regs(state, &regs, tgid);
	}
}

#endif /* ASRTRACE_UNWIND_BPF_H */
