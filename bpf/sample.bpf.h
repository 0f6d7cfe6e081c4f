/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Sampling by bytes as a Poisson process: every byte has the same small chance, so the distance to
 * the next sample is exponential with the mean that was asked for (heapprofd, Go's and tcmalloc's
 * profilers sample the same way). A block of s bytes is then seen with probability 1 - exp(-s /
 * mean), and the reader weighs it by the inverse: totals are unbiased.
 */
#ifndef ASRTRACE_SAMPLE_BPF_H
#define ASRTRACE_SAMPLE_BPF_H

#include "bpf/maps.bpf.h"

/* log2(1 + i / 64) * 65536, i = 0..64 */
static const __u32 log2_table[65] = {
	0,     1466,  2909,  4331,  5732,  7112,  8473,  9814,  11136, 12440, 13727, 14996, 16248,
	17484, 18704, 19909, 21098, 22272, 23433, 24579, 25711, 26830, 27936, 29029, 30109, 31178,
	32234, 33279, 34312, 35334, 36346, 37346, 38336, 39316, 40286, 41246, 42196, 43137, 44068,
	44990, 45904, 46809, 47705, 48593, 49472, 50344, 51207, 52063, 52911, 53751, 54584, 55410,
	56229, 57040, 57845, 58643, 59434, 60219, 60997, 61769, 62534, 63294, 64047, 64794, 65536,
};

/* -log2(u / 2^32) * 65536 for u in 1..2^32-1, interpolated: error below 1e-4 */
static __always_inline __u64 neg_log2(__u32 u)
{
	__u32 shift = 0;
	__u32 v = u ? u : 1;

	/* normalise so that bit 31 is set */
	if (!(v & 0xffff0000)) {
		v <<= 16;
		shift += 16;
	}
	if (!(v & 0xff000000)) {
		v <<= 8;
		shift += 8;
	}
	if (!(v & 0xf0000000)) {
		v <<= 4;
		shift += 4;
	}
	if (!(v & 0xc0000000)) {
		v <<= 2;
		shift += 2;
	}
	if (!(v & 0x80000000)) {
		v <<= 1;
		shift += 1;
	}
	__u32 index = (v >> 25) & 63;
	__u32 part = (v >> 9) & 0xffff;
	__u32 low = log2_table[index];
	__u32 high = log2_table[index + 1];
	__u64 fraction = low + (((__u64)(high - low) * part) >> 16);

	return ((__u64)(shift + 1) << 16) - fraction;
}

/* Exponential with mean `mean_bytes`: -ln(u) * mean = -log2(u) * ln 2 * mean. */
static __always_inline __s64 draw_interval(__u64 mean_bytes)
{
	/* ln 2 = 45426 / 65536; the two shifts keep the product inside 64 bits up to a mean of 4
	 * GiB */
	__u64 scaled = neg_log2(bpf_get_prandom_u32()) * 45426 >> 16;

	return (__s64)(scaled * mean_bytes >> 16) + 1;
}

/* True if a sample falls into the next `bytes` of this countdown; draws the next distance then. */
static __always_inline bool sample_bytes(__s64 *countdown, __u64 bytes, __u64 mean_bytes)
{
	if (*countdown > (__s64)bytes) {
		*countdown -= bytes;
		return false;
	}
	*countdown = draw_interval(mean_bytes);
	return true;
}

static __always_inline void start_countdowns(struct thread_state *state)
{
	if (state->started)
		return;
	state->started = 1;
	state->alloc_countdown = draw_interval(cfg.sample_mean_bytes);
	state->fault_countdown = draw_interval(cfg.fault_mean_bytes);
}

#endif
