/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The reader of HTTP (bpf/http.bpf.h) on the host: calls go in, requests come out. */
#ifndef ASRTRACE_TESTS_BPF_HOST_HTTP_H
#define ASRTRACE_TESTS_BPF_HOST_HTTP_H

#include "bpf/http.h"

#ifdef __cplusplus
namespace asrtrace::wire {
extern "C" {
#endif

struct host_http {
    struct http_conn conn;
    struct http_work work;
    void* self;
    void (*begin)(void* self, const struct http_conn* conn, __u64 id);
    void (*done)(void* self, const struct http_conn* conn, __u64 id, __u64 body_bytes,
                 __u32 outcome);
    void (*moved)(void* self, __u64 id);
    __u64 counters[COUNTER_MAX];
};

/* A call moved these buffers' bytes; base 0: they cannot be read (sendfile). */
void host_http_call(struct host_http* http, __u32 direction, const struct http_iovec* buffers,
                    __u32 count, __u32 tid, __u64 now_ns);
void host_http_end_output(struct host_http* http);
void host_http_close(struct host_http* http);

/* What the reader compares names with. */
__u64 host_http_content_length(void);
__u64 host_http_transfer_encoding(void);

#ifdef __cplusplus
}
}
#endif

#endif
