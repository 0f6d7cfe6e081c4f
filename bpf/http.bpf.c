// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * The request plane for servers without probes of their own: HTTP/1.x as it passes through the
 * socket calls. Only the ends of calls are watched: the arguments are still in the registers with
 * which the thread entered the kernel, so that a call counts that had begun before the attach, and
 * other processes pay one look per call instead of two.
 */
#include "bpf/emit.bpf.h"
#include "bpf/http.bpf.h"
#include <asm/unistd.h>

#define S_IFMT 0170000
#define S_IFSOCK 0140000
#define SOCK_STREAM 1
#define AF_INET 2
#define AF_INET6 10
#define MSG_OOB 1
#define MSG_PEEK 2
#define MSG_ERRQUEUE 0x2000
#define MSG_NOT_THE_STREAM (MSG_OOB | MSG_PEEK | MSG_ERRQUEUE)
#define SHUT_RD 0
#define HTTP_IOV_MAX 1024 /* UIO_MAXIOV */

/* Connections by the number of their socket's inode, which no two sockets have at a time. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u64);
	__type(value, struct http_conn);
} http_conns SEC(".maps");

/* Tracepoints of system calls run with preemption off: a CPU's is one program's at a time. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct http_work);
} http_works SEC(".maps");

/* A new connection, made here: it does not fit on the stack. */
static const struct http_conn http_stranger;
__u64 http_connections = 0;

static __always_inline void http_emit_begin(struct http_conn *conn, __u64 id)
{
	struct ev_http_begin *record = reserve(sizeof(*record), EV_HTTP_BEGIN, conn->owner);

	if (!record)
		return;
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
	struct ev_http_done *record = reserve(sizeof(*record), EV_HTTP_DONE, conn->owner);

	if (!record)
		return;
	record->id = id;
	record->body_bytes = body_bytes;
	record->response_bytes = conn->response_bytes;
	record->status = conn->machine[HTTP_OUT].status;
	record->outcome = outcome;
	submit(record);
}

static __always_inline void http_emit_moved(__u64 id)
{
	struct ev_http_moved *record = reserve(sizeof(*record), EV_HTTP_MOVED, current_thread());

	if (!record)
		return;
	record->id = id;
	submit(record);
}

/* The stream socket behind a descriptor of the current process, as its inode's number; 0: none. */
static __always_inline __u64 http_socket(__u32 fd, __u16 *port)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	struct fdtable *table = BPF_CORE_READ(task, files, fdt);
	struct file **files = BPF_CORE_READ(table, fd);
	struct file *file = NULL;
	struct socket *socket;
	struct inode *inode;
	unsigned short family;

	if (fd >= BPF_CORE_READ(table, max_fds))
		return 0;
	bpf_probe_read_kernel(&file, sizeof(file), files + fd);
	if (!file)
		return 0;
	inode = BPF_CORE_READ(file, f_inode);
	if ((BPF_CORE_READ(inode, i_mode) & S_IFMT) != S_IFSOCK)
		return 0;
	socket = BPF_CORE_READ(file, private_data);
	if (BPF_CORE_READ(socket, type) != SOCK_STREAM)
		return 0;
	family = BPF_CORE_READ(socket, sk, __sk_common.skc_family);
	*port = family == AF_INET || family == AF_INET6
			? BPF_CORE_READ(socket, sk, __sk_common.skc_num)
			: 0;
	return BPF_CORE_READ(inode, i_ino);
}

static __always_inline struct http_conn *http_conn_of(__u32 fd, __u32 tgid)
{
	__u16 port = 0;
	__u64 key = http_socket(fd, &port);
	struct http_conn *conn;

	if (!key)
		return NULL;
	conn = bpf_map_lookup_elem(&http_conns, &key);
	if (conn)
		return conn;
	bpf_map_update_elem(&http_conns, &key, &http_stranger, BPF_NOEXIST);
	conn = bpf_map_lookup_elem(&http_conns, &key);
	if (!conn) {
		count(LOST_HTTP_CONNECTIONS, 1);
		return NULL;
	}
	conn->number = __sync_fetch_and_add(&http_connections, 1) + 1;
	conn->tgid = tgid;
	if (cfg.http_port && port != cfg.http_port)
		conn->role = HTTP_IGNORED;
	return conn;
}

/* Which buffers a call used. False: it moved no bytes of the stream. */
static __always_inline bool http_describe(struct http_work *work, int call, struct pt_regs *regs)
{
	struct {
		__u64 name, name_bytes;
		struct http_iovec buffers; /* msg_iov, msg_iovlen */
	} message;
	__u64 second = PT_REGS_PARM2_CORE_SYSCALL(regs);
	__u64 third = PT_REGS_PARM3_CORE_SYSCALL(regs);
	__u64 fourth = PT_REGS_PARM4_CORE_SYSCALL(regs);

	work->opaque = 0;
	work->vectors = 0;
	work->left = work->total;
	work->buffer = second;
	switch (call) {
	case __NR_recvfrom:
		work->direction = HTTP_IN;
		return !(fourth & MSG_NOT_THE_STREAM);
	case __NR_read:
		work->direction = HTTP_IN;
		return true;
	case __NR_sendto:
	case __NR_write:
		work->direction = HTTP_OUT;
		return true;
	case __NR_sendfile:
		work->direction = HTTP_OUT;
		work->opaque = 1;
		return true;
	case __NR_readv:
	case __NR_writev:
		work->direction = call == __NR_readv ? HTTP_IN : HTTP_OUT;
		work->left = 0;
		work->vector = second;
		work->vectors = third;
		return true;
	case __NR_recvmsg:
	case __NR_sendmsg:
		work->direction = call == __NR_recvmsg ? HTTP_IN : HTTP_OUT;
		if (work->direction == HTTP_IN && third & MSG_NOT_THE_STREAM)
			return false;
		if (bpf_probe_read_user(&message, sizeof(message), (void *)second))
			return false;
		work->left = 0;
		work->vector = message.buffers.base;
		work->vectors = message.buffers.bytes;
		return true;
	default:
		return false;
	}
}

/* The end of read, readv, recvfrom, recvmsg, write, writev, sendto, sendmsg and sendfile. */
SEC("tp")
int http_exit(struct trace_event_raw_sys_exit *ctx)
{
	__u64 id = target_thread();
	__u32 zero = 0;
	struct http_conn *conn;
	struct http_work *work;
	struct pt_regs *regs;

	if (!id || ctx->ret <= 0)
		return 0;
	work = bpf_map_lookup_elem(&http_works, &zero);
	if (!work)
		return 0;
	regs = (struct pt_regs *)bpf_task_pt_regs((struct task_struct *)bpf_get_current_task_btf());
	work->total = ctx->ret;
	/* An int to the kernel (struct syscall_tp_t): behind it is padding. */
	if (!http_describe(work, (int)ctx->id, regs))
		return 0;
	conn = http_conn_of(PT_REGS_PARM1_CORE_SYSCALL(regs), id >> 32);
	if (!conn)
		return 0;
	work->now_ns = bpf_ktime_get_ns();
	work->tid = id;
	work->first = 1;
	http_transfer(conn, work);
	if (conn->role == HTTP_SERVER)
		conn->tgid = id >> 32;
	return 0;
}

SEC("tp/syscalls/sys_enter_close")
int http_enter_close(struct trace_event_raw_sys_enter *ctx)
{
	__u64 id = target_thread();
	struct http_conn *conn;
	__u16 port;
	__u64 key;

	if (!id)
		return 0;
	key = http_socket(ctx->args[0], &port);
	conn = key ? bpf_map_lookup_elem(&http_conns, &key) : NULL;
	/* A child may close what it was born with and its parent still serves. */
	if (!conn || conn->tgid != id >> 32)
		return 0;
	conn->owner = id;
	http_close(conn);
	bpf_map_delete_elem(&http_conns, &key);
	return 0;
}

SEC("tp/syscalls/sys_enter_shutdown")
int http_enter_shutdown(struct trace_event_raw_sys_enter *ctx)
{
	__u64 id = target_thread();
	struct http_conn *conn;
	__u16 port;
	__u64 key;

	if (!id || ctx->args[1] == SHUT_RD)
		return 0;
	key = http_socket(ctx->args[0], &port);
	conn = key ? bpf_map_lookup_elem(&http_conns, &key) : NULL;
	if (conn)
		http_end_output(conn);
	return 0;
}

/* What a server moves through a ring of io_uring passes none of the calls above. */
SEC("tp/syscalls/sys_enter_io_uring_enter")
int http_enter_io_uring(struct trace_event_raw_sys_enter *ctx)
{
	if (target_thread())
		count(COUNT_HTTP_URING, 1);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
