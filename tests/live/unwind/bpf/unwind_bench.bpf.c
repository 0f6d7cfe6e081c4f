/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Three ways to take the user stack of whoever runs the program (BPF_PROG_TEST_RUN), timed inside.
 */
#include "bpf/unwind.bpf.h"

enum {
	TURNS = 64,
	COPY_BYTES = 4096,
	TEST_PAGES = 8,
};

char LICENSE[] SEC("license") = "Dual BSD/GPL";

__u64 elapsed_ns; /* of TURNS turns */
__u32 frames;     /* of the last */
__u32 flags;

struct copy {
	__u8 bytes[COPY_BYTES];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct copy);
} copies SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_STACK_TRACE);
	__uint(max_entries, 1024);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, UNWIND_MAX_FRAMES * 8);
} stack_ids SEC(".maps");

static long walk_once(__u32 turn, void *context)
{
	struct unwind_state *state = unwind_claim();

	(void)turn, (void)context;
	if (!state)
		return 1;
	unwind_from_task(state, bpf_get_current_pid_tgid() >> 32);
	frames = unwind_user(state);
	flags = state->out.flags;
	unwind_release(state);
	return 0;
}

SEC("raw_tp")
int time_walk(void *ctx)
{
	__u64 begin = bpf_ktime_get_ns();

	(void)ctx;
	bpf_loop(TURNS, walk_once, NULL, 0);
	elapsed_ns = bpf_ktime_get_ns() - begin;
	return 0;
}

SEC("raw_tp")
int time_stackid(void *ctx)
{
	__u64 begin = bpf_ktime_get_ns();

	for (int i = 0; i < TURNS; i++)
		bpf_get_stackid(ctx, &stack_ids, BPF_F_USER_STACK | BPF_F_REUSE_STACKID);
	elapsed_ns = bpf_ktime_get_ns() - begin;
	return 0;
}

/* How deep the kernel's walk is: bpf_get_stackid does not say. */
SEC("raw_tp")
int count_frames(void *ctx)
{
	__u32 key = 0;
	struct copy *copy = bpf_map_lookup_elem(&copies, &key);

	if (copy)
		frames = (__u64)bpf_get_stack(ctx, copy, UNWIND_MAX_FRAMES * 8, BPF_F_USER_STACK) /
			 8;
	return 0;
}

static long copy_once(__u32 turn, void *context)
{
	__u32 key = 0;
	struct copy *copy = bpf_map_lookup_elem(&copies, &key);

	(void)turn;
	return !copy || bpf_probe_read_user(copy, sizeof(*copy), *(void **)context);
}

SEC("raw_tp")
int time_copy(void *ctx)
{
	struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(bpf_get_current_task_btf());
	void *sp = (void *)regs->sp;
	__u64 begin = bpf_ktime_get_ns();

	(void)ctx;
	bpf_loop(TURNS, copy_once, &sp, 0);
	elapsed_ns = bpf_ktime_get_ns() - begin;
	return 0;
}
