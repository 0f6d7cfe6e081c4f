/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What a walk depended on: the words of the stack that it read and followed, by their distance from
 * the stack pointer that it began at. Return addresses count as they are; frame pointers, and other
 * words that lead to a place on the stack, as distances from that stack pointer, and only if a rule
 * used them. The rows are the generation's. So with the same generation and first instruction, a
 * stack on which all of these words are the same gives the same walk: it need not be taken again.
 */
#ifndef ASRTRACE_UNWIND_TRAIL_BPF_H
#define ASRTRACE_UNWIND_TRAIL_BPF_H

static __always_inline void unwind_trail_lose(struct unwind_state *state)
{
	state->trail.count = UNWIND_TRAIL_LOST;
}

static __always_inline void unwind_trail_add(struct unwind_state *state, __u64 slot, __u64 word,
					     __u32 is_place)
{
	__u32 i = state->trail.count;
	__u64 at = slot - state->origin;

	if (!(state->input & UNWIND_KEEP_TRAIL))
		return;
	if (i >= UNWIND_TRAIL_WORDS || at >> 32) {
		unwind_trail_lose(state);
		return;
	}
	state->trail.at[i] = at | is_place;
	state->trail.word[i] = is_place ? word - state->origin : word;
	state->trail.count = i + 1;
}

/* A rule uses the frame pointer: where it came from counts. */
static __always_inline void unwind_trail_fp(struct unwind_state *state)
{
	if (state->fp_slot) {
		unwind_trail_add(state, state->fp_slot, state->fp, 1);
		return;
	}
	state->trail.uses_fp = 1;
	state->trail.fp_distance = state->fp - state->origin;
}

#endif /* ASRTRACE_UNWIND_TRAIL_BPF_H */
