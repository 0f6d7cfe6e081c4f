/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Records into the ring. The reader polls a few times a second anyway, so a record wakes it only
 * when much is waiting: a wake-up for each costs fifteen times the record itself.
 */
#ifndef ASRTRACE_EMIT_BPF_H
#define ASRTRACE_EMIT_BPF_H

#include "bpf/maps.bpf.h"

static __always_inline void head(struct ev_header *header, __u8 tag, __u32 tid)
{
	header->tag = tag;
	header->flags = 0;
	header->process = cfg.follow ? process_of(target_tgid()) : 0;
	header->tid = tid;
	header->time_ns = bpf_ktime_get_ns();
}

static __always_inline void *reserve(__u64 size, __u8 tag, __u32 tid)
{
	struct ev_header *header = bpf_ringbuf_reserve(&events, size, 0);

	if (!header) {
		count(tag <= EV_REALLOC_END ? LOST_RING_ALLOCATOR : LOST_RING_OTHER, 1);
		return NULL;
	}
	head(header, tag, tid);
	return header;
}

static __always_inline __u64 wakeup(void)
{
	__u64 waiting = bpf_ringbuf_query(&events, BPF_RB_AVAIL_DATA);
	/* Force only while the threshold is being crossed, not for every record behind it. */
	bool wake = waiting >= cfg.wakeup_bytes && waiting < cfg.wakeup_bytes + (256 << 10);

	return wake ? BPF_RB_FORCE_WAKEUP : BPF_RB_NO_WAKEUP;
}

static __always_inline void submit(void *record)
{
	bpf_ringbuf_submit(record, wakeup());
}

#endif
