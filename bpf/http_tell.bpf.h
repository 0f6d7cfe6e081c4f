/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What the ring is told of a request that passes through a connection. */
#ifndef ASRTRACE_HTTP_TELL_BPF_H
#define ASRTRACE_HTTP_TELL_BPF_H

#include "bpf/emit.bpf.h"
#include "bpf/http.h"

/*
 * Ends of requests that found no room in the ring; they are told before what comes next. Without
 * its end a request would be in flight for ever, and whatever happens later might be its work.
 */
struct {
	__uint(type, BPF_MAP_TYPE_QUEUE);
	__uint(max_entries, 1024);
	__type(value, struct ev_http_done);
} http_owed SEC(".maps");
__u64 http_owes = 0;

/* Whose connection it is. The target may have ended: its sockets are closed after that. */
static __always_inline __s32 http_process_of(const struct http_conn *conn)
{
	return conn->tgid == cfg.tgid ? 0 : process_of(conn->tgid);
}

static __always_inline void http_describe_done(struct ev_http_done *record,
					       const struct http_conn *conn, __u64 id,
					       __u64 body_bytes, __u32 outcome)
{
	head(&record->h, EV_HTTP_DONE, conn->owner);
	/* A socket may end in the context of another. */
	if (cfg.follow)
		record->h.process = http_process_of(conn);
	record->id = id;
	record->body_bytes = body_bytes;
	record->response_bytes = conn->response_bytes;
	record->status = conn->machine[HTTP_OUT].status;
	record->outcome = outcome;
}

static __always_inline void http_put_off(const struct ev_http_done *record)
{
	if (bpf_map_push_elem(&http_owed, record, BPF_ANY))
		count(LOST_RING_OTHER, 1);
	else
		__sync_fetch_and_add(&http_owes, 1);
}

/* These two have frames of their own, or the stack would not do for what calls them. */
__noinline int http_owe(const struct http_conn *conn, __u64 id, __u64 body_bytes, __u32 outcome)
{
	struct ev_http_done record = {};

	if (!conn)
		return 0;
	http_describe_done(&record, conn, id, body_bytes, outcome);
	http_put_off(&record);
	return 0;
}

__noinline int http_pay(void)
{
	struct ev_http_done record;

	for (int i = 0; i < HTTP_PIPELINE; i++) {
		if (!http_owes || bpf_map_pop_elem(&http_owed, &record))
			break;
		__sync_fetch_and_add(&http_owes, -1);
		if (bpf_ringbuf_output(&events, &record, sizeof(record), wakeup())) {
			http_put_off(&record);
			break;
		}
	}
	return 0;
}

static __always_inline void http_emit_begin(struct http_conn *conn, __u64 id)
{
	__u64 bit = 1ULL << id % HTTP_PIPELINE;
	struct ev_http_begin *record;

	http_pay();
	conn->told &= ~bit;
	record = reserve(sizeof(*record), EV_HTTP_BEGIN, conn->owner);
	if (!record)
		return;
	conn->told |= bit;
	record->id = id;
	record->begin_ns = conn->begin_ns;
	record->path_bytes = conn->path_bytes;
	record->pad = 0;
	__builtin_memcpy(record->method, conn->method, sizeof(record->method));
	__builtin_memcpy(record->path, conn->path, sizeof(record->path));
	submit(record);
}

static __always_inline void http_emit_done(struct http_conn *conn, __u64 id, __u64 body_bytes,
					   __u32 outcome)
{
	struct ev_http_done *record;

	http_pay();
	record = bpf_ringbuf_reserve(&events, sizeof(*record), 0);
	if (record) {
		http_describe_done(record, conn, id, body_bytes, outcome);
		submit(record);
	} else if (conn->told >> id % HTTP_PIPELINE & 1) {
		http_owe(conn, id, body_bytes, outcome);
	} else { /* nobody was told of the begin, nobody waits for the end */
		count(LOST_RING_OTHER, 1);
	}
}

static __always_inline void http_emit_moved(__u64 id)
{
	struct ev_http_moved *record = reserve(sizeof(*record), EV_HTTP_MOVED, current_thread());

	if (!record)
		return;
	record->id = id;
	submit(record);
}

#endif
