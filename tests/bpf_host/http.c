/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "tests/bpf_host/http.h"

#include <bpf/bpf_helpers.h>
#include <stdbool.h>
#include <string.h>
#include "vmlinux.h"

static struct host_http* current;

static inline void count(__u32 index, __u64 amount) {
    current->counters[index] += amount;
}

#define bpf_probe_read_user host_http_read

static long host_http_read(void* to, __u32 bytes, const void* from) {
    if (!from) return -14;
    memcpy(to, from, bytes);
    return 0;
}

#include "bpf/http.bpf.h"

static void http_emit_begin(struct http_conn* conn, __u64 id) {
    current->begin(current->self, conn, id);
}

static void http_emit_done(struct http_conn* conn, __u64 id, __u64 body_bytes, __u32 outcome) {
    current->done(current->self, conn, id, body_bytes, outcome);
}

static void http_emit_moved(__u64 id) {
    current->moved(current->self, id);
}

void host_http_call(struct host_http* http, __u32 direction, const struct http_iovec* buffers,
                    __u32 buffer_count, __u32 tid, __u64 now_ns) {
    struct http_work* work = &http->work;

    current = http;
    work->now_ns = now_ns;
    work->total = 0;
    for (__u32 i = 0; i < buffer_count; i++) work->total += buffers[i].bytes;
    work->left = 0;
    work->vector = (__u64)buffers;
    work->vectors = buffer_count;
    work->opaque = buffer_count == 1 && !buffers[0].base;
    work->direction = direction;
    work->tid = tid;
    work->first = 1;
    http_transfer(&http->conn, work);
}

void host_http_end_output(struct host_http* http) {
    current = http;
    http_end_output(&http->conn);
}

void host_http_close(struct host_http* http) {
    current = http;
    http_close(&http->conn);
}

__u64 host_http_content_length(void) {
    return HTTP_CONTENT_LENGTH;
}

__u64 host_http_transfer_encoding(void) {
    return HTTP_TRANSFER_ENCODING;
}
