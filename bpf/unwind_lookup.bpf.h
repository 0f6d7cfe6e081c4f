/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Lookups of the walker: a word of the user stack, the mapping of a pc, the row of a pc. The
 * searches have a fixed number of steps and no branches: each branch doubles what the verifier
 * explores.
 */
#ifndef ASRTRACE_UNWIND_LOOKUP_BPF_H
#define ASRTRACE_UNWIND_LOOKUP_BPF_H

/* Keeps the compiler from turning the arithmetic of a search back into branches. */
#define unwind_opaque(value) asm volatile("" : "+r"(value))

/* 1 if a >= b, for a and b below 2^63. */
static __always_inline __u64 unwind_not_below(__u64 a, __u64 b)
{
	return ~(a - b) >> 63;
}

static __always_inline struct unwind_chunk *unwind_chunk(__u32 chunk)
{
	__u32 bank_number = chunk / UNWIND_BANK_CHUNKS;
	__u32 slot = chunk % UNWIND_BANK_CHUNKS;
	void *bank = bpf_map_lookup_elem(&unwind_banks, &bank_number);

	if (!bank)
		return NULL;
	return bpf_map_lookup_elem(bank, &slot);
}

/* Reads ahead: the next frames' slots lie above this one's. */
static __noinline int unwind_fill_window(struct unwind_state *state, __u64 address)
{
	__u64 bytes = sizeof(state->window);

	state->window_begin = address;
	state->window_bytes = bytes;
	if (!bpf_probe_read_user(state->window, bytes, (void *)address))
		return 0;
	/* At the top of the stack only what is left of the page can be read. */
	bytes = (4096 - (address & 4095)) & (sizeof(state->window) - 1);
	state->window_bytes = bytes;
	if (bytes && !bpf_probe_read_user(state->window, bytes, (void *)address))
		return 0;
	state->window_bytes = 0;
	return -1;
}

/* The stack's word at `address`; nonzero: unreadable or unaligned. */
static __always_inline int unwind_read(struct unwind_state *state, __u64 address, __u64 *value)
{
	__u64 offset = address - state->window_begin;

	if (address & 7)
		return -1;
	if (offset >= state->window_bytes) {
		if (unwind_fill_window(state, address))
			return -1;
		offset = 0;
	}
	*value = state->window[(offset >> 3) & (UNWIND_WINDOW_WORDS - 1)];
	return 0;
}

static __noinline int unwind_search_mapping(struct unwind_state *state, __u64 pc)
{
	struct unwind_space *space;
	struct unwind_mapping *mapping;
	__u64 at = 0;
	__u64 begin;

	if (pc >> 63)
		return -1;
	space = (struct unwind_space *)unwind_chunk(state->process.space_chunk);
	if (!space)
		return -1;
#pragma unroll
	for (__u32 step = UNWIND_MAX_MAPPINGS / 2; step; step >>= 1) {
		__u64 probe = space->begin[(at + step) & (UNWIND_MAX_MAPPINGS - 1)];
		__u64 take = unwind_not_below(pc, probe);

		unwind_opaque(take);
		at += step * take;
	}
	at &= UNWIND_MAX_MAPPINGS - 1;
	begin = space->begin[at];
	mapping = &space->mapping[at];
	if (pc < begin || (pc - begin) >> 12 >= mapping->pages)
		return -1;
	state->mapping = *mapping;
	state->mapping_begin = begin;
	state->mapping_end = begin + ((__u64)state->mapping.pages << 12);
	return 0;
}

/* Makes state->mapping the one that holds pc; nonzero: in none. Mostly it is the last one's. */
static __always_inline int unwind_find_mapping(struct unwind_state *state, __u64 pc)
{
	if (pc >= state->mapping_begin && pc < state->mapping_end)
		return 0;
	return unwind_search_mapping(state, pc);
}

/*
 * The search proper, in at most 2 * first_step - 1 rows from `at`. All positions are in bytes, so
 * that little lies between one row's load and the next one's.
 */
static __always_inline __u64 unwind_search(struct unwind_chunk *rows, __u64 at, __u64 count,
					   __u64 target, __u32 first_step)
{
	__u64 last = (count - 1) * sizeof(struct unwind_row);
	__u64 low = 0;

	at *= sizeof(struct unwind_row);
#pragma unroll
	for (__u32 step = first_step; step; step >>= 1) {
		__u64 middle = low + step * sizeof(struct unwind_row);
		const struct unwind_row *row =
			(void *)rows + ((at + middle) & (UNWIND_CHUNK_BYTES - 8));
		__u64 take = unwind_not_below(target, row->pc) & unwind_not_below(last, middle);

		unwind_opaque(take);
		low += step * sizeof(struct unwind_row) * take;
	}
	return *(__u64 *)((void *)rows + ((at + low) & (UNWIND_CHUNK_BYTES - 8)));
}

/* The row (struct unwind_row as a number) of pc in state->mapping, 0 (UNWIND_CFA_NONE) if none. */
static __always_inline __u64 unwind_find_row(struct unwind_state *state, __u64 pc)
{
	__u64 offset = pc - state->mapping.bias;
	__u32 word_at = state->mapping.index_word + (__u32)(offset >> UNWIND_PAGE_SHIFT);
	struct unwind_chunk *chunk = unwind_chunk(word_at / UNWIND_CHUNK_WORDS);
	__u64 word, count;
	__u32 cell;

	if (!chunk)
		return 0;
	word = ((__u32 *)chunk)[word_at % UNWIND_CHUNK_WORDS];
	count = word & 0xff;
	cell = state->mapping.rows_cell + (__u32)(word >> 8);
	chunk = unwind_chunk(cell / UNWIND_CHUNK_CELLS);
	if (!chunk || !count)
		return 0;
	/* Each step waits for the one before, and most pages have few rows. */
	if (count <= 8)
		return unwind_search(chunk, cell, count, (__u32)offset, 4);
	if (count <= 32)
		return unwind_search(chunk, cell, count, (__u32)offset, 16);
	return unwind_search(chunk, cell, count, (__u32)offset, 128);
}

/* The same off the hot path. */
static __noinline __u64 unwind_find_row_again(struct unwind_state *state, __u64 pc)
{
	return unwind_find_row(state, pc);
}

static __always_inline __u32 unwind_row_cfa(__u64 row)
{
	return (row >> 32) & 0xf;
}

static __always_inline __u32 unwind_row_saved(__u64 row)
{
	return (row >> 36) & 0xf;
}

static __always_inline __u64 unwind_row_fp_offset(__u64 row)
{
	return (__u64)(((__s64)(row << 16)) >> 56) * 8;
}

static __always_inline __u64 unwind_row_cfa_offset(__u64 row)
{
	return (__u64)((__s64)row >> 48) * 8;
}

#endif /* ASRTRACE_UNWIND_LOOKUP_BPF_H */
