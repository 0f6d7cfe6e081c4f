// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Page faults of both modes: read() into a fresh buffer faults in the kernel. All are counted; the
 * ones that bring anonymous memory are sampled by bytes, with a stack.
 *
 * That it did is told by rss_stat, which fires in the same context once the counter has moved; how
 * many pages came (512 with a transparent huge page) by the order of the page that the fault
 * allocated. Where rss_stat is batched (before 6.2) or absent each fault counts as one page.
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
	count(kernel_mode ? COUNT_FAULTS_KERNEL : COUNT_FAULTS_USER, 1);
	state = thread_state_of(tid);
	if (!state)
		return 0;
	state->fault_address = address;
	state->fault_kernel_mode = kernel_mode;
	if (!cfg.exact_rss_stat) {
		fault_brought(state, tid, 1);
		return 0;
	}
	/* Hardly ever another one, and shared: read by all CPUs at each rss_stat. */
	if (!cfg.follow && target_mm != (__u64)task->mm)
		target_mm = (__u64)task->mm;
	state->fault_pending = 1;
	state->fault_order = 0;
	return 0;
}

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

SEC("tp_btf/mm_page_alloc")
int BPF_PROG(page_alloc, struct page *page, unsigned int order, unsigned int gfp_flags)
{
	__u64 id;
	__u32 tid;
	struct thread_state *state;

	/* Single pages first: they are nearly all there are, of all processes. */
	if (!order || !page || !(gfp_flags & GFP_MOVABLE) || order > MAX_FAULT_ORDER)
		return 0;
	id = target_thread();
	tid = id;
	if (!id)
		return 0;
	state = find_thread_state(tid);
	if (state && state->fault_pending && order > state->fault_order)
		state->fault_order = order;
	return 0;
}

SEC("tp_btf/rss_stat")
int BPF_PROG(rss_stat, struct mm_struct *mm, int member)
{
	__u64 own = cfg.follow ? (__u64)bpf_get_current_task_btf()->mm : target_mm;

	if (member != ANON_PAGES || (__u64)mm != own)
		return 0;
	__u64 id = target_thread();
	__u32 tid = id;
	struct thread_state *state;

	if (!id)
		return 0;
	state = find_thread_state(tid);
	if (!state || !state->fault_pending)
		return 0;
	state->fault_pending = 0;
	fault_brought(state, tid, 1 << (state->fault_order & 15));
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
