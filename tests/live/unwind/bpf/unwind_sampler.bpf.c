/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Takes one stack of the target, by the walker, and stops the thread where it is: another unwinder
 * can then look at the very same stack. For the tests and benchmarks of unwinding.
 */
#include "bpf/unwind.bpf.h"
#include <bpf/bpf_tracing.h>
#include "tests/live/unwind/sample.h"

#define SIGSTOP 19

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* knobs and results, mapped by the test */
__u32 target_tgid;
__u32 wanted_source;
__u32 skip_ticks; /* let so many events pass before the next sample */
__u32 armed;      /* set by the reader, taken by the program */
__u32 ready;      /* set by the program */
__u32 stop_target = 1;
struct unwind_sample sample;

static __always_inline int is_wanted(__u32 source)
{
	if (bpf_get_current_pid_tgid() >> 32 != target_tgid || !(wanted_source & source) || !armed)
		return 0;
	if (skip_ticks) {
		skip_ticks--;
		return 0;
	}
	return __sync_val_compare_and_swap(&armed, 1, 0) == 1;
}

static __always_inline void take_sample(__u32 source)
{
	struct unwind_state *state = unwind_claim();

	if (!state)
		return;
	unwind_from_task(state, target_tgid);
	sample.tid = (__u32)bpf_get_current_pid_tgid();
	sample.source = source;
	sample.ip = state->ip;
	sample.sp = state->sp;
	sample.fp = state->fp;
	__builtin_memcpy(sample.regs, state->regs, sizeof(sample.regs));
	unwind_user(state);
	__builtin_memcpy(&sample.stack, &state->out, 16);
	bpf_probe_read_kernel(sample.stack.pcs, sizeof(sample.stack.pcs), state->out.pcs);
	unwind_release(state);
	if (stop_target)
		bpf_send_signal(SIGSTOP);
	ready = 1;
}

SEC("perf_event")
int on_tick(void *ctx)
{
	(void)ctx;
	if (is_wanted(SAMPLE_TICK))
		take_sample(SAMPLE_TICK);
	return 0;
}

SEC("tracepoint/exceptions/page_fault_user")
int on_fault(void *ctx)
{
	(void)ctx;
	if (is_wanted(SAMPLE_FAULT))
		take_sample(SAMPLE_FAULT);
	return 0;
}
