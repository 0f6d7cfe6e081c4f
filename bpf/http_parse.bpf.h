/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * HTTP/1.x byte by byte: one machine a direction reads the messages where they have structure and
 * skips bodies unread; what connects the two (which response answers which request, and whether it
 * has a body) is in http_conn. Framing is RFC 9112's, section 6.
 *
 *   read  --> machine[HTTP_IN]  --request line--> http_emit_begin
 *   write --> machine[HTTP_OUT] --last byte-----> http_emit_done
 *
 * Also compiled for the host (tests/bpf_host). The includer provides count and the http_emit
 * functions.
 */
#ifndef ASRTRACE_HTTP_PARSE_BPF_H
#define ASRTRACE_HTTP_PARSE_BPF_H

#include "bpf/http.h"

static __always_inline void http_emit_begin(struct http_conn *conn, __u64 id);
static __always_inline void http_emit_done(struct http_conn *conn, __u64 id, __u64 body_bytes,
					   __u32 outcome);
static __always_inline void http_emit_moved(__u64 id);

/* Words are compared as their last eight bytes, first byte highest. */
#define HTTP_WORD4(a, b, c, d) ((__u64)(a) << 24 | (b) << 16 | (c) << 8 | (d))
#define HTTP_WORD8(a, b, c, d, e, f, g, h) (HTTP_WORD4(a, b, c, d) << 32 | HTTP_WORD4(e, f, g, h))
#define HTTP_HEAD_METHOD HTTP_WORD4('H', 'E', 'A', 'D')
#define HTTP_CONNECT_METHOD HTTP_WORD8(0, 'C', 'O', 'N', 'N', 'E', 'C', 'T')
#define HTTP_VERSION_1 HTTP_WORD8(0, 'H', 'T', 'T', 'P', '/', '1', '.')
#define HTTP_VERSION_2 HTTP_WORD8(0, 'H', 'T', 'T', 'P', '/', '2', '.')
#define HTTP_CHUNKED HTTP_WORD8(0, 'c', 'h', 'u', 'n', 'k', 'e', 'd')

/* Header names are told by a hash of their lower-case bytes: FNV-1a, checked by the unit tests. */
#define HTTP_HASH_BEGIN 0xcbf29ce484222325ULL
#define HTTP_HASH_PRIME 0x100000001b3ULL
#define HTTP_CONTENT_LENGTH 0x2d69a1e6ee916e7dULL
#define HTTP_TRANSFER_ENCODING 0x8640bd735e9d802cULL

/* Keeps the compiler from dropping the mask that the verifier wants to see. */
#define HTTP_MASKED(index, size)                  \
	({                                        \
		__u32 masked_ = (index);          \
		asm volatile("" : "+r"(masked_)); \
		masked_ &((size)-1);              \
	})

static __always_inline __u8 http_lower(__u8 c)
{
	return c >= 'A' && c <= 'Z' ? c | 0x20 : c;
}

static __always_inline __u64 http_id(const struct http_conn *conn, __u32 request)
{
	return conn->number << 24 | (request & 0xffffff);
}

static __always_inline bool http_in_flight(const struct http_conn *conn)
{
	return conn->begun != conn->answered;
}

/* The oldest unanswered request is over. */
static __always_inline void http_finish(struct http_conn *conn, __u32 outcome)
{
	__u32 request = conn->answered;

	conn->answered = request + 1;
	http_emit_done(conn, http_id(conn, request),
		       conn->body_bytes[HTTP_MASKED(request, HTTP_PIPELINE)], outcome);
}

static __always_inline void http_start_over(struct http_machine *machine)
{
	machine->state = HTTP_START;
	machine->count = 0;
}

/*
 * The bytes make no sense (any more): what is in flight is given up, the next read that begins with
 * a request line begins anew.
 */
__noinline int http_confused(struct http_conn *conn)
{
	if (!conn)
		return 0;
	if (conn->role == HTTP_SERVER)
		count(LOST_HTTP_CONFUSED, 1);
	for (int i = 0; i < HTTP_PIPELINE; i++) {
		if (!http_in_flight(conn))
			break;
		http_finish(conn, HTTP_CONFUSED);
	}
	conn->role = HTTP_UNKNOWN;
	http_start_over(&conn->machine[HTTP_IN]);
	http_start_over(&conn->machine[HTTP_OUT]);
	return 0;
}

/* Nothing more can be seen on this connection. */
static __always_inline void http_ignore(struct http_conn *conn, __u32 counter)
{
	conn->role = HTTP_IGNORED;
	if (counter)
		count(counter, 1);
}

static __always_inline enum http_step http_request_line(struct http_conn *conn,
							struct http_machine *machine)
{
	__u32 request = conn->begun;
	__u64 bit = 1ULL << request % HTTP_PIPELINE;

	if (machine->word >> 8 == HTTP_VERSION_2)
		return HTTP_IS_2;
	if (machine->word >> 8 != HTTP_VERSION_1 || machine->count != 8)
		return HTTP_BROKEN;
	if (request - conn->answered >= HTTP_PIPELINE)
		return HTTP_BROKEN;
	conn->role = HTTP_SERVER;
	conn->begun = request + 1;
	conn->heads =
		conn->method_word == HTTP_HEAD_METHOD ? conn->heads | bit : conn->heads & ~bit;
	conn->body_bytes[HTTP_MASKED(request, HTTP_PIPELINE)] = 0;
	http_emit_begin(conn, http_id(conn, request));
	return HTTP_ON;
}

static __always_inline enum http_step http_request_head(struct http_conn *conn,
							struct http_machine *machine)
{
	/* What follows is for somebody else, unless the server refuses. */
	if (conn->method_word == HTTP_CONNECT_METHOD) {
		machine->state = HTTP_TUNNEL;
	} else if (machine->chunked) {
		machine->state = HTTP_CHUNK_SIZE;
	} else if (machine->has_length && machine->length) {
		machine->remaining = machine->length;
		machine->state = HTTP_BODY;
	} else {
		http_start_over(machine);
	}
	machine->count = 0;
	machine->length = 0;
	return HTTP_ON;
}

static __always_inline enum http_step http_response_end(struct http_conn *conn,
							struct http_machine *machine)
{
	http_start_over(machine);
	http_finish(conn, HTTP_SERVED);
	return HTTP_ON;
}

static __always_inline enum http_step http_response_head(struct http_conn *conn,
							 struct http_machine *machine)
{
	bool head = conn->heads >> conn->answered % HTTP_PIPELINE & 1;
	bool tunnel = conn->machine[HTTP_IN].state == HTTP_TUNNEL;
	bool has_length = machine->has_length;
	__u64 length = machine->length;
	__u16 status = machine->status;

	machine->count = 0;
	machine->length = 0;
	if (status == 101 || (tunnel && status / 100 == 2)) {
		http_response_end(conn, machine);
		return HTTP_IS_OTHER;
	}
	if (status / 100 == 1) {
		http_start_over(machine);
		return HTTP_ON;
	}
	if (tunnel)
		http_start_over(&conn->machine[HTTP_IN]);
	if (head || status == 204 || status == 304 ||
	    (!machine->chunked && has_length && length == 0))
		return http_response_end(conn, machine);
	if (machine->chunked) {
		machine->state = HTTP_CHUNK_SIZE;
	} else if (has_length) {
		machine->remaining = length;
		machine->state = HTTP_BODY;
	} else {
		machine->state = HTTP_UNTIL_CLOSE;
	}
	return HTTP_ON;
}

static __always_inline enum http_step http_message_end(struct http_conn *conn,
						       struct http_machine *machine, bool response)
{
	if (response)
		return http_response_end(conn, machine);
	http_start_over(machine);
	return HTTP_ON;
}

static __always_inline void http_begin_message(struct http_conn *conn, struct http_machine *machine,
					       bool response, __u64 now_ns)
{
	machine->word = 0;
	machine->length = 0;
	machine->count = 0;
	machine->status = 0;
	machine->has_length = 0;
	machine->chunked = 0;
	machine->state = response ? HTTP_STATUS_VERSION : HTTP_METHOD;
	if (response) {
		conn->response_bytes = 0;
		return;
	}
	conn->begin_ns = now_ns;
	conn->path_bytes = 0;
	conn->path_ended = 0;
	__builtin_memset(conn->method, 0, sizeof(conn->method));
}

static __always_inline enum http_step http_method(struct http_conn *conn,
						  struct http_machine *machine, __u8 c)
{
	__u32 at = machine->count;

	if (c == ' ' && at) {
		conn->method_word = machine->word;
		machine->count = 0;
		machine->state = HTTP_TARGET;
		return HTTP_ON;
	}
	if (!((c >= 'A' && c <= 'Z') || c == '-' || c == '_') || at >= HTTP_METHOD_BYTES - 1)
		return HTTP_BROKEN;
	conn->method[HTTP_MASKED(at, HTTP_METHOD_BYTES)] = c;
	machine->count = at + 1;
	machine->word = machine->word << 8 | c;
	return HTTP_ON;
}

static __always_inline enum http_step http_target(struct http_conn *conn,
						  struct http_machine *machine, __u8 c)
{
	__u32 at = conn->path_bytes;

	if (c == ' ') {
		machine->word = 0;
		machine->count = 0;
		machine->state = HTTP_VERSION;
		return HTTP_ON;
	}
	if (c < ' ')
		return HTTP_BROKEN; /* HTTP/0.9, or no HTTP */
	if (c == '?' || c == '#')
		conn->path_ended = 1;
	if (conn->path_ended || at >= HTTP_PATH_BYTES)
		return HTTP_ON;
	conn->path[HTTP_MASKED(at, HTTP_PATH_BYTES)] = c;
	conn->path_bytes = at + 1;
	return HTTP_ON;
}

static __always_inline enum http_step http_version(struct http_conn *conn,
						   struct http_machine *machine, __u8 c)
{
	enum http_step step;

	if (c == '\r')
		return HTTP_ON;
	if (c != '\n') {
		machine->word = machine->word << 8 | c;
		return ++machine->count > 8 ? HTTP_BROKEN : HTTP_ON;
	}
	step = http_request_line(conn, machine);
	machine->word = HTTP_HASH_BEGIN;
	machine->count = 0;
	machine->state = HTTP_NAME;
	return step;
}

static __always_inline enum http_step http_status(struct http_machine *machine, __u8 c)
{
	if (machine->state == HTTP_STATUS_VERSION) {
		if (c != ' ') {
			machine->word = machine->word << 8 | c;
			return ++machine->count > 8 ? HTTP_BROKEN : HTTP_ON;
		}
		if (machine->word >> 8 != HTTP_VERSION_1)
			return HTTP_BROKEN;
		machine->state = HTTP_STATUS;
	} else if (c >= '0' && c <= '9') {
		machine->status = machine->status * 10 + (c - '0');
		return machine->status > 999 ? HTTP_BROKEN : HTTP_ON;
	} else if (c == ' ' || c == '\r') {
		machine->state = HTTP_REASON;
	} else {
		return HTTP_BROKEN;
	}
	return HTTP_ON;
}

static __always_inline enum http_step http_name(struct http_conn *conn,
						struct http_machine *machine, __u8 c, bool response)
{
	__u64 word = machine->word;
	bool empty = !machine->count;

	if (c == '\r')
		return HTTP_ON;
	machine->word = HTTP_HASH_BEGIN;
	machine->count = 0;
	if (c == '\n') {
		if (!empty)
			return HTTP_ON;
		return response ? http_response_head(conn, machine)
				: http_request_head(conn, machine);
	}
	if (c == ':') {
		machine->state = HTTP_VALUE;
		if (word == HTTP_CONTENT_LENGTH) {
			machine->state = HTTP_LENGTH;
			machine->length = 0;
		} else if (word == HTTP_TRANSFER_ENCODING) {
			machine->state = HTTP_CODING;
			machine->word = 0;
		}
		return HTTP_ON;
	}
	machine->word = (word ^ http_lower(c)) * HTTP_HASH_PRIME;
	machine->count = 1;
	return HTTP_ON;
}

static __always_inline void http_next_header(struct http_machine *machine)
{
	machine->word = HTTP_HASH_BEGIN;
	machine->count = 0;
	machine->state = HTTP_NAME;
}

static __always_inline enum http_step http_length(struct http_machine *machine, __u8 c)
{
	if (c >= '0' && c <= '9') {
		machine->length = machine->length * 10 + (c - '0');
		machine->has_length = 1;
		return machine->length >> 56 ? HTTP_BROKEN : HTTP_ON;
	}
	if (c == '\n') {
		http_next_header(machine);
		return HTTP_ON;
	}
	if (c == ',') /* the same length twice */
		machine->length = 0;
	return c == ' ' || c == '\t' || c == '\r' || c == ',' ? HTTP_ON : HTTP_BROKEN;
}

/* A message ends with its chunks if "chunked" is its last coding. */
static __always_inline void http_coding(struct http_machine *machine, __u8 c)
{
	if (c == '\n') {
		machine->chunked = (machine->word & ~(0xffULL << 56)) == HTTP_CHUNKED;
		http_next_header(machine);
	} else if (c == ',') {
		machine->word = 0;
	} else if (c != ' ' && c != '\t' && c != '\r') {
		machine->word = machine->word << 8 | http_lower(c);
	}
}

static __always_inline enum http_step http_chunk_size(struct http_machine *machine, __u8 c)
{
	__u8 lower = http_lower(c);
	__u8 digit = 16;

	if (c >= '0' && c <= '9')
		digit = c - '0';
	else if (lower >= 'a' && lower <= 'f')
		digit = lower - 'a' + 10;

	if (machine->state == HTTP_CHUNK_SIZE && digit < 16) {
		machine->length = machine->length << 4 | digit;
		machine->count = 1;
		return machine->length >> 56 ? HTTP_BROKEN : HTTP_ON;
	}
	if (!machine->count)
		return HTTP_BROKEN;
	if (c != '\n') {
		if (machine->state == HTTP_CHUNK_SIZE && c != '\r' && c != ';' && c != ' ' &&
		    c != '\t')
			return HTTP_BROKEN;
		machine->state = HTTP_CHUNK_EXTENSION;
		return HTTP_ON;
	}
	machine->count = 0;
	if (!machine->length) {
		machine->state = HTTP_TRAILER;
		return HTTP_ON;
	}
	machine->remaining = machine->length + 2; /* and the line end behind it */
	machine->state = HTTP_CHUNK;
	return HTTP_ON;
}

/* One byte of a message's structure. */
static __always_inline enum http_step
http_byte(struct http_conn *conn, struct http_machine *machine, __u8 c, bool response, __u64 now_ns)
{
	if (machine->state == HTTP_START) {
		/* RFC 9112, 2.2: empty lines before a request line are to be ignored. */
		if (!response && (c == '\r' || c == '\n'))
			return HTTP_ON;
		http_begin_message(conn, machine, response, now_ns);
	}
	switch (machine->state) {
	case HTTP_METHOD:
		return http_method(conn, machine, c);
	case HTTP_TARGET:
		return http_target(conn, machine, c);
	case HTTP_VERSION:
		return http_version(conn, machine, c);
	case HTTP_STATUS_VERSION:
	case HTTP_STATUS:
		if (c != '\n' || machine->state == HTTP_STATUS_VERSION)
			return http_status(machine, c);
		http_next_header(machine);
		return HTTP_ON;
	case HTTP_REASON:
	case HTTP_VALUE:
		if (c == '\n')
			http_next_header(machine);
		return HTTP_ON;
	case HTTP_NAME:
		return http_name(conn, machine, c, response);
	case HTTP_LENGTH:
		return http_length(machine, c);
	case HTTP_CODING:
		http_coding(machine, c);
		return HTTP_ON;
	case HTTP_CHUNK_SIZE:
	case HTTP_CHUNK_EXTENSION:
		return http_chunk_size(machine, c);
	case HTTP_TRAILER:
		if (c == '\n' && !machine->count)
			return http_message_end(conn, machine, response);
		if (c != '\r')
			machine->count = c != '\n';
		return HTTP_ON;
	default:
		return HTTP_BROKEN;
	}
}

/* How many of `left` bytes need not be looked at; they have passed then. */
static __always_inline __u64 http_skip(struct http_conn *conn, struct http_machine *machine,
				       __u64 left, bool response)
{
	__u64 skipped = left;
	__u64 payload;

	switch (machine->state) {
	case HTTP_UNTIL_CLOSE:
		conn->response_bytes += left;
		return left;
	case HTTP_TUNNEL:
		return left;
	case HTTP_BODY:
	case HTTP_CHUNK:
		break;
	default:
		return 0;
	}
	if (skipped > machine->remaining)
		skipped = machine->remaining;
	machine->remaining -= skipped;
	payload = skipped;
	if (machine->state == HTTP_CHUNK && machine->remaining < 2)
		payload -= payload > 2 - machine->remaining ? 2 - machine->remaining : payload;
	if (response)
		conn->response_bytes += payload;
	else
		conn->body_bytes[HTTP_MASKED(conn->begun - 1, HTTP_PIPELINE)] += payload;
	if (machine->remaining)
		return skipped;
	if (machine->state == HTTP_BODY) {
		http_message_end(conn, machine, response);
	} else {
		machine->length = 0;
		machine->count = 0;
		machine->state = HTTP_CHUNK_SIZE;
	}
	return skipped;
}

#endif
