/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Records of calls that change the address space, whichever way the calls are seen. What the call
 * was given is in the thread's syscall_args: in the order of its arguments, but of mmap the file
 * descriptor instead of the address asked for, which is of no use.
 */
#ifndef ASRTRACE_MAPPINGS_BPF_H
#define ASRTRACE_MAPPINGS_BPF_H

#include "bpf/emit.bpf.h"
#include "bpf/stack.bpf.h"

#define PROT_EXEC 4
#define MADV_HUGEPAGE 14

static __always_inline bool is_error(__s64 result)
{
	return result < 0 && result >= -4095;
}

static __always_inline void emit_mmap(struct thread_state *state, __u32 tid, __u64 address,
				      __u64 stack)
{
	struct ev_mmap *record = reserve(sizeof(*record), EV_MMAP, tid);

	if (!record)
		return;
	record->address = address;
	record->length = state->syscall_args[1];
	record->prot = state->syscall_args[2];
	record->map_flags = state->syscall_args[3];
	record->fd = (__s32)state->syscall_args[0];
	record->pad = 0;
	record->stack = stack;
	/* New code: until the reader has brought its tables, stacks through it end there. */
	if (record->prot & PROT_EXEC)
		bpf_ringbuf_submit(record, BPF_RB_FORCE_WAKEUP);
	else
		submit(record);
}

static __always_inline void emit_madvise(__u32 tid, const struct thread_state *state)
{
	bool huge = state->syscall_args[2] == MADV_HUGEPAGE;
	struct ev_range *record;

	if (huge)
		huge_pages_advised = 1;
	record = reserve(sizeof(*record), EV_MADVISE, tid);
	if (!record)
		return;
	record->address = state->syscall_args[0];
	record->length = state->syscall_args[1];
	record->argument = state->syscall_args[2];
	/* The reader is to hear of huge pages before they come. */
	if (huge && !page_orders_known)
		bpf_ringbuf_submit(record, BPF_RB_FORCE_WAKEUP);
	else
		submit(record);
}

static __always_inline void emit_range(__u32 tid, __u8 tag, __u64 address, __u64 length)
{
	struct ev_range *record = reserve(sizeof(*record), tag, tid);

	if (!record)
		return;
	record->address = address;
	record->length = length;
	record->argument = 0;
	submit(record);
}

static __always_inline void emit_mremap(struct thread_state *state, __u32 tid, __u8 tag,
					__s64 result, __u64 stack)
{
	struct ev_mremap *record = reserve(sizeof(*record), tag, tid);

	if (!record)
		return;
	record->old_address = state->syscall_args[0];
	record->old_length = state->syscall_args[1];
	record->new_length = state->syscall_args[2];
	record->map_flags = state->syscall_args[3];
	record->result = result;
	record->stack = stack;
	submit(record);
}

static __always_inline void emit_brk(__u32 tid, __u64 old_brk, __u64 brk, __u64 stack)
{
	struct ev_brk *record = reserve(sizeof(*record), EV_BRK, tid);

	if (!record)
		return;
	record->old_brk = old_brk;
	record->brk = brk;
	record->stack = stack;
	submit(record);
}

#endif
