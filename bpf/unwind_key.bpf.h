/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What a stack is known by: the code that it went through, not where that lay. Two workers have the
 * same stack at other addresses, so code of a file counts as file and offset. Generated code has no
 * name and lies elsewhere in each process, mostly in pages of its own: a call in it counts by its
 * place in the page, an instruction that faults there as any other. Code that was mapped after the
 * last look at the mappings may be either: a call in it counts by its address, and an instruction
 * that faults there, which nearly always was just generated, by its place in the page.
 */
#ifndef ASRTRACE_UNWIND_KEY_BPF_H
#define ASRTRACE_UNWIND_KEY_BPF_H

#define UNWIND_KEY_SEED 0x9e3779b97f4a7c15ULL

/* Mixes like MurmurHash3's finaliser (public domain, A. Appleby). */
static __always_inline __u64 unwind_mix(__u64 hash, __u64 value)
{
	hash ^= value;
	hash *= 0xff51afd7ed558ccdULL;
	hash ^= hash >> 32;
	return hash;
}

/* The frame at state->ip, in state->mapping unless that is unknown. */
static __always_inline void unwind_key_add(struct unwind_state *state, int unknown)
{
	__u64 kind = (__u64)state->mapping.kind << 62;
	__u64 module = (__u64)state->mapping.module << 46;
	__u64 code;

	if (!unknown && module)
		code = (state->ip - state->mapping.bias) ^ module ^ kind;
	else if (!unknown && state->mapping.kind == UNWIND_MAPPING_JIT)
		code = (state->exact ? 0 : state->ip & 4095) ^ kind;
	else if (unknown && state->exact)
		code = (state->ip & 4095) ^ (__u64)UNWIND_MAPPING_UPROBES << 62;
	else /* The same address may mean another function elsewhere, or after a dlclose. */
		code = state->ip + state->process.generation * UNWIND_KEY_SEED;
	state->key = unwind_mix(state->key, code);
}

#endif /* ASRTRACE_UNWIND_KEY_BPF_H */
