/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * One step of a walk: from a frame to its caller, or one word of a stack scan. A step returns 1
 * when the walk is over.
 */
#ifndef ASRTRACE_UNWIND_FRAME_BPF_H
#define ASRTRACE_UNWIND_FRAME_BPF_H

/* No frame is larger than this: bounds what a wild frame pointer may skip. */
#define UNWIND_MAX_FRAME_BYTES (8 << 20)

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
#define UNWIND_ENTRY_RETURN_IN_REGISTER 1
/* arch/arm64/kernel/signal.c: struct rt_sigframe {siginfo; ucontext}, sp at its start. */
#define UNWIND_SIGNAL_FP (128 + 176 + 8 + 29 * 8)
#define UNWIND_SIGNAL_LINK (128 + 176 + 8 + 30 * 8)
#define UNWIND_SIGNAL_SP (128 + 176 + 8 + 31 * 8)
#define UNWIND_SIGNAL_IP (128 + 176 + 8 + 32 * 8)
/* Pointer authentication signs return addresses in the bits above the address space (48 bits). */
#define UNWIND_ADDRESS_MASK 0xffffffffffffULL
#else
#define UNWIND_ENTRY_RETURN_IN_REGISTER 0
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
#define UNWIND_ADDRESS_MASK (~0ULL)
#endif

/* Out of a signal handler, with the registers that the kernel saved; the stack may be another. */
static __noinline long unwind_signal(struct unwind_state *state)
{
	__u64 frame = state->sp;
	__u64 fp, sp, ip;

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
		*cfa = state->fp + offset;
		return 0;
	case UNWIND_CFA_DEREF_FP:
		return unwind_read(state, state->fp + offset, cfa) ? UNWIND_BAD_READ : 0;
	case UNWIND_CFA_DEREF_SP:
		if (unwind_read(state, state->sp + offset, cfa))
			return UNWIND_BAD_READ;
		*cfa += 8;
		return 0;
	case UNWIND_CFA_PLT:
		*cfa = state->sp + 8 + ((state->ip & 15) >= offset / 8 ? 8 : 0);
		return 0;
	case UNWIND_CFA_REGISTER:
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
	if (cfa < state->sp || (cfa == state->sp && !UNWIND_ENTRY_RETURN_IN_REGISTER))
		return unwind_stop(state, UNWIND_LOOP);
	if (unwind_saved_fp(state, row, cfa, &fp, &fp_slot))
		return unwind_stop(state, UNWIND_BAD_READ);
	slot = unwind_return_slot(row, cfa, fp_slot);
	if (slot) {
		if (unwind_read(state, slot, &ip))
			return unwind_stop(state, UNWIND_BAD_READ);
	} else if (!state->exact) {
		return unwind_stop(state, UNWIND_LOOP);
	}
	return unwind_to(state, ip & UNWIND_ADDRESS_MASK, cfa, fp, slot);
}

/* A plausible frame record at fp whose return address is code; nonzero: none. */
static __noinline int unwind_by_frame_pointer(struct unwind_state *state)
{
	__u64 record = state->fp;
	__u64 fp = 0, ip = 0;

	if (record < state->sp || record - state->sp > UNWIND_MAX_FRAME_BYTES)
		return -1;
	if (unwind_read(state, record, &fp) || unwind_read(state, record + 8, &ip))
		return -1;
	ip &= UNWIND_ADDRESS_MASK;
	if (!ip || unwind_find_mapping(state, ip - 1))
		return -1;
	unwind_to(state, ip, record + 16, fp, record + 8);
	state->out.flags |= UNWIND_FRAME_POINTER;
	return 0;
}

/* Do the bytes before `address` end in a call instruction? */
static __noinline int unwind_behind_call(__u64 address)
{
#ifdef __TARGET_ARCH_arm64
	__u32 code = 0;

	if ((address & 3) || bpf_probe_read_user(&code, 4, (void *)(address - 4)))
		return 0;
	/* bl; blr and its authenticated forms (Arm ARM C6.2.34-36) */
	return (code & 0xfc000000) == 0x94000000 || (code & 0xfefff000) == 0xd63f0000;
#else
	__u8 code[8] = {};

	if (bpf_probe_read_user(code, sizeof(code), (void *)(address - 8)))
		return 0;
	/* SDM volume 2, CALL: E8 rel32; FF /2 as ModRM 11 (2 bytes), 00 (2, SIB 3, rip 6),
	 * 01 (3, SIB 4), 10 (6, SIB 7). */
	return code[3] == 0xe8 ||
	       (code[6] == 0xff && ((code[7] & 0xf8) == 0xd0 || (code[7] & 0xf8) == 0x10)) ||
	       (code[5] == 0xff && (code[6] == 0x14 || (code[6] & 0xf8) == 0x50)) ||
	       (code[4] == 0xff && code[5] == 0x54) ||
	       (code[2] == 0xff && (code[3] == 0x15 || (code[3] & 0xf8) == 0x90)) ||
	       (code[1] == 0xff && code[2] == 0x94);
#endif
}

/* Is this a return address into a function that has rows? */
static __always_inline int unwind_is_return(struct unwind_state *state, __u64 address)
{
	__u32 cfa;

	if (address < state->process.table_begin || address >= state->process.table_end)
		return 0;
	if (unwind_find_mapping(state, address - 1) || state->mapping.kind != UNWIND_MAPPING_TABLE)
		return 0;
	cfa = unwind_row_cfa(unwind_find_row_again(state, address - 1));
	return cfa != UNWIND_CFA_NONE && cfa != UNWIND_CFA_BAD && cfa != UNWIND_CFA_REGISTER &&
	       unwind_behind_call(address);
}

static __always_inline int unwind_plausible_fp(struct unwind_state *state, __u64 fp)
{
	return !(fp & 7) && fp > state->sp && fp - state->sp < UNWIND_MAX_FRAME_BYTES;
}

static __always_inline long unwind_scan_failed(struct unwind_state *state)
{
	state->scanned = 0;
	if (!unwind_by_frame_pointer(state))
		return 0;
	return unwind_stop(state, UNWIND_NO_ROW);
}

/*
 * Generated code may work on a buffer for a stack and park rsp in it (oneDNN's large sgemm, slot
 * 15): the parked rsp has the six callee-saved registers above it, rbp next to last, then the
 * return address.
 */
static __always_inline long unwind_scan_parked(struct unwind_state *state, __u32 at)
{
	__u64 parked = 0, ip = 0, fp = 0;

	if (UNWIND_ENTRY_RETURN_IN_REGISTER || at >= UNWIND_PARKED_WORDS ||
	    unwind_read(state, state->sp + (__u64)at * 8, &parked))
		return unwind_scan_failed(state);
	state->scanned++;
	/* Not through the window: it holds the words that are still to be looked at. */
	if ((parked & 7) || parked >> 47 || !parked ||
	    bpf_probe_read_user(&ip, 8, (void *)(parked + 48)) || !unwind_is_return(state, ip))
		return 0;
	bpf_probe_read_user(&fp, 8, (void *)(parked + 32));
	state->scanned = 0;
	state->out.flags |= UNWIND_HEURISTIC;
	return unwind_to(state, ip, parked + 56, fp, parked + 48);
}

/*
 * One word of the scan that bridges code without rows: the first address behind a call, in a module
 * with rows, is taken for the caller. Generated code saves rbx, rbp first thing (oneDNN, xbyak) or
 * rbp alone: the caller's rbp is two slots below the return address, or one.
 */
static __noinline long unwind_scan(struct unwind_state *state)
{
	__u32 at = state->scanned - 1;
	__u64 slot = state->sp + (__u64)at * 8;
	__u64 word = 0, saved = 0, fp = state->fp;

	if (at >= UNWIND_SCAN_WORDS)
		return unwind_scan_parked(state, at - UNWIND_SCAN_WORDS);
	if (unwind_read(state, slot, &word))
		return unwind_scan_failed(state);
	word &= UNWIND_ADDRESS_MASK;
	if (!unwind_is_return(state, word)) {
		state->scanned++;
		return 0;
	}
	state->scanned = 0;
	if (at >= 2 && !unwind_read(state, slot - 16, &saved) && unwind_plausible_fp(state, saved))
		fp = saved;
	else if (at >= 1 && !unwind_read(state, slot - 8, &saved) &&
		 unwind_plausible_fp(state, saved))
		fp = saved;
	state->out.flags |= UNWIND_HEURISTIC;
	return unwind_to(state, word, slot + 8, fp, slot);
}

/* ip is a return probe's trampoline: the caller of unwind_user knows what it replaced. */
static __always_inline int unwind_resolve_trampoline(struct unwind_state *state)
{
	for (__u32 i = 0; i < UNWIND_SAVED_RETURNS; i++) {
		if (i >= state->saved_count)
			break;
		if (state->saved[i].sp == state->return_slot) {
			state->ip = state->saved[i].address;
			return 0;
		}
	}
	return -1;
}

/* The return address is at the top of the stack, whatever code this is. */
static __always_inline long unwind_at_entry(struct unwind_state *state)
{
	__u64 ip = state->regs[0];

	if (UNWIND_ENTRY_RETURN_IN_REGISTER)
		return unwind_to(state, ip & UNWIND_ADDRESS_MASK, state->sp, state->fp, 0);
	if (unwind_read(state, state->sp, &ip))
		return unwind_stop(state, UNWIND_BAD_READ);
	return unwind_to(state, ip, state->sp + 8, state->fp, state->sp);
}

static __always_inline long unwind_start_scan(struct unwind_state *state)
{
	state->scanned = 1;
	return 0;
}

static __always_inline long unwind_from_mapping(struct unwind_state *state, __u64 pc)
{
	__u64 row;

	if (state->mapping.kind == UNWIND_MAPPING_TABLE) {
		row = unwind_find_row(state, pc);
		/* In a system call ip is behind the instruction; of rt_sigreturn, behind all. */
		if (state->exact && unwind_row_cfa(row) == UNWIND_CFA_NONE)
			row = unwind_find_row_again(state, pc - 1);
		switch (unwind_row_cfa(row)) {
		case UNWIND_CFA_END:
			return unwind_stop(state, UNWIND_COMPLETE);
		case UNWIND_CFA_SIGNAL:
			return unwind_signal(state);
		case UNWIND_CFA_NONE: /* assembly without CFI, mostly leaves that keep rbp */
			return unwind_start_scan(state);
		default:
			return unwind_by_row(state, row);
		}
	}
	if (state->mapping.kind == UNWIND_MAPPING_NO_TABLE && !unwind_by_frame_pointer(state))
		return 0;
	return unwind_start_scan(state);
}

/* Records this frame and moves to its caller. */
static __always_inline long unwind_frame(struct unwind_state *state)
{
	__u32 depth = state->out.depth;
	int unknown = unwind_find_mapping(state, state->ip - !state->exact);

	/*
	 * A trampoline is no call's target: it begins its mapping, and ip - 1 is outside. The
	 * kernel makes that mapping at the first hit, so it may not be known yet.
	 */
	if (unknown && !state->exact) {
		if (!unwind_resolve_trampoline(state))
			unknown = unwind_find_mapping(state, state->ip - 1);
		else if (!unwind_find_mapping(state, state->ip) &&
			 state->mapping.kind == UNWIND_MAPPING_UPROBES)
			return unwind_stop(state, UNWIND_TRAMPOLINE);
	}
	if (depth >= UNWIND_MAX_FRAMES)
		return unwind_stop(state, UNWIND_TOO_DEEP);
	/* Code that user space has not seen yet, or a frame that is being torn down (libgcc
	 * rewrites return slots while it installs a handler's context)? */
	if (unknown && !state->exact && !unwind_behind_call(state->ip))
		return unwind_stop(state, UNWIND_NOT_CODE);
	state->out.pcs[depth] = state->ip;
	state->out.depth = depth + 1;
	if (!depth && (state->input & UNWIND_AT_ENTRY))
		return unwind_at_entry(state);
	if (unknown) {
		state->out.flags |= UNWIND_UNKNOWN_MAPPING;
		return unwind_start_scan(state);
	}
	return unwind_from_mapping(state, state->ip - !state->exact);
}

static __always_inline long unwind_step(struct unwind_state *state)
{
	return state->scanned ? unwind_scan(state) : unwind_frame(state);
}

#endif /* ASRTRACE_UNWIND_FRAME_BPF_H */
