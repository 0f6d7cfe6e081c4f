// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Page faults of both modes: read() into a fresh buffer faults in the kernel. All are counted; the
 * ones that bring anonymous memory are sampled by bytes, with a stack.
 *
 * How many pages a fault brought (512 with a transparent huge page) is told by rss_stat, which
 * fires in the same context once the counter has moved: the difference of the counter as this CPU
 * sees it, before and after. Where rss_stat is batched (before 6.2) or absent each fault counts as
 * one page.
 */
#include "bpf/emit.bpf.h"
#include "bpf/sample.bpf.h"
#include "bpf/stack.bpf.h"

#define ANON_PAGES 1 /* MM_ANONPAGES, include/linux/mm_types_task.h */
#define PAGE_BYTES 4096
#define MAX_FAULT_PAGES 512 /* PMD size on x86-64 and on arm64 with 4 KiB pages */

extern const void __per_cpu_offset __ksym __weak;

/* The counter of anonymous pages as this CPU sees it: the shared part and its own not yet folded
 * part. */
static __always_inline __s64 anon_pages_here(struct mm_struct *mm, __u32 cpu)
{
	__s64 shared = BPF_CORE_READ(mm, rss_stat[ANON_PAGES].count);
	s32 *counters = BPF_CORE_READ(mm, rss_stat[ANON_PAGES].counters);
	__u64 offset = 0;
	__s32 own = 0;

	bpf_probe_read_kernel(&offset, sizeof(offset), (const __u64 *)&__per_cpu_offset + cpu);
	bpf_probe_read_kernel(&own, sizeof(own), (void *)((__u64)counters + offset));
	return shared + own;
}

static __always_inline void fault_brought(struct thread_state *state, __u32 tid, __u32 pages)
{
	struct ev_fault *record;
	__u64 stack;

	count(COUNT_FAULT_PAGES, pages);
	start_countdowns(state);
	if (!sample_bytes(&state->fault_countdown, (__u64)pages * PAGE_BYTES, cfg.fault_mean_bytes))
		return;
	stack = take_kernel_entry_stack(state);
	record = reserve(sizeof(*record), EV_FAULT, tid);
	if (!record)
		return;
	record->h.flags = EV_SAMPLED;
	record->address = state->fault_address;
	record->stack = stack;
	record->pages = pages;
	record->kernel_mode = state->fault_kernel_mode;
	submit(record);
}

static __always_inline int begin_fault(__u64 address, __u32 kernel_mode)
{
	__u64 id = target_thread();
	__u32 tid = id;
	struct thread_state *state;

	if (!id || address >> 63)
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
	struct task_struct *task = (void *)bpf_get_current_task();
	struct mm_struct *mm = BPF_CORE_READ(task, mm);
	__u32 cpu = bpf_get_smp_processor_id();

	target_mm = (__u64)mm;
	state->fault_cpu = cpu + 1;
	state->fault_pages = anon_pages_here(mm, cpu);
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

SEC("tp_btf/rss_stat")
int BPF_PROG(rss_stat, struct mm_struct *mm, int member)
{
	if (member != ANON_PAGES || (__u64)mm != target_mm)
		return 0;
	__u64 id = target_thread();
	__u32 tid = id;
	__u32 cpu = bpf_get_smp_processor_id();
	struct thread_state *state;

	if (!id)
		return 0;
	state = bpf_map_lookup_elem(&threads, &tid);
	if (!state || !state->fault_cpu)
		return 0;
	__s64 pages = anon_pages_here(mm, cpu) - state->fault_pages;
	/* Moved to another CPU meanwhile, or another CPU folded its part: a page, the common case.
	 */
	if (state->fault_cpu != cpu + 1 || pages > MAX_FAULT_PAGES || pages < 1)
		pages = 1;
	state->fault_cpu = 0;
	fault_brought(state, tid, pages);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
