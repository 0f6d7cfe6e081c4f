// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Page faults that bring anonymous memory, of both modes: read() into a fresh buffer faults in the
 * kernel. They are counted by pages, and sampled by bytes, with a stack.
 *
 * Faults are what a program does most often that is followed all the time, and where returns and
 * indirect jumps are guarded against speculation a program that does nothing takes 0.1 us. So only
 * one runs for a fault of user code: at rss_stat, which fires in the context of the fault once the
 * counter has moved. On x86 the registers with which the thread entered the kernel tell that it was
 * an exception; elsewhere perf's event notes each fault. The number of all faults is the kernel's
 * own (min_flt and maj_flt of each task).
 * Faults of the kernel itself are few: page_fault_kernel notes them. How many pages came (512 with
 * a transparent huge page) is told by the order of the page that the fault allocated; that program
 * is attached only where huge pages may come.
 *
 * Where rss_stat is batched (before 6.2) or absent each fault counts as one page as it begins.
 */
#include "bpf/arch.bpf.h"
#include "bpf/emit.bpf.h"
#include "bpf/sample.bpf.h"
#include "bpf/stack.bpf.h"

#define ANON_PAGES 1 /* MM_ANONPAGES, include/linux/mm_types_task.h */
#define GFP_MOVABLE                                                                   \
	0x8 /* ___GFP_MOVABLE, include/linux/gfp_types.h: user pages, not page tables \
	     */
#define PAGE_BYTES 4096
#define MAX_FAULT_ORDER 9 /* PMD size on x86-64, and on arm64 with 4 KiB pages */

/*
 * User space has the samples further apart where faults come fast: config.fault_mean_bytes is
 * shifted by this. A countdown under way ends as it was drawn, and its sample says how.
 */
__u32 fault_shift = 0;

/*
 * Names the fault under way among those of a thread, from 1: the kernel counts it once it has been
 * handled (mm_account_fault(), mm/memory.c).
 */
static __always_inline __u64 fault_number(const struct task_struct *task)
{
	return task->min_flt + task->maj_flt + 1;
}

static __always_inline void fault_brought(struct thread_state *state, __u32 tid, __u32 pages)
{
	__u32 shift = fault_shift & FAULT_SHIFT_MASK;
	struct ev_fault *record;
	__u32 drawn_with;
	__u64 stack;

	count(COUNT_FAULT_PAGES, pages);
	start_countdowns(state);
	if (!sample_bytes(&state->fault_countdown, (__u64)pages * PAGE_BYTES,
			  cfg.fault_mean_bytes << shift))
		return;
	drawn_with = state->fault_shift;
	state->fault_shift = shift;
	stack = take_kernel_entry_stack(state);
	record = reserve(sizeof(*record), EV_FAULT, tid);
	if (!record)
		return;
	record->h.flags = EV_SAMPLED;
	record->address = state->fault_address;
	record->stack = stack;
	record->pages = pages;
	record->kernel_mode = state->fault_kernel_mode;
	record->mean_shift = drawn_with;
	submit(record);
}

/* Hardly ever another one, and shared: read by all CPUs at each rss_stat. */
static __always_inline void learn_mm(__u64 mm)
{
	if (!cfg.follow && target_mm != mm)
		target_mm = mm;
}

static __always_inline int begin_fault(__u64 address, __u32 kernel_mode)
{
	__u64 id = target_thread();
	__u32 tid = id;
	struct task_struct *task = bpf_get_current_task_btf();
	struct thread_state *state;

	/*
	 * A read that may not fault (copy_from_user_nofault: ours, of a stack's end, among them)
	 * gets an error and brings no page: arch/x86/mm/fault.c, faulthandler_disabled().
	 * Read without a helper: bpf_probe_read_kernel disables faults itself.
	 */
	if (!id || address >> 63 || task->pagefault_disabled)
		return 0;
	count(COUNT_FAULT_RUNS, 1);
	if (kernel_mode)
		count(COUNT_FAULTS_KERNEL, 1);
	state = thread_state_of(tid);
	if (!state)
		return 0;
	state->fault_address = address;
	state->fault_kernel_mode = kernel_mode;
	if (!cfg.exact_rss_stat) {
		fault_brought(state, tid, 1);
		return 0;
	}
	learn_mm((__u64)task->mm);
	state->fault = fault_number(task);
	return 0;
}

/* Attached only where rss_stat does not do, or addresses of faults are asked for. */
SEC("tp_btf/page_fault_user")
int BPF_PROG(fault_user, unsigned long address, struct pt_regs *regs, unsigned long error_code)
{
	return begin_fault(address, 0);
}

SEC("tp_btf/page_fault_kernel")
int BPF_PROG(fault_kernel, unsigned long address, struct pt_regs *regs, unsigned long error_code)
{
	return begin_fault(address, 1);
}

/*
 * Both where the kernel has no such tracepoints (arm64): perf's event of page faults. The kernel
 * leaves it out, and counts that nowhere, where the fault comes while the CPU is inside bpf(2)
 * (bpf_overflow_handler, kernel/events/core.c).
 */
SEC("perf_event")
int fault_any(struct bpf_perf_event_data *ctx)
{
	return begin_fault(ctx->addr, !arch_in_user_mode(&ctx->regs));
}

/* Is it in a fault that may bring memory? One of user code, or one that was seen to begin. */
static __always_inline bool is_in_fault(const struct thread_state *state, struct task_struct *task)
{
	return (state && state->fault == fault_number(task)) || arch_came_by_exception(task);
}

SEC("tp_btf/mm_page_alloc")
int BPF_PROG(page_alloc, struct page *page, unsigned int order, unsigned int gfp_flags)
{
	struct task_struct *task;
	struct thread_state *state;
	__u64 id, number;

	/* Single pages first: they are nearly all there are, of all processes. */
	if (!order || !page || !(gfp_flags & GFP_MOVABLE) || order > MAX_FAULT_ORDER)
		return 0;
	id = target_thread();
	task = bpf_get_current_task_btf();
	if (!id || !is_in_fault(find_thread_state(id), task))
		return 0;
	state = thread_state_of(id);
	if (!state)
		return 0;
	number = fault_number(task);
	if (state->fault_of_order != number || order > state->fault_order)
		state->fault_order = order;
	state->fault_of_order = number;
	return 0;
}

SEC("tp_btf/rss_stat")
int BPF_PROG(rss_stat, struct mm_struct *mm, int member)
{
	struct task_struct *task;
	struct thread_state *state;
	__u64 id, number;
	__u32 pages = 1;

	if (!cfg.follow && target_mm && (__u64)mm != target_mm)
		return 0;
	task = bpf_get_current_task_btf();
	if ((__u64)mm != (__u64)task->mm)
		return 0;
	id = target_thread();
	if (!id)
		return 0;
	count(COUNT_FAULT_RUNS, 1);
	learn_mm((__u64)mm);
	if (member != ANON_PAGES)
		return 0;
	state = find_thread_state(id);
	if (!is_in_fault(state, task))
		return 0;
	if (!state)
		state = thread_state_of(id);
	if (!state)
		return 0;
	number = fault_number(task);
	if (state->fault_of_order == number)
		pages = 1 << (state->fault_order & 15);
	if (state->fault_brought != number)
		state->fault_pages = 0;
	/* Once a fault: reclaim on its way, before the page is there, may take the target's own. */
	if (pages <= state->fault_pages)
		return 0;
	if (state->fault != number) {
		state->fault_address = 0;
		state->fault_kernel_mode = 0;
	}
	if (state->fault_of_order != number && huge_pages_advised && !page_orders_known)
		count(LOST_FAULT_ORDERS, 1);
	fault_brought(state, id, pages - state->fault_pages);
	state->fault_brought = number;
	state->fault_pages = pages;
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
