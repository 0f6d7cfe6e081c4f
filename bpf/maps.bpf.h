/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The maps and knobs that the planes share. Each plane is an object of its own; `bpftool gen
 * object` links them, and the weak definitions here become one map each.
 */
#ifndef ASRTRACE_MAPS_BPF_H
#define ASRTRACE_MAPS_BPF_H

#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>
#include "bpf/event.h"

extern const volatile struct config cfg SEC(".rodata");
/*
 * Set once every probe is in, cleared before the first goes: the window has sharp edges, although
 * attaching and detaching take a while.
 */
extern __u32 enabled SEC(".bss");
/*
 * Number of the window in which allocations are followed, 0 between windows: what a thread was in
 * the middle of when one closed means nothing in the next.
 */
extern __u32 allocator_window SEC(".bss");
/* The target has ended: what has its number now is somebody else. */
extern __u32 target_ended SEC(".bss");
/* The target's mm, 0 until its first fault: rss_stat also fires for strangers' mms. */
extern __u64 target_mm SEC(".bss");
/*
 * The target has asked for huge pages (madvise), and: page_alloc is attached, or none may come.
 * Sizes of faults are not known from the one to the other.
 */
extern __u32 huge_pages_advised SEC(".bss");
extern __u32 page_orders_known SEC(".bss");
/* Where the target's break was the last time, for those who are told only where it is. */
extern __u64 last_break SEC(".bss");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 8 << 20);
} events SEC(".maps") __weak;

/*
 * A row for each CPU, read by the tracer through a mapping of its own: while bpf(2) reads a map,
 * the kernel skips the programs of system call tracepoints on that CPU (bpf_prog_active), even
 * for a task that came between.
 */
struct counter_row {
	__u64 values[COUNTER_MAX];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1); /* the loader sets the number of CPUs */
	__type(key, __u32);
	__type(value, struct counter_row);
} counters SEC(".maps") __weak;

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, __u64);
	__type(value, struct stack_record);
} stacks SEC(".maps") __weak;

/* Children that are followed: their numbers, by tgid in the tracer's pid namespace. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1023);
	__type(key, __u32);
	__type(value, __u16);
} followed SEC(".maps") __weak;

/* What a thread is in the middle of. Only its own thread touches an entry. */
struct thread_state {
	__u64 call_sp; /* stack pointer at the entry of the call under way; 0: none */
	__u64 call_size;
	__u64 call_argument; /* realloc: old pointer; posix_memalign: where the result goes */
	__u64 call_stack;
	__u64 call_return; /* return address of the call under way */
	__u32 call_function;
	__u32 fault_kernel_mode;
	__u64 skip_sp; /* a malloc from here or deeper, of skip_size, belongs to a call left out */
	__u64 skip_size;
	/* Faults by fault_number() (bpf/faults.bpf.c): that one was seen to begin, */
	__u64 fault;
	__u64 fault_brought;  /* that it brought memory, */
	__u64 fault_of_order; /* and the order of its largest page */
	__u64 fault_address;
	__s64 alloc_countdown; /* bytes until the next sample */
	__s64 fault_countdown;
	__u64 syscall_args[4]; /* of the system call under way */
	__u32 fault_order;
	__u32 fault_pages; /* counted of that which brought memory */
	__u32 started;     /* the countdowns were drawn */
	__u32 window;      /* that the call under way belongs to */
	__u32 http_told;   /* a tracepoint told of a socket call that no probe has met yet */
	__u32 fault_shift; /* with which fault_countdown was drawn */
};

/*
 * Most threads have their state in the place that the low bits of their id name: those of a process
 * lie close together, and an array costs a tenth of a hash. Who finds the place taken has it in
 * `threads`.
 */
enum {
	THREAD_PLACES = 4096,
};

struct thread_place {
	__u32 owner; /* tid, 0: free */
	__u32 pad;
	struct thread_state state;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, THREAD_PLACES);
	__type(key, __u32);
	__type(value, struct thread_place);
} thread_places SEC(".maps") __weak;

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, __u32); /* tid */
	__type(value, struct thread_state);
} threads SEC(".maps") __weak;

/* This CPU's row; with count_in() what adds to several counters looks it up once. */
static __always_inline struct counter_row *own_counters(void)
{
	__u32 cpu = bpf_get_smp_processor_id();

	return bpf_map_lookup_elem(&counters, &cpu);
}

static __always_inline void count_in(struct counter_row *row, __u32 index, __u64 amount)
{
	/* Atomic even though the counter is this CPU's: on preemptible kernels a program may
	 * interrupt. */
	if (row && index < COUNTER_MAX)
		__sync_fetch_and_add(&row->values[index], amount);
}

static __always_inline void count(__u32 index, __u64 amount)
{
	count_in(own_counters(), index, amount);
}

/* The current thread as (tgid << 32 | tid) in the tracer's pid namespace; 0 if it is not there. */
static __always_inline __u64 current_thread(void)
{
	struct bpf_pidns_info ns = {};

	if (!cfg.pidns_ino)
		return bpf_get_current_pid_tgid();
	if (bpf_get_ns_current_pid_tgid(cfg.pidns_dev, cfg.pidns_ino, &ns, sizeof(ns)))
		return 0;
	return (__u64)ns.tgid << 32 | ns.pid;
}

/* A process's number; -1 if it is neither the target nor followed. */
static __always_inline __s32 process_of(__u32 tgid)
{
	__u16 *number;

	if (tgid == cfg.tgid && !target_ended)
		return 0;
	if (!cfg.follow)
		return -1;
	number = bpf_map_lookup_elem(&followed, &tgid);
	return number ? *number : -1;
}

/* Of a thread that target_thread() knows. */
static __always_inline __u32 target_tgid(void)
{
	return cfg.follow ? current_thread() >> 32 : cfg.tgid;
}

/* The current thread, as above; 0 if it is neither the target's nor a followed child's. */
static __always_inline __u64 target_thread(void)
{
	__u64 id;

	if (!enabled)
		return 0;
	id = current_thread();
	return process_of(id >> 32) >= 0 ? id : 0;
}

static __always_inline struct thread_place *thread_place_of(__u32 tid)
{
	__u32 index = tid & (THREAD_PLACES - 1);

	return bpf_map_lookup_elem(&thread_places, &index);
}

/* NULL: it has none yet. */
static __always_inline struct thread_state *find_thread_state(__u32 tid)
{
	struct thread_place *place = thread_place_of(tid);

	if (place && place->owner == tid)
		return &place->state;
	return bpf_map_lookup_elem(&threads, &tid);
}

static __noinline struct thread_state *new_thread_state(__u32 tid)
{
	struct thread_place *place = thread_place_of(tid);
	struct thread_state empty = {};

	if (place && !__sync_val_compare_and_swap(&place->owner, 0, tid))
		return &place->state;
	if (bpf_map_update_elem(&threads, &tid, &empty, BPF_NOEXIST))
		count(LOST_THREAD_MAP, 1);
	return bpf_map_lookup_elem(&threads, &tid);
}

static __always_inline struct thread_state *thread_state_of(__u32 tid)
{
	struct thread_state *state = find_thread_state(tid);

	return state ? state : new_thread_state(tid);
}

/* A thread that ends, or becomes another program. */
static __always_inline void forget_thread_state(__u32 tid)
{
	struct thread_place *place = thread_place_of(tid);

	if (!place || place->owner != tid) {
		bpf_map_delete_elem(&threads, &tid);
		return;
	}
	__builtin_memset(&place->state, 0, sizeof(place->state));
	place->owner = 0;
}

#endif
