/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* From a frame to its caller by a row: the rules of enum unwind_cfa and enum unwind_saved. */
#ifndef ASRTRACE_UNWIND_RULES_BPF_H
#define ASRTRACE_UNWIND_RULES_BPF_H

static __always_inline long unwind_stop(struct unwind_state *state, __u32 reason)
{
	state->out.reason = reason;
	if (reason != UNWIND_COMPLETE)
		state->out.flags |= UNWIND_TRUNCATED;
	return 1;
}

static __always_inline long unwind_to(struct unwind_state *state, __u64 ip, __u64 sp, __u64 fp,
				      __u64 return_slot)
{
	/* Thread starts that predate CFI end in a zero return address. */
	if (!ip)
		return unwind_stop(state, UNWIND_COMPLETE);
	state->ip = ip;
	state->sp = sp;
	state->fp = fp;
	state->return_slot = return_slot;
	state->exact = 0;
	return 0;
}

#ifdef __TARGET_ARCH_arm64
/* arch/arm64/kernel/signal.c: struct rt_sigframe {siginfo; ucontext}, sp at its start. */
#define UNWIND_SIGNAL_FP (128 + 176 + 8 + 29 * 8)
#define UNWIND_SIGNAL_LINK (128 + 176 + 8 + 30 * 8)
#define UNWIND_SIGNAL_SP (128 + 176 + 8 + 31 * 8)
#define UNWIND_SIGNAL_IP (128 + 176 + 8 + 32 * 8)
#else
/*
 * arch/x86/include/asm/sigframe.h: rsp is at uc once the restorer's address is popped;
 * uapi/asm/ucontext.h puts uc_mcontext at 40, uapi/asm/sigcontext.h the registers in it: r8 to r15,
 * rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip. One nibble each: their place by DWARF number.
 */
#define UNWIND_SIGNAL_REGS 40
#define UNWIND_SIGNAL_ORDER 0x76543210fa89becdULL
#define UNWIND_SIGNAL_FP (40 + 10 * 8)
#define UNWIND_SIGNAL_SP (40 + 15 * 8)
#define UNWIND_SIGNAL_IP (40 + 16 * 8)
#endif

/* Out of a signal handler, with the registers that the kernel saved; the stack may be another. */
static __noinline long unwind_signal(struct unwind_state *state)
{
	__u64 frame = state->sp;
	__u64 fp, sp, ip;

	unwind_trail_lose(state);
	if (unwind_read(state, frame + UNWIND_SIGNAL_FP, &fp) ||
	    unwind_read(state, frame + UNWIND_SIGNAL_SP, &sp) ||
	    unwind_read(state, frame + UNWIND_SIGNAL_IP, &ip))
		return unwind_stop(state, UNWIND_BAD_READ);
#ifdef __TARGET_ARCH_arm64
	if (unwind_read(state, frame + UNWIND_SIGNAL_LINK, &state->regs[0]))
		return unwind_stop(state, UNWIND_BAD_READ);
#endif
	unwind_to(state, ip, sp, fp, 0);
	state->context = frame;
	state->exact = 1;
	return !ip;
}

/*
 * Where a signal handler returns to. arm64's has no call frame information (vdso/sigreturn.S): it
 * is known by its two instructions, mov x8, #__NR_rt_sigreturn and svc #0.
 */
static __always_inline int unwind_at_sigreturn(__u64 ip)
{
#ifdef __TARGET_ARCH_arm64
	__u64 code = 0;

	return !bpf_probe_read_user(&code, sizeof(code), (void *)ip) && code == 0xd4000001d2801168;
#else
	(void)ip;
	return 0;
#endif
}

/* Registers other than sp and fp are known in the innermost frame and where a signal struck. */
static __always_inline int unwind_register(struct unwind_state *state, __u32 number, __u64 *value)
{
	if (!state->exact)
		return -1;
#ifndef __TARGET_ARCH_arm64
	if (state->context) {
		__u32 place = (UNWIND_SIGNAL_ORDER >> (number * 4)) & 15;

		return unwind_read(state, state->context + UNWIND_SIGNAL_REGS + place * 8, value);
	}
#endif
	*value = state->regs[number & (UNWIND_REGISTERS - 1)];
	return 0;
}

/* The canonical frame address; nonzero: the reason to stop. */
static __always_inline __u32 unwind_cfa(struct unwind_state *state, __u64 row, __u64 *cfa)
{
	__u64 offset = unwind_row_cfa_offset(row);

	switch (unwind_row_cfa(row)) {
	case UNWIND_CFA_SP:
		*cfa = state->sp + offset;
		return 0;
	case UNWIND_CFA_FP:
		unwind_trail_fp(state);
		*cfa = state->fp + offset;
		return 0;
	case UNWIND_CFA_DEREF_FP:
		unwind_trail_fp(state);
		if (unwind_read(state, state->fp + offset, cfa))
			return UNWIND_BAD_READ;
		unwind_trail_add(state, state->fp + offset, *cfa, 1);
		return 0;
	case UNWIND_CFA_DEREF_SP:
		if (unwind_read(state, state->sp + offset, cfa))
			return UNWIND_BAD_READ;
		unwind_trail_add(state, state->sp + offset, *cfa, 1);
		*cfa += 8;
		return 0;
	case UNWIND_CFA_PLT:
		*cfa = state->sp + 8 + ((state->ip & 15) >= offset / 8 ? 8 : 0);
		return 0;
	case UNWIND_CFA_REGISTER:
		unwind_trail_lose(state);
		if (unwind_register(state, (row >> 60) & 15, cfa) || !*cfa)
			return UNWIND_BAD_RULE;
		*cfa += ((row >> 48) & 0xfff) * 8;
		return 0;
	default:
		return UNWIND_BAD_RULE;
	}
}

/* The caller's frame pointer; *slot is where it lies, 0 if it was not saved. */
static __always_inline int unwind_saved_fp(struct unwind_state *state, __u64 row, __u64 cfa,
					   __u64 *fp, __u64 *slot)
{
	__u64 base = 0;

	*fp = state->fp;
	*slot = 0;
	switch (unwind_row_saved(row)) {
	case UNWIND_SAVED_CFA:
	case UNWIND_SAVED_FP_ONLY:
		base = cfa;
		break;
	case UNWIND_SAVED_FP:
		unwind_trail_fp(state);
		base = state->fp;
		break;
	case UNWIND_SAVED_SP:
		base = state->sp;
		break;
	case UNWIND_SAVED_LOST:
		*fp = 0;
		return 0;
	default:
		return 0;
	}
	*slot = base + unwind_row_fp_offset(row);
	return unwind_read(state, *slot, fp);
}

/* Where the return address is; 0: in the link register. */
static __always_inline __u64 unwind_return_slot(__u64 row, __u64 cfa, __u64 fp_slot)
{
#ifdef __TARGET_ARCH_arm64
	switch (unwind_row_saved(row)) {
	case UNWIND_SAVED_NONE:
	case UNWIND_SAVED_FP_ONLY:
		return 0;
	case UNWIND_SAVED_RA_ONLY:
		return cfa + unwind_row_fp_offset(row);
	default:
		return fp_slot + 8;
	}
#else
	(void)row;
	(void)fp_slot;
	return cfa - 8;
#endif
}

static __always_inline long unwind_by_row(struct unwind_state *state, __u64 row)
{
	__u64 cfa = 0, fp = 0, fp_slot = 0, slot, ip = state->regs[0];
	__u32 reason = unwind_cfa(state, row, &cfa);

	if (reason)
		return unwind_stop(state, reason);
	/* A caller's frame lies above: also the only guard against corrupt stacks going in circles.
	 */
	if (cfa < state->sp || (cfa == state->sp && !ARCH_RETURN_IN_REGISTER))
		return unwind_stop(state, UNWIND_LOOP);
	if (unwind_saved_fp(state, row, cfa, &fp, &fp_slot))
		return unwind_stop(state, UNWIND_BAD_READ);
	slot = unwind_return_slot(row, cfa, fp_slot);
	if (slot) {
		if (unwind_read(state, slot, &ip))
			return unwind_stop(state, UNWIND_BAD_READ);
		unwind_trail_add(state, slot, ip, 0);
	} else if (!state->exact) {
		return unwind_stop(state, UNWIND_LOOP);
	}
	if (fp_slot)
		state->fp_slot = fp_slot;
	return unwind_to(state, ip & ARCH_ADDRESS_MASK, cfa, fp, slot);
}

#endif /* ASRTRACE_UNWIND_RULES_BPF_H */
