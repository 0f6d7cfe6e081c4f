// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * The request plane: beginnings and ends told by USDT probes or by the entries of two functions.
 * The cookie says which, and where a USDT probe's arguments are. Entries only: a return probe on a
 * function that lets an exception pass would abort the target.
 */
#include "bpf/emit.bpf.h"
#include "bpf/own_stack.bpf.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, USDT_SPEC_MAX);
	__type(key, __u32);
	__type(value, struct usdt_spec);
} usdt_specs SEC(".maps");

static __always_inline __u64 read_register(struct pt_regs *ctx, __s16 offset)
{
	__u64 value = 0;

	if (offset >= 0 && offset <= (__s16)(sizeof(struct pt_regs) - 8))
		bpf_probe_read_kernel(&value, sizeof(value), (void *)ctx + offset);
	return value;
}

static __always_inline __u64 read_argument(struct pt_regs *ctx, const struct usdt_arg *arg)
{
	__u64 value = 0;
	__u32 bytes = arg->size < 0 ? -arg->size : arg->size;
	__u32 shift;

	switch (arg->kind) {
	case USDT_CONST:
		return arg->offset;
	case USDT_REG:
		value = read_register(ctx, arg->reg) >> (arg->shift & 63);
		break;
	case USDT_DEREF:
		value = read_register(ctx, arg->reg) + arg->offset +
			read_register(ctx, arg->index) * arg->scale;
		if (bpf_probe_read_user(&value, sizeof(value), (void *)value))
			return 0;
		break;
	default:
		return 0;
	}
	if (bytes == 0 || bytes >= 8)
		return value;
	shift = 64 - 8 * bytes;
	return arg->size < 0 ? (__u64)((__s64)(value << shift) >> shift) : value << shift >> shift;
}

SEC("uprobe")
int request_mark(struct pt_regs *ctx)
{
	__u64 id = target_thread();
	__u64 cookie = bpf_get_attach_cookie(ctx);
	__u32 index = cookie >> REQUEST_COOKIE_SPEC_SHIFT;
	struct ev_request *record;
	struct usdt_spec *spec = NULL;

	stay_on_own_stack(ctx);
	if (!id)
		return 0;
	count(COUNT_PROBE_HITS, 1);
	if (index) {
		index--;
		spec = bpf_map_lookup_elem(&usdt_specs, &index);
	}
	record = reserve(sizeof(*record),
			 cookie & REQUEST_COOKIE_DONE ? EV_REQUEST_DONE : EV_REQUEST_BEGIN, id);
	if (!record)
		return 0;
	record->id = spec ? read_argument(ctx, &spec->args[0]) : 0;
	record->args[0] = spec ? read_argument(ctx, &spec->args[1]) : 0;
	record->args[1] = spec ? read_argument(ctx, &spec->args[2]) : 0;
	submit(record);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
