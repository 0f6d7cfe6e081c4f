/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Stands in for libbpf's header on the host: maps are plain objects, helpers plain functions. */
#ifndef __BPF_HELPERS__
#define __BPF_HELPERS__

#define SEC(name)
#define __weak
#define __uint(name, value) int(*name)[value]
#define __type(name, value) __typeof__(value)* name
#define __array(name, value) __typeof__(value)* name[]
#undef __always_inline
#undef __noinline
#define __always_inline inline __attribute__((always_inline, unused))
#define __noinline __attribute__((noinline, unused))
#define preserve_access_index

/* Not to be taken for libbpf's functions of the same names. */
#define bpf_map_lookup_elem host_map_lookup_elem
#define bpf_map_update_elem host_map_update_elem
#define bpf_map_delete_elem host_map_delete_elem

void* bpf_map_lookup_elem(void* map, const void* key);
long bpf_map_update_elem(void* map, const void* key, const void* value, __u64 flags);
long bpf_map_delete_elem(void* map, const void* key);
long bpf_probe_read_user(void* to, __u32 bytes, const void* from);
long bpf_probe_read_kernel(void* to, __u32 bytes, const void* from);
long bpf_loop(__u32 turns, long (*body)(__u32, void*), void* context, __u64 flags);
__u64 bpf_get_current_task(void);
struct task_struct* bpf_get_current_task_btf(void);
long bpf_task_pt_regs(struct task_struct* task);

#endif
