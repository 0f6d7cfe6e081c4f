/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The wire between the BPF programs and user space: records in the ring buffer, stacks, counters
 * and knobs. Shared by both compilers; sizes are asserted in both. Tags, counters and flags are
 * append-only. All times are CLOCK_MONOTONIC nanoseconds, all sizes bytes.
 *
 * Order: the ring is one queue for all CPUs, and a record is reserved where its effect cannot be
 * seen by others yet (free: before the call; malloc: after it). So the records of one address are
 * in the order in which the address changed hands, whichever threads they come from. Not so
 * EV_MUNMAP and EV_MREMAP, which are told behind the call: an EV_MMAP of another thread may be
 * there first, and the ledger sorts that out.
 */
#ifndef ASRTRACE_EVENT_H
#define ASRTRACE_EVENT_H

#include <linux/types.h>

#ifdef __cplusplus
#define EV_ASSERT(condition) static_assert(condition, #condition)
namespace asrtrace::wire
{
#else
#define EV_ASSERT(condition) _Static_assert(condition, #condition)
#endif

enum ev_tag {
	EV_ALLOC = 1,          /* an allocation function returned */
	EV_FREE = 2,           /* free() was entered with a pointer */
	EV_REALLOC_BEGIN = 3,  /* realloc() was entered with a pointer: the block may move */
	EV_REALLOC_END = 4,    /* realloc() returned */
	EV_MMAP = 5,           /* mmap() succeeded */
	EV_MUNMAP_BEGIN = 6,   /* munmap() was entered */
	EV_MUNMAP_END = 7,     /* munmap() returned */
	EV_MREMAP_BEGIN = 8,   /* mremap() was entered */
	EV_MREMAP_END = 9,     /* mremap() returned */
	EV_BRK = 10,           /* brk() returned */
	EV_MADVISE = 11,       /* madvise() succeeded */
	EV_FAULT = 12,         /* a sampled fault brought anonymous memory */
	EV_REQUEST_BEGIN = 13, /* a request began on this thread */
	EV_REQUEST_DONE = 14,  /* a request ended on this thread */
	EV_FORK = 15,          /* the target made a child process */
	EV_EXEC = 16,          /* the target replaced its image */
	EV_EXIT = 17,          /* a thread of the target ended */
	EV_OOM = 18,           /* the process was chosen by the OOM killer (may come twice) */
	EV_HTTP_BEGIN = 19,    /* a request line was read on this thread */
	EV_HTTP_DONE = 20,     /* its response was handed to the kernel, or never will be */
	EV_HTTP_MOVED = 21,    /* this thread works on the request's connection now */
	EV_MUNMAP = 22,        /* munmap() succeeded; the range may have a new owner already */
	EV_MREMAP = 23,        /* mremap() succeeded, likewise */
	EV_STACK = 24,         /* a stack was met for the first time */
};

/* Public functions of the allocator, as the probes tell them apart. */
enum ev_function {
	FN_NONE = 0,
	FN_MALLOC = 1,
	FN_CALLOC = 2,
	FN_REALLOC = 3,
	FN_MEMALIGN = 4, /* aligned_alloc too where they share an address (glibc before 2.38) */
	FN_POSIX_MEMALIGN = 5,
	FN_VALLOC = 6,
	FN_PVALLOC = 7,
	FN_FREE = 8,
	FN_ALIGNED_ALLOC = 9,
	FN_COUNT = 10,
};

enum ev_flag {
	EV_SAMPLED = 1,       /* stands for more than itself: weigh by the sampling mean */
	EV_FAILED = 2,        /* realloc: the old block is still there */
	EV_PROCESS_ENDED = 4, /* exit: no thread of the process is left (may come twice) */
	EV_RAISED = 8,        /* with EV_SAMPLED: of a raised size, see RAISED_SAMPLE_BYTES */
};

/*
 * A block whose size is in the raised range is taken with probability min(1, size / this): often
 * enough for a leak of a few hundred bytes a request to show its stack within 100 requests.
 */
#define RAISED_SAMPLE_BYTES 4096

struct ev_header {
	__u8 tag;
	__u8 flags;
	__u16 process; /* 0: the target; its followed children count from 1 */
	__u32 tid;
	__u64 time_ns;
};
EV_ASSERT(sizeof(struct ev_header) == 16);

struct ev_alloc {
	struct ev_header h;
	__u64 address; /* 0: the call failed */
	__u64 size;    /* as asked; calloc: the product */
	__u64 stack;   /* key of `stacks`, 0 if there is none */
	__u32 function;
	__u32 pad;
};
EV_ASSERT(sizeof(struct ev_alloc) == 48);

struct ev_free {
	struct ev_header h;
	__u64 address;
};
EV_ASSERT(sizeof(struct ev_free) == 24);

struct ev_realloc_end {
	struct ev_header h;
	__u64 old_address;
	__u64 address; /* 0: failed, or size was 0 */
	__u64 size;
	__u64 stack;
};
EV_ASSERT(sizeof(struct ev_realloc_end) == 48);

struct ev_mmap {
	struct ev_header h;
	__u64 address;
	__u64 length;
	__u32 prot;
	__u32 map_flags;
	__u64 stack;
	__s32 fd;
	__u32 pad;
};
EV_ASSERT(sizeof(struct ev_mmap) == 56);

struct ev_range {
	struct ev_header h; /* EV_MUNMAP_BEGIN, EV_MUNMAP, EV_MADVISE */
	__u64 address;
	__u64 length;
	__u64 argument; /* madvise: the advice */
};
EV_ASSERT(sizeof(struct ev_range) == 40);

struct ev_result {
	struct ev_header h; /* EV_MUNMAP_END */
	__s64 result;
};
EV_ASSERT(sizeof(struct ev_result) == 24);

struct ev_mremap {
	struct ev_header h; /* result is not set at the begin */
	__u64 old_address;
	__u64 old_length;
	__u64 new_length;
	__u64 map_flags;
	__s64 result;
	__u64 stack;
};
EV_ASSERT(sizeof(struct ev_mremap) == 64);

struct ev_brk {
	struct ev_header h;
	__u64 old_brk;
	__u64 brk; /* the break after the call */
	__u64 stack;
};
EV_ASSERT(sizeof(struct ev_brk) == 40);

enum {
	FAULT_SHIFT_MASK = 15,
};

struct ev_fault {
	struct ev_header h;
	__u64 address;
	__u64 stack;
	__u32 pages; /* anonymous pages that came with this fault */
	__u16 kernel_mode;
	__u16 mean_shift; /* sampled by config.fault_mean_bytes << this */
};
EV_ASSERT(sizeof(struct ev_fault) == 40);

struct ev_request {
	struct ev_header h; /* begin and done */
	__u64 id;           /* the target's own number, 0 if it has none */
	__u64 args[2];      /* USDT arguments 2 and 3 */
};
EV_ASSERT(sizeof(struct ev_request) == 40);

enum {
	HTTP_METHOD_BYTES = 16,
	HTTP_PATH_BYTES = 128,
};

enum http_outcome {
	HTTP_SERVED = 0,
	HTTP_ABORTED = 1,  /* the connection was closed before the response's end */
	HTTP_CONFUSED = 2, /* the connection's bytes could not be followed to the response's end */
};

struct ev_http_begin {
	struct ev_header h;
	__u64 id;       /* unique in a recording */
	__u64 begin_ns; /* when the request line's first byte had been read */
	__u8 method[HTTP_METHOD_BYTES];
	__u32 path_bytes;
	__u32 pad;
	__u8 path[HTTP_PATH_BYTES]; /* without the query, cut */
};
EV_ASSERT(sizeof(struct ev_http_begin) == 56 + HTTP_PATH_BYTES);

struct ev_http_done {
	struct ev_header h;
	__u64 id;
	__u64 body_bytes;     /* of the request, as far as it was read */
	__u64 response_bytes; /* the response's body, as far as it was written */
	__u32 status;         /* 0: none was written */
	__u32 outcome;
};
EV_ASSERT(sizeof(struct ev_http_done) == 48);

struct ev_http_moved {
	struct ev_header h;
	__u64 id;
};
EV_ASSERT(sizeof(struct ev_http_moved) == 24);

struct ev_task {
	struct ev_header h; /* fork: the child; exec, exit, oom: the task itself */
	__u32 pid;
	__s32 value; /* exit: its status, with EV_PROCESS_ENDED its process's; fork: the child's
			process number, 0: not followed */
};
EV_ASSERT(sizeof(struct ev_task) == 24);

struct ev_stack {
	struct ev_header h;
	__u64 stack; /* key of `stacks` */
};
EV_ASSERT(sizeof(struct ev_stack) == 24);

/* A stack, value of the map `stacks`; its key is the one of bpf/unwind_key.bpf.h. */
enum {
	STACK_MAX_DEPTH = 127,
};

enum stack_flag {
	STACK_TRUNCATED = 1,
	STACK_HEURISTIC = 2,
};

struct stack_record {
	__u32 depth;
	__u16 flags;
	__u16 reason;               /* why it was truncated */
	__u32 generation;           /* of the executable mappings that the pcs lie in */
	__u32 process;              /* of the thread that was there first */
	__u64 pcs[STACK_MAX_DEPTH]; /* leaf first; pcs[0] is exact, the others are return addresses
				     */
};
EV_ASSERT(sizeof(struct stack_record) == 16 + 8 * STACK_MAX_DEPTH);

/* Indices of the per-CPU array `counters`. */
enum counter {
	COUNT_CALLS = 0, /* + enum ev_function: calls that were counted */
	COUNT_PROBE_HITS = 16,
	COUNT_FAULT_RUNS = 17, /* of the programs that meet faults, for the target */
	COUNT_FAULTS_KERNEL = 18,
	COUNT_FAULT_PAGES = 19, /* anonymous pages brought by faults */
	COUNT_STACK_TRUNCATED = 20,
	COUNT_STACK_HEURISTIC = 21,
	LOST_RING_ALLOCATOR = 22,   /* ring full: a record of the malloc family */
	LOST_STACK_MAP = 23,        /* `stacks` full */
	LOST_STACK_WALK = 24,       /* no stack could be taken */
	LOST_THREAD_MAP = 25,       /* `threads` full: the call was not followed */
	LOST_SAMPLED_MAP = 26,      /* `sampled` full */
	LOST_INFLIGHT = 27,         /* a call's return was never seen */
	LOST_PROCESS_MAP = 28,      /* too many processes: a child is not followed */
	COUNT_RETURN_HITS = 29,     /* part of COUNT_PROBE_HITS: at a call's return */
	LOST_RING_OTHER = 30,       /* ring full: any other record */
	COUNT_FAULTS_ENDED = 31,    /* faults of threads that have ended */
	LOST_HTTP_CONNECTIONS = 32, /* too many sockets at a time: one is not followed */
	LOST_HTTP_CONFUSED = 33,    /* bytes of a connection that could not be followed */
	COUNT_HTTP_TLS = 34,        /* connections that cannot be read: TLS */
	COUNT_HTTP_2 = 35,          /* HTTP/2 without TLS */
	COUNT_HTTP_UPGRADED = 36,   /* became something else: WebSocket, h2c, a tunnel */
	COUNT_HTTP_URING = 37,      /* calls of io_uring_enter */
	COUNT_HTTP_MATCHED = 38,    /* socket calls seen by both tracepoint and probe */
	LOST_HTTP_BYPASSED = 39,    /* socket calls that passed no probe */
	LOST_HTTP_WORK = 40,        /* too many socket calls on one CPU at a time */
	LOST_FAULT_ORDERS = 41,     /* faults that counted as one page, but may have brought more */
	COUNT_CPU_ENDED = 42,       /* CPU time of threads that have ended, in ns */
	COUNTER_MAX = 48,
};

/* Knobs, set between open and load. */
struct config {
	__u64 pidns_dev; /* 0: the initial pid namespace */
	__u64 pidns_ino;
	__u32 tgid;              /* the target, in the tracer's pid namespace */
	__u32 sample_all;        /* full tier: every allocation */
	__u64 sample_mean_bytes; /* sites tier */
	__u64 fault_mean_bytes;  /* stacks of faults */
	__u64 wakeup_bytes;      /* wake the reader when that much waits */
	__u32 exact_rss_stat;    /* rss_stat is a percpu_counter */
	__u32 follow;            /* children too */
	__u32 http_port;         /* only connections to this port; 0: all */
	__u32 http_by_calls;     /* all that is seen of a socket are system calls */
};
EV_ASSERT(sizeof(struct config) == 64);

/* One argument of a USDT probe, from its note (systemtap's UserSpaceProbeImplementation). */
enum usdt_kind {
	USDT_NONE = 0,
	USDT_CONST = 1,
	USDT_REG = 2,
	USDT_DEREF = 3, /* [reg + index * scale + offset] */
};

struct usdt_arg {
	__s64 offset; /* or the constant */
	__u8 kind;
	__s8 size; /* bytes; negative: signed */
	__u8 scale;
	__u8 shift;  /* bits to shift a register right by first: %ah */
	__s16 reg;   /* offset into struct pt_regs, -1: none */
	__s16 index; /* offset into struct pt_regs, -1: none */
};
EV_ASSERT(sizeof(struct usdt_arg) == 16);

struct usdt_spec {
	struct usdt_arg args[3];
};

/* Cookies of request probes: what the hit means and where its arguments are. */
enum {
	REQUEST_COOKIE_DONE = 1,       /* bit 0: begin or done */
	REQUEST_COOKIE_SPEC_SHIFT = 8, /* from bit 8: 1 + index of `usdt_specs`, 0 for none */
	USDT_SPEC_MAX = 64,
};

/* Cookies of probes behind system calls: its number, and the bytes behind its instruction. */
enum {
	CALL_COOKIE_CALL = 0xff,
	CALL_COOKIE_DISTANCE_SHIFT = 8,
};

#ifdef __cplusplus
} /* namespace asrtrace::wire */
#endif

#endif
