/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The bytes of a call on a socket, given to the machines of http_parse.bpf.h: window by window,
 * buffer by buffer. The functions that are not static are verified once, for themselves: loops
 * around their calls stay cheap for the verifier on kernels without bpf_loop, too.
 */
#ifndef ASRTRACE_HTTP_BPF_H
#define ASRTRACE_HTTP_BPF_H

#include "bpf/http_parse.bpf.h"

/* After a step: false if the rest of this call's bytes is to be left alone. */
static __always_inline bool http_goes_on(struct http_conn *conn, enum http_step step)
{
	switch (step) {
	case HTTP_BROKEN:
		http_confused(conn);
		return false;
	case HTTP_IS_2:
		http_ignore(conn, COUNT_HTTP_2);
		return false;
	case HTTP_IS_OTHER:
		http_ignore(conn, COUNT_HTTP_UPGRADED);
		return false;
	default:
		return true;
	}
}

/* A byte or a stretch of body from the window. Returns 0 when there is no more, or no sense. */
__noinline int http_window_step(struct http_conn *conn, struct http_work *work)
{
	struct http_machine *machine;
	enum http_step step;
	__u64 skipped;
	bool response;
	__u32 at;

	if (!conn || !work)
		return 0;
	at = work->at;
	response = work->direction == HTTP_OUT;
	/* What a server says unasked (408, 400) answers no request that was seen. */
	if (at >= work->window_bytes || (response && !http_in_flight(conn)))
		return 0;
	machine = &conn->machine[response ? HTTP_OUT : HTTP_IN];
	skipped = http_skip(conn, machine, work->window_bytes - at, response);
	if (skipped) {
		work->at = at + (__u32)skipped;
		return 1;
	}
	work->at = at + 1;
	step = http_byte(conn, machine, work->window[HTTP_MASKED(at, HTTP_WINDOW)], response,
			 work->now_ns);
	if (http_goes_on(conn, step))
		return 1;
	work->total = 0;
	return 0;
}

/* Does the window begin like a request? Only the usual methods: this is a guess at strangers. */
static __always_inline bool http_begins_request(const struct http_work *work)
{
	__u32 word = 0;

	if (work->window_bytes < 8)
		return false;
	word = (__u32)work->window[0] << 24 | work->window[1] << 16 | work->window[2] << 8 |
	       work->window[3];
	return word == HTTP_WORD4('G', 'E', 'T', ' ') || word == HTTP_WORD4('P', 'O', 'S', 'T') ||
	       word == HTTP_WORD4('H', 'E', 'A', 'D') || word == HTTP_WORD4('P', 'U', 'T', ' ') ||
	       word == HTTP_WORD4('D', 'E', 'L', 'E') || word == HTTP_WORD4('O', 'P', 'T', 'I') ||
	       word == HTTP_WORD4('P', 'A', 'T', 'C') || word == HTTP_WORD4('C', 'O', 'N', 'N');
}

/*
 * The first bytes of a call on a connection of which nothing is known. Who reads a response, or
 * writes a request, is a client. False: nothing is to be read here.
 */
static __always_inline bool http_meet(struct http_conn *conn, const struct http_work *work)
{
	bool begins =
		conn->machine[HTTP_IN].state == HTTP_START; /* not in a request line's middle */
	bool tls = work->window_bytes >= 2 &&
		   (work->window[0] == 0x16 || work->window[0] == 0x17) && work->window[1] == 3;

	if (work->direction == HTTP_OUT) {
		if (tls || http_begins_request(work))
			http_ignore(conn, 0);
		return false;
	}
	if (tls && begins) {
		http_ignore(conn, COUNT_HTTP_TLS);
		return false;
	}
	if (begins && work->window_bytes >= 7 && work->window[0] == 'H' && work->window[4] == '/' &&
	    work->window[5] == '1' && work->window[6] == '.') {
		http_ignore(conn, 0);
		return false;
	}
	/* The rest of a body that began before anybody looked may have been taken for a beginning.
	 */
	if (http_begins_request(work))
		http_start_over(&conn->machine[HTTP_IN]);
	return true;
}

/* The next buffer of a vectored call. False: there is none, or it cannot be read. */
static __always_inline bool http_next_buffer(struct http_work *work)
{
	struct http_iovec iovec;

	if (!work->vectors)
		return false;
	work->vectors--;
	if (bpf_probe_read_user(&iovec, sizeof(iovec), (void *)work->vector))
		return false;
	work->vector += sizeof(iovec);
	work->buffer = iovec.base;
	work->left = iovec.bytes < work->total ? iovec.bytes : work->total;
	return true;
}

/* Skips, or reads the next window and runs through it. Returns 0 when the call's bytes are used up.
 */
__noinline int http_stretch(struct http_conn *conn, struct http_work *work)
{
	struct http_machine *machine;
	__u64 bytes;

	if (!conn || !work || !work->total || conn->role == HTTP_IGNORED)
		return 0;
	if (!work->left && !http_next_buffer(work)) {
		http_confused(conn);
		return 0;
	}
	machine = &conn->machine[work->direction == HTTP_OUT ? HTTP_OUT : HTTP_IN];
	bytes = http_skip(conn, machine, work->left, work->direction == HTTP_OUT);
	if (!bytes && !work->left)
		return 1; /* an empty buffer among others */
	if (!bytes) {
		bytes = work->left < HTTP_WINDOW ? work->left : HTTP_WINDOW;
		if (work->opaque || bpf_probe_read_user(work->window, bytes & (2 * HTTP_WINDOW - 1),
							(void *)work->buffer)) {
			http_confused(conn);
			return 0;
		}
		work->window_bytes = (__u32)bytes;
		work->at = 0;
		if (work->first && conn->role == HTTP_UNKNOWN && !http_meet(conn, work))
			return 0;
		for (int i = 0; i < HTTP_WINDOW; i++)
			if (!http_window_step(conn, work))
				break;
		if (!work->total)
			return 0;
		bytes = work->at;
	}
	work->first = 0;
	if (!bytes)
		return 0;
	work->buffer += bytes;
	work->left -= bytes;
	work->total -= bytes;
	return 1;
}

/* The bytes of one call, as `work` describes them, have passed. */
static __always_inline void http_transfer(struct http_conn *conn, struct http_work *work)
{
	if (conn->role == HTTP_IGNORED)
		return;
	if (http_in_flight(conn) && conn->owner != work->tid)
		http_emit_moved(http_id(conn, conn->answered));
	conn->owner = work->tid;
	for (int i = 0; i < HTTP_STRETCHES; i++)
		if (!http_stretch(conn, work))
			return;
	http_confused(conn);
}

/* No more can be written. */
static __always_inline void http_end_output(struct http_conn *conn)
{
	struct http_machine *machine = &conn->machine[HTTP_OUT];

	if (http_in_flight(conn) && machine->state == HTTP_UNTIL_CLOSE)
		http_response_end(conn, machine);
}

/* The connection is closed: nobody will answer what is in flight. */
static __always_inline void http_close(struct http_conn *conn)
{
	http_end_output(conn);
	for (int i = 0; i < HTTP_PIPELINE; i++) {
		if (!http_in_flight(conn))
			break;
		http_finish(conn, HTTP_ABORTED);
	}
}

#endif
