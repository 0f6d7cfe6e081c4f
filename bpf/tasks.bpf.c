// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Life and death of the target and its children: forks, exec, thread exits, the OOM killer. */
#include "bpf/emit.bpf.h"
#include "bpf/sampled.bpf.h"
#include "bpf/unwind.bpf.h"

#define MAX_PID_NAMESPACES 33 /* MAX_PID_NS_LEVEL + 1, include/linux/pid_namespace.h */
#define GROUP_EXIT 4          /* SIGNAL_GROUP_EXIT, include/linux/sched/signal.h */

/* Children get numbers in the order of their births, none twice: they name what is kept of them. */
__u32 last_process = 0;

/* The reader acts on these: it brings tables and symbols of what begins. */
static __always_inline void emit_task(__u8 tag, __u64 thread, __u32 pid, __s32 value, __u8 flags)
{
	struct ev_task *record = reserve(sizeof(*record), tag, thread);

	if (!record)
		return;
	record->h.flags = flags;
	record->pid = pid;
	record->value = value;
	bpf_ringbuf_submit(record, cfg.follow ? BPF_RB_FORCE_WAKEUP : 0);
}

/* Of a process, whoever the current thread is: it ran out of memory, the victim need not have. */
static __always_inline void emit_oom(__u32 tgid, __u16 process)
{
	struct ev_task *record = reserve(sizeof(*record), EV_OOM, tgid);

	if (!record)
		return;
	record->h.process = process;
	record->pid = tgid;
	record->value = 0;
	bpf_ringbuf_submit(record, cfg.follow ? BPF_RB_FORCE_WAKEUP : 0);
}

/* A process's first thread in the tracer's pid namespace; 0: not there. */
static __always_inline __u32 tgid_of(struct task_struct *leader)
{
	struct pid *pid;
	__u32 level;

	if (!cfg.pidns_ino)
		return leader->tgid;
	pid = leader->thread_pid;
	level = BPF_CORE_READ(pid, level);
	for (__u32 i = 0; i < MAX_PID_NAMESPACES && i <= level; i++) {
		struct upid *number = &pid->numbers[i];

		if (BPF_CORE_READ(number, ns, ns.inum) == cfg.pidns_ino)
			return BPF_CORE_READ(number, nr);
	}
	return 0;
}

/* The child's number; 0: not followed. Before it runs for the first time. */
static __always_inline __u16 follow_child(__u32 parent, __u32 child)
{
	__u32 number = 0xffff;
	__u16 value;

	if (!cfg.follow || !child)
		return 0;
	if (last_process < 0xffff)
		number = __sync_fetch_and_add(&last_process, 1) + 1;
	value = number;
	if (number >= 0xffff || bpf_map_update_elem(&followed, &child, &value, BPF_ANY)) {
		count(LOST_PROCESS_MAP, 1);
		return 0;
	}
	unwind_on_fork(parent, child);
	return value;
}

SEC("tp_btf/sched_process_fork")
int BPF_PROG(on_fork, struct task_struct *parent, struct task_struct *child)
{
	__u64 id = target_thread();
	__u32 tgid;

	if (!id || child->tgid == parent->tgid)
		return 0;
	tgid = tgid_of(child);
	emit_task(EV_FORK, id, tgid, follow_child(id >> 32, tgid), 0);
	return 0;
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(on_exec, struct task_struct *task)
{
	__u64 id = target_thread();
	__u32 tid = id;

	if (!id)
		return 0;
	unwind_on_exit(id >> 32);
	forget_sampled_of(id >> 32);
	forget_thread_state(tid);
	if (id >> 32 == cfg.tgid)
		target_mm = (__u64)task->mm;
	emit_task(EV_EXEC, id, id >> 32, 0, 0);
	return 0;
}

/*
 * What wait(2) will say of the process (kernel/exit.c, wait_task_zombie): how all of it was ended,
 * by exit() or a signal; else how its first thread ended, which need not be the last.
 */
static __always_inline __s32 process_status(struct task_struct *task)
{
	if (BPF_CORE_READ(task, signal, flags) & GROUP_EXIT)
		return BPF_CORE_READ(task, signal, group_exit_code);
	return BPF_CORE_READ(task, group_leader, exit_code);
}

static __always_inline void end_thread(struct task_struct *task, __u32 tid)
{
	count(COUNT_FAULTS_ENDED, task->min_flt + task->maj_flt);
	count(COUNT_CPU_ENDED, task->se.sum_exec_runtime);
	forget_thread_state(tid);
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(on_exit, struct task_struct *task)
{
	__u64 id = enabled ? current_thread() : 0;
	__u32 tid = id, tgid = id >> 32;
	__s32 process;
	bool last;

	if (!id)
		return 0;
	process = process_of(tgid);
	if (process < 0) {
		/* Another thread may have ended its process while this one was on its way. */
		if (cfg.follow && find_thread_state(tid))
			end_thread(task, tid);
		return 0;
	}
	/* do_exit() has counted this thread out already: kernel/exit.c */
	last = BPF_CORE_READ(task, signal, live.counter) == 0;
	/* The OOM killer notes what it takes it for: mark_oom_victim(), mm/oom_kill.c */
	if (last && BPF_CORE_READ(task, signal, oom_mm))
		emit_oom(tgid, process);
	emit_task(EV_EXIT, id, tid, last ? process_status(task) : task->exit_code,
		  last ? EV_PROCESS_ENDED : 0);
	end_thread(task, tid);
	if (!last)
		return 0;
	unwind_on_exit(tgid);
	if (!process) {
		target_ended = cfg.follow; /* else the run is over */
		return 0;
	}
	forget_sampled_of(tgid);
	bpf_map_delete_elem(&followed, &tgid);
	return 0;
}

/*
 * Linux 6.9 and later stable releases hand over the task that was chosen, others its number in the
 * initial pid namespace: of no use if ours is another, nor if it is not its process's first thread.
 * There on_exit() tells.
 */
SEC("tp_btf/mark_victim")
int on_oom(__u64 *ctx)
{
	__u32 tgid = 0;
	__s32 process;

	if (!enabled)
		return 0;
	if (bpf_core_field_exists(struct trace_event_raw_mark_victim, uid))
		tgid = tgid_of(((struct task_struct *)ctx[0])->group_leader);
	else if (!cfg.pidns_ino)
		tgid = ctx[0];
	process = process_of(tgid);
	if (process >= 0)
		emit_oom(tgid, process);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
