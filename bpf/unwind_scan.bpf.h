/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* From a frame to its caller where there is no row: frame pointers, and a scan of the stack. */
#ifndef ASRTRACE_UNWIND_SCAN_BPF_H
#define ASRTRACE_UNWIND_SCAN_BPF_H

/* No frame is larger than this: bounds what a wild frame pointer may skip. */
#define UNWIND_MAX_FRAME_BYTES (8 << 20)

/* A plausible frame record at fp whose return address is code; nonzero: none. */
static __noinline int unwind_by_frame_pointer(struct unwind_state *state)
{
	__u64 record = state->fp;
	__u64 fp = 0, ip = 0;

	if (record < state->sp || record - state->sp > UNWIND_MAX_FRAME_BYTES)
		return -1;
	if (unwind_read(state, record, &fp) || unwind_read(state, record + 8, &ip))
		return -1;
	ip &= ARCH_ADDRESS_MASK;
	if (!ip || unwind_find_mapping(state, ip - 1))
		return -1;
	unwind_trail_lose(state);
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

/* Before the walk goes on from the word that the scan is at. */
static __always_inline void unwind_keep_guess(struct unwind_state *state)
{
	state->guess_scanned = state->scanned + 1;
	state->guess_depth = state->out.depth;
	state->guess_flags = state->out.flags;
	state->guess_sp = state->sp;
	state->guess_fp = state->fp;
	state->guess_key = state->key;
	state->scanned = 0;
	state->out.flags |= UNWIND_HEURISTIC;
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

	if (ARCH_RETURN_IN_REGISTER || at >= UNWIND_PARKED_WORDS ||
	    unwind_read(state, state->sp + (__u64)at * 8, &parked))
		return unwind_scan_failed(state);
	/* Not through the window: it holds the words that are still to be looked at. */
	if ((parked & 7) || parked >> 47 || !parked ||
	    bpf_probe_read_user(&ip, 8, (void *)(parked + 48)) || !unwind_is_return(state, ip)) {
		state->scanned++;
		return 0;
	}
	bpf_probe_read_user(&fp, 8, (void *)(parked + 32));
	unwind_keep_guess(state);
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
	word &= ARCH_ADDRESS_MASK;
	if (!unwind_is_return(state, word)) {
		state->scanned++;
		return 0;
	}
	if (at >= 2 && !unwind_read(state, slot - 16, &saved) && unwind_plausible_fp(state, saved))
		fp = saved;
	else if (at >= 1 && !unwind_read(state, slot - 8, &saved) &&
		 unwind_plausible_fp(state, saved))
		fp = saved;
	unwind_keep_guess(state);
	return unwind_to(state, word, slot + 8, fp, slot);
}

#endif /* ASRTRACE_UNWIND_SCAN_BPF_H */
