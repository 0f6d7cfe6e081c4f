// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * mmap, munmap, mremap, brk and madvise of the target, by per-syscall tracepoints, where probes
 * behind its own system call instructions (mapping_sites.bpf.c) cannot do: any such tracepoint
 * slows down every system call of the machine. Ranges that go away are told at entry, since another
 * thread may be given them before the call returns; the exit confirms or takes back.
 */
#include "bpf/mappings.bpf.h"

static __always_inline struct thread_state *entering(__u32 *tid)
{
	__u64 id = target_thread();

	*tid = id;
	return id ? thread_state_of(*tid) : NULL;
}

/*
 * The first `n` arguments, one by one: the verifier wants plain offsets from the context, and none
 * behind the last argument that the tracepoint has.
 */
#define KEEP_ARGS_1(state, ctx) ((state)->syscall_args[0] = (ctx)->args[0])
#define KEEP_ARGS_2(state, ctx) (KEEP_ARGS_1(state, ctx), (state)->syscall_args[1] = (ctx)->args[1])
#define KEEP_ARGS_3(state, ctx) (KEEP_ARGS_2(state, ctx), (state)->syscall_args[2] = (ctx)->args[2])
#define KEEP_ARGS_4(state, ctx) (KEEP_ARGS_3(state, ctx), (state)->syscall_args[3] = (ctx)->args[3])

static __always_inline struct thread_state *leaving(__u32 *tid)
{
	__u64 id = target_thread();

	if (!id)
		return NULL;
	*tid = id;
	return find_thread_state(*tid);
}

SEC("tp/syscalls/sys_enter_mmap")
int enter_mmap(struct trace_event_raw_sys_enter *ctx)
{
	__u32 tid;
	struct thread_state *state = entering(&tid);

	if (!state)
		return 0;
	KEEP_ARGS_4(state, ctx);
	/* The address asked for is of no use; its slot carries the file descriptor. */
	state->syscall_args[0] = ctx->args[4];
	return 0;
}

SEC("tp/syscalls/sys_exit_mmap")
int exit_mmap(struct trace_event_raw_sys_exit *ctx)
{
	__u32 tid;
	struct thread_state *state = leaving(&tid);

	if (!state || is_error(ctx->ret))
		return 0;
	emit_mmap(state, tid, ctx->ret, take_kernel_entry_stack(state));
	return 0;
}

SEC("tp/syscalls/sys_enter_munmap")
int enter_munmap(struct trace_event_raw_sys_enter *ctx)
{
	__u32 tid;

	if (entering(&tid))
		emit_range(tid, EV_MUNMAP_BEGIN, ctx->args[0], ctx->args[1]);
	return 0;
}

SEC("tp/syscalls/sys_exit_munmap")
int exit_munmap(struct trace_event_raw_sys_exit *ctx)
{
	__u32 tid;
	struct ev_result *record;

	if (!leaving(&tid))
		return 0;
	record = reserve(sizeof(*record), EV_MUNMAP_END, tid);
	if (!record)
		return 0;
	record->result = ctx->ret;
	submit(record);
	return 0;
}

SEC("tp/syscalls/sys_enter_mremap")
int enter_mremap(struct trace_event_raw_sys_enter *ctx)
{
	__u32 tid;
	struct thread_state *state = entering(&tid);

	if (!state)
		return 0;
	KEEP_ARGS_4(state, ctx);
	emit_mremap(state, tid, EV_MREMAP_BEGIN, 0, 0);
	return 0;
}

SEC("tp/syscalls/sys_exit_mremap")
int exit_mremap(struct trace_event_raw_sys_exit *ctx)
{
	__u32 tid;
	struct thread_state *state = leaving(&tid);

	if (state)
		emit_mremap(state, tid, EV_MREMAP_END, ctx->ret, take_kernel_entry_stack(state));
	return 0;
}

SEC("tp/syscalls/sys_enter_brk")
int enter_brk(struct trace_event_raw_sys_enter *ctx)
{
	__u32 tid;
	struct thread_state *state = entering(&tid);
	struct task_struct *task = (void *)bpf_get_current_task();

	if (state)
		state->syscall_args[0] = BPF_CORE_READ(task, mm, brk);
	return 0;
}

SEC("tp/syscalls/sys_exit_brk")
int exit_brk(struct trace_event_raw_sys_exit *ctx)
{
	__u32 tid;
	struct thread_state *state = leaving(&tid);

	if (state)
		emit_brk(tid, state->syscall_args[0], ctx->ret, take_kernel_entry_stack(state));
	return 0;
}

SEC("tp/syscalls/sys_enter_madvise")
int enter_madvise(struct trace_event_raw_sys_enter *ctx)
{
	__u32 tid;
	struct thread_state *state = entering(&tid);

	if (state)
		KEEP_ARGS_3(state, ctx);
	return 0;
}

SEC("tp/syscalls/sys_exit_madvise")
int exit_madvise(struct trace_event_raw_sys_exit *ctx)
{
	__u32 tid;
	struct thread_state *state = leaving(&tid);

	if (state && ctx->ret == 0)
		emit_madvise(tid, state);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
