/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What the reader of HTTP (http.bpf.h) keeps of a connection and of a call under way. */
#ifndef ASRTRACE_HTTP_H
#define ASRTRACE_HTTP_H

#include "bpf/event.h"

#ifdef __cplusplus
namespace asrtrace::wire
{
#endif

enum {
	HTTP_WINDOW = 256,     /* bytes that are read at a time; a power of two */
	HTTP_STRETCHES = 1024, /* windows, skips and buffers of one call */
	HTTP_PIPELINE = 64,    /* requests of one connection in flight */
};

enum http_direction { HTTP_IN = 0, HTTP_OUT = 1 };

enum http_role {
	HTTP_UNKNOWN = 0, /* no request line was read yet */
	HTTP_SERVER = 1,
	HTTP_IGNORED = 2, /* a client's, or one that cannot be read */
};

enum http_state {
	HTTP_START = 0, /* before a message */
	HTTP_METHOD,
	HTTP_TARGET,
	HTTP_VERSION,
	HTTP_STATUS_VERSION,
	HTTP_STATUS,
	HTTP_REASON,
	HTTP_NAME, /* of a header, or the empty line behind the last */
	HTTP_VALUE,
	HTTP_LENGTH, /* value of Content-Length */
	HTTP_CODING, /* value of Transfer-Encoding */
	HTTP_BODY,
	HTTP_CHUNK_SIZE,
	HTTP_CHUNK_EXTENSION,
	HTTP_CHUNK,
	HTTP_TRAILER,
	HTTP_UNTIL_CLOSE,
	HTTP_TUNNEL,
};

enum http_step {
	HTTP_ON = 0,
	HTTP_BROKEN,   /* no HTTP */
	HTTP_IS_2,     /* HTTP/2 */
	HTTP_IS_OTHER, /* upgraded, or a tunnel */
};

/* One direction. */
struct http_machine {
	__u64 remaining; /* bytes of body or chunk that are still to come */
	__u64 length;    /* of the body or chunk, as far as it was read */
	__u64 word;      /* last bytes, or hash, of the word under way */
	__u16 status;
	__u8 state;
	__u8 count; /* bytes of the word under way; in lines whether there are any */
	__u8 has_length;
	__u8 chunked;
	__u8 pad[2];
};

struct http_conn {
	__u64 number;      /* of the connection; part of its requests' ids */
	__u64 inode;       /* of its socket: tells a new socket at an old one's address */
	__u64 begin_ns;    /* of the request under way */
	__u64 heads;       /* by request: is it HEAD */
	__u64 told;        /* by request: the ring had room for its begin */
	__u64 method_word; /* of the request under way */
	__u64 response_bytes;
	__u64 body_bytes[HTTP_PIPELINE]; /* by request */
	struct http_machine machine[2];  /* by direction */
	__u32 begun;                     /* requests */
	__u32 answered;
	__u32 owner; /* the thread that touched it last */
	__u32 tgid;  /* its process */
	__u8 role;
	__u8 path_ended;
	__u16 path_bytes;
	__u32 pad;
	__u8 method[HTTP_METHOD_BYTES];
	__u8 path[HTTP_PATH_BYTES];
};

struct http_iovec {
	__u64 base;
	__u64 bytes;
};

/* A call that moved `total` bytes. */
struct http_work {
	__u64 now_ns;
	__u64 total;  /* bytes that were not looked at yet */
	__u64 buffer; /* where they are ... */
	__u64 left;   /* ... and how many are in this buffer */
	__u64 vector; /* further buffers: struct iovec */
	__u64 vectors;
	__u32 tid;
	__u32 direction;
	__u32 opaque; /* no bytes to be seen: sendfile */
	__u32 first;  /* nothing was looked at yet */
	__u32 window_bytes;
	__u32 at;
	__u32 busy; /* of works that are claimed */
	__u32 pad;
	__u8 window[HTTP_WINDOW];
};

#ifdef __cplusplus
} /* namespace asrtrace::wire */
#endif

#endif
