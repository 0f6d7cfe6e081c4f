/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Stands in for libbpf's header on the host: the "kernel" has whatever the test says. */
#ifndef __BPF_CORE_READ_H__
#define __BPF_CORE_READ_H__

extern int host_has_loop;

#define bpf_core_enum_value_exists(type, value) (host_has_loop)
#define BPF_CORE_READ(object, field) ((object)->field)

#endif
