// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Life and death of the target: forks, exec, thread exits, the OOM killer. */
#include "bpf/emit.bpf.h"

static __always_inline void emit_task(__u16 tag, __u32 tid, __u32 pid, __s32 exit_code)
{
	struct ev_task *record = reserve(sizeof(*record), tag, tid);

	if (!record)
		return;
	record->pid = pid;
	record->exit_code = exit_code;
	submit(record);
}

SEC("tp_btf/sched_process_fork")
int BPF_PROG(on_fork, struct task_struct *parent, struct task_struct *child)
{
	__u64 id = target_thread();

	if (id && child->tgid != parent->tgid)
		emit_task(EV_FORK, id, child->tgid, 0);
	return 0;
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(on_exec, struct task_struct *task)
{
	__u64 id = target_thread();

	if (id)
		emit_task(EV_EXEC, id, task->tgid, 0);
	return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(on_exit, struct task_struct *task)
{
	__u64 id = target_thread();
	__u32 tid = id;

	if (!id)
		return 0;
	emit_task(EV_EXIT, tid, task->pid, task->exit_code);
	bpf_map_delete_elem(&threads, &tid);
	return 0;
}

SEC("tp/oom/mark_victim")
int on_oom(struct trace_event_raw_mark_victim *ctx)
{
	/* Fires in the context of whoever ran out of memory; the victim's pid is an argument. */
	if ((__u32)ctx->pid == cfg.tgid)
		emit_task(EV_OOM, cfg.tgid, ctx->pid, 0);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
