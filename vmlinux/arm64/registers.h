/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* arch/arm64/include/uapi/asm/ptrace.h: all that a BPF program sees of a probe's registers. */
struct user_pt_regs {
	__u64 regs[31];
	__u64 sp;
	__u64 pc;
	__u64 pstate;
};
typedef struct user_pt_regs bpf_user_pt_regs_t;

/* arch/arm64/include/asm/ptrace.h: begins as the above. */
struct pt_regs {
	__u64 regs[31];
	__u64 sp;
	__u64 pc;
	__u64 pstate;
	__u64 orig_x0;
	__s32 syscallno;
};
