/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The blocks that the sites tier took a sample of and that are alive: only their ends are told.
 * A block is named by its address and the number of its process, as in the ledger: a forked child
 * has its parent's addresses, and what it frees of them is still the parent's.
 */
#ifndef ASRTRACE_SAMPLED_BPF_H
#define ASRTRACE_SAMPLED_BPF_H

#include "bpf/maps.bpf.h"
#include <asm-generic/errno-base.h>

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 262144);
	__type(key, __u64);
	__type(value, __u8);
} sampled SEC(".maps") __weak;

/*
 * How many of the sampled blocks have an address of this hash: nearly all blocks that are freed are
 * none, and a look here costs a tenth of one into the map. And how many are of processes whose
 * number ends so.
 */
enum {
	SAMPLED_PROCESS_SHIFT = 48, /* above all user addresses */
	SAMPLED_HASHES = 1 << 16,
	SAMPLED_PROCESSES = 1 << 12,
};
extern __u32 sampled_hashes[SAMPLED_HASHES] SEC(".bss");
extern __u32 sampled_processes[SAMPLED_PROCESSES] SEC(".bss");

static __always_inline __u32 *sampled_hash(__u64 address)
{
	return &sampled_hashes[(address * 0x9e3779b97f4a7c15ULL >> 48) & (SAMPLED_HASHES - 1)];
}

static __always_inline __u32 *sampled_process(__u64 process)
{
	return &sampled_processes[process & (SAMPLED_PROCESSES - 1)];
}

static __always_inline __u64 sampled_name(__u64 address, __u64 process)
{
	return address ^ process << SAMPLED_PROCESS_SHIFT;
}

/* Of the current thread, which target_thread() knows. */
static __always_inline __u64 sampling_process(void)
{
	return cfg.follow ? (__u16)process_of(target_tgid()) : 0;
}

static __always_inline void count_sampled(__u64 address, __u64 process, __s32 blocks)
{
	__sync_fetch_and_add(sampled_hash(address), blocks);
	if (cfg.follow)
		__sync_fetch_and_add(sampled_process(process), blocks);
}

/* Takes a block out of the sampled ones; true if it was one. */
static __always_inline bool forget_sampled(__u64 address)
{
	__u64 process, name;

	if (!*(volatile __u32 *)sampled_hash(address))
		return false;
	process = sampling_process();
	name = sampled_name(address, process);
	if (bpf_map_delete_elem(&sampled, &name))
		return false;
	count_sampled(address, process, -1);
	return true;
}

/* Its address is told to nobody else yet: no other thread can be forgetting it. */
static __always_inline void remember_sampled(__u64 address)
{
	__u64 process = sampling_process();
	__u64 name = sampled_name(address, process);
	__u8 one = 1;
	long error;

	count_sampled(address, process, 1);
	error = bpf_map_update_elem(&sampled, &name, &one, BPF_NOEXIST);
	if (!error)
		return;
	count_sampled(address, process, -1);
	/* Still there if its free passed unseen. */
	if (error != -EEXIST)
		count(LOST_SAMPLED_MAP, 1);
}

static __attribute__((unused)) long forget_if_of(void *map, __u64 *key, __u8 *value, __u64 *process)
{
	__u64 name = *key;

	if (name >> SAMPLED_PROCESS_SHIFT == *process && !bpf_map_delete_elem(&sampled, &name))
		count_sampled(sampled_name(name, *process), *process, -1);
	return 0;
}

/*
 * All blocks of a process that ended or became another program: workers that are replaced would
 * fill the map. Takes a millisecond or two, of those who have any. What other CPUs put in meanwhile
 * may hide one from the walk; it stays, and costs a place.
 */
static __always_inline void forget_sampled_of(__u32 tgid)
{
	__u64 process = (__u16)process_of(tgid);

	if (!cfg.follow || cfg.sample_all || !*(volatile __u32 *)sampled_process(process))
		return;
	if (bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_for_each_map_elem))
		bpf_for_each_map_elem(&sampled, forget_if_of, &process, 0);
}

#endif
