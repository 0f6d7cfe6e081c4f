// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "bpf/maps.bpf.h"
#include "bpf/sampled.bpf.h"

const volatile struct config cfg = {};
__u32 enabled = 0;
__u32 allocator_window = 0;
__u32 target_ended = 0;
__u64 target_mm = 0;
__u32 huge_pages_advised = 0;
__u32 page_orders_known = 0;
__u64 last_break = 0;
__u32 sampled_hashes[SAMPLED_HASHES] = {};
__u32 sampled_processes[SAMPLED_PROCESSES] = {};

char LICENSE[] SEC("license") = "Dual BSD/GPL";
