// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * The request plane for servers without probes of their own: HTTP/1.x as it passes through the
 * socket calls. The arguments are still in the registers with which the thread entered the kernel,
 * so that a call counts that had begun before the attach.
 *
 * Three ways: by what the kernel tells of sockets (tracepoints of net/socket.c, since 6.3, and of
 * TCP's states), which leaves every other system call of the machine alone; by probes behind the
 * target's own system calls (http_by_sites) instead of the former, which leave all others alone;
 * or, before 6.3, by the ends of system calls (cfg.http_by_calls), where other processes pay a look
 * per call.
 */
#include "bpf/call_sites.bpf.h"
#include "bpf/emit.bpf.h"
#include "bpf/http.bpf.h"
#include "bpf/http_tell.bpf.h"
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
#define IPPROTO_TCP 6
#define HTTP_IOV_MAX 1024 /* UIO_MAXIOV */

/* Connections by the address of their socket. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u64);
	__type(value, struct http_conn);
} http_conns SEC(".maps");

/*
 * Two by direction: a program does not interrupt itself on its CPU, but where tracepoints can be
 * preempted one of the other direction might. The rest is claimed by programs of uprobes, which a
 * thread may hit while another is preempted within.
 */
#define HTTP_CLAIMED_FROM 2
#define HTTP_WORKS 6
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, HTTP_WORKS);
	__type(key, __u32);
	__type(value, struct http_work);
} http_works SEC(".maps");

/* A new connection, made here: it does not fit on the stack. */
static const struct http_conn http_stranger;
__u64 http_connections = 0;
/* Connections whose end only system calls tell. */
__u64 http_untold_ends = 0;
/* Probes behind the calls see them; tracepoints of sockets only tell if one passes by these. */
__u32 http_by_sites = 0;

/* A stream socket. */
struct http_socket {
	struct sock *sock;
	__u64 inode;
	bool tells_its_end;
	__u16 port; /* the server's, of TCP */
};

static __always_inline bool http_describe_socket(struct sock *sock, struct http_socket *out)
{
	struct socket *socket = BPF_CORE_READ(sock, sk_socket);
	struct socket_alloc *both =
		(void *)socket - bpf_core_field_offset(struct socket_alloc, socket);
	unsigned short family = BPF_CORE_READ(sock, __sk_common.skc_family);
	bool internet = family == AF_INET || family == AF_INET6;

	if (!socket || BPF_CORE_READ(socket, type) != SOCK_STREAM)
		return false;
	out->sock = sock;
	out->inode = BPF_CORE_READ(both, vfs_inode.i_ino);
	out->port = internet ? BPF_CORE_READ(sock, __sk_common.skc_num) : 0;
	out->tells_its_end =
		!cfg.http_by_calls && internet && BPF_CORE_READ(sock, sk_protocol) == IPPROTO_TCP;
	return true;
}

/* The socket behind a descriptor of the current process; NULL: there is none. */
static __always_inline struct sock *http_sock_of(__u32 fd)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	struct fdtable *table = BPF_CORE_READ(task, files, fdt);
	struct file **files = BPF_CORE_READ(table, fd);
	struct file *file = NULL;
	struct socket *socket;

	if (fd >= BPF_CORE_READ(table, max_fds))
		return NULL;
	bpf_probe_read_kernel(&file, sizeof(file), files + fd);
	if (!file || (BPF_CORE_READ(file, f_inode, i_mode) & S_IFMT) != S_IFSOCK)
		return NULL;
	socket = BPF_CORE_READ(file, private_data);
	return BPF_CORE_READ(socket, sk);
}

static __always_inline struct http_conn *http_conn_of(const struct http_socket *socket, __u32 tgid)
{
	__u64 key = (__u64)socket->sock;
	struct http_conn *conn = bpf_map_lookup_elem(&http_conns, &key);

	if (conn && conn->inode == socket->inode)
		return conn;
	/* One whose end nobody told. */
	if (conn)
		http_close(conn);
	bpf_map_update_elem(&http_conns, &key, &http_stranger, BPF_ANY);
	conn = bpf_map_lookup_elem(&http_conns, &key);
	if (!conn) {
		count(LOST_HTTP_CONNECTIONS, 1);
		return NULL;
	}
	conn->number = __sync_fetch_and_add(&http_connections, 1) + 1;
	conn->inode = socket->inode;
	conn->tgid = tgid;
	if (!socket->tells_its_end)
		__sync_fetch_and_add(&http_untold_ends, 1);
	if (cfg.http_port && socket->port != cfg.http_port)
		conn->role = HTTP_IGNORED;
	return conn;
}

/*
 * Which buffers a call used; of one that is not known the bytes pass unseen. False: it moved no
 * bytes of the stream.
 */
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
		work->opaque = 1;
		return true;
	}
}

static __always_inline void http_follow(const struct http_socket *socket, struct http_work *work,
					__u64 id)
{
	struct http_conn *conn = http_conn_of(socket, id >> 32);

	if (!conn)
		return;
	work->now_ns = bpf_ktime_get_ns();
	work->tid = id;
	work->first = 1;
	http_transfer(conn, work);
	if (conn->role == HTTP_SERVER)
		conn->tgid = id >> 32;
}

static __always_inline struct pt_regs *entry_registers(void)
{
	return (struct pt_regs *)bpf_task_pt_regs((struct task_struct *)bpf_get_current_task_btf());
}

/*
 * A socket call is under way that a probe will meet. If one before has met none, calls pass by the
 * probes. (One call of sendfile sends more than once.)
 */
static __always_inline void http_audit(__u32 tid, int call)
{
	struct thread_state *state = thread_state_of(tid);

	if (!state)
		return;
	if (state->http_told && call != __NR_sendfile)
		count(LOST_HTTP_BYPASSED, 1);
	state->http_told = 1;
}

/* A socket of anybody's has taken or given `bytes`. */
static __always_inline int http_moved(struct sock *sock, int bytes, __u32 direction)
{
	struct http_socket socket = {};
	__u64 id = target_thread();
	struct http_work *work;
	struct pt_regs *regs;
	int call;

	if (!id || bytes <= 0)
		return 0;
	work = bpf_map_lookup_elem(&http_works, &direction);
	if (!work)
		return 0;
	regs = entry_registers();
	call = arch_call_number(regs);
	/* Workers of a ring have the registers of who made it. */
	if (call == __NR_io_uring_enter || call == __NR_io_uring_setup) {
		count(COUNT_HTTP_URING, 1);
		return 0;
	}
	work->total = bytes;
	work->direction = direction;
	if (!http_describe(work, call, regs) || work->direction != direction)
		return 0;
	/* The kernel may use sockets of its own for a call on a file (NFS). */
	if (!work->opaque && http_sock_of(PT_REGS_PARM1_CORE_SYSCALL(regs)) != sock)
		return 0;
	if (!http_describe_socket(sock, &socket))
		return 0;
	if (http_by_sites)
		http_audit(id, call);
	else
		http_follow(&socket, work, id);
	return 0;
}

SEC("tp_btf/sock_recv_length")
int BPF_PROG(http_received, struct sock *sock, int bytes, int flags)
{
	return http_moved(sock, bytes, HTTP_IN);
}

SEC("tp_btf/sock_send_length")
int BPF_PROG(http_sent, struct sock *sock, int bytes, int flags)
{
	return http_moved(sock, bytes, HTTP_OUT);
}

/* Nothing can be written to this socket any more. Also in the context of others. */
static __always_inline struct http_conn *http_end_of(const struct sock *sock)
{
	__u64 key = (__u64)sock;
	struct http_conn *conn = enabled ? bpf_map_lookup_elem(&http_conns, &key) : NULL;
	__u64 id;

	if (!conn || http_process_of(conn) < 0)
		return conn;
	id = target_thread();
	if (id)
		conn->owner = id;
	http_close(conn);
	return conn;
}

/* close and shutdown: the only ways into these two states (tcp_close_state, net/ipv4/tcp.c). */
SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(http_state, const struct sock *sock, int before, int state)
{
	if (state == TCP_FIN_WAIT1 || state == TCP_LAST_ACK)
		http_end_of(sock);
	return 0;
}

/* In close if the connection was over before (the client reset it, say), else later. */
SEC("tp_btf/tcp_destroy_sock")
int BPF_PROG(http_destroy, struct sock *sock)
{
	__u64 key = (__u64)sock;

	if (http_end_of(sock))
		bpf_map_delete_elem(&http_conns, &key);
	return 0;
}

/* The current thread has come to the end of a call that moved `bytes`. */
static __always_inline bool http_ended(struct http_work *work, struct http_socket *socket, int call,
				       __u64 bytes)
{
	struct pt_regs *regs = entry_registers();
	struct sock *sock;

	work->total = bytes;
	if (!http_describe(work, call, regs))
		return false;
	sock = http_sock_of(PT_REGS_PARM1_CORE_SYSCALL(regs));
	return sock && http_describe_socket(sock, socket);
}

/* The end of read, readv, recvfrom, recvmsg, write, writev, sendto, sendmsg and sendfile. */
SEC("tp")
int http_exit(struct trace_event_raw_sys_exit *ctx)
{
	__u64 id = target_thread();
	struct http_socket socket = {};
	__u32 zero = 0;
	struct http_work *work;

	if (!id || ctx->ret <= 0)
		return 0;
	work = bpf_map_lookup_elem(&http_works, &zero);
	/* An int to the kernel (struct syscall_tp_t): behind it is padding. */
	if (work && http_ended(work, &socket, (int)ctx->id, ctx->ret))
		http_follow(&socket, work, id);
	return 0;
}

/* As unwind_claim() does it. */
static __always_inline struct http_work *http_claim(void)
{
	for (__u32 i = HTTP_CLAIMED_FROM; i < HTTP_WORKS; i++) {
		__u32 slot = i;
		struct http_work *work = bpf_map_lookup_elem(&http_works, &slot);

		if (!work)
			continue;
		__sync_fetch_and_add(&work->busy, 1);
		if (*(volatile __u32 *)&work->busy == 1)
			return work;
		__sync_fetch_and_add(&work->busy, -1);
	}
	count(LOST_HTTP_WORK, 1);
	return NULL;
}

/* The same calls, by probes behind them. */
SEC("uprobe")
int http_call(struct pt_regs *ctx)
{
	__u64 cookie = bpf_get_attach_cookie(ctx);
	__u64 id = target_thread();
	struct http_socket socket = {};
	struct thread_state *state;
	struct http_work *work;
	__u32 tid = id;

	stay_on_own_stack(ctx);
	if (!id || !comes_from_call(ctx, cookie))
		return 0;
	count(COUNT_PROBE_HITS, 1);
	if ((__s64)PT_REGS_RC(ctx) <= 0)
		return 0;
	work = http_claim();
	if (!work)
		return 0;
	if (http_ended(work, &socket, cookie & CALL_COOKIE_CALL, PT_REGS_RC(ctx))) {
		state = find_thread_state(tid);
		if (state && state->http_told) {
			state->http_told = 0;
			count(COUNT_HTTP_MATCHED, 1);
		}
		if (http_by_sites)
			http_follow(&socket, work, id);
	}
	__sync_fetch_and_add(&work->busy, -1);
	return 0;
}

/* The connection behind a descriptor, if its socket does not tell its end itself. */
static __always_inline struct http_conn *http_conn_ending(__u32 fd, __u64 *key)
{
	struct http_socket socket = {};
	struct sock *sock = http_sock_of(fd);

	if (!sock || !http_describe_socket(sock, &socket) || socket.tells_its_end)
		return NULL;
	*key = (__u64)sock;
	return bpf_map_lookup_elem(&http_conns, key);
}

static __always_inline int http_closing(__u32 fd)
{
	__u64 id = target_thread();
	struct http_conn *conn;
	__u64 key = 0;

	if (!id)
		return 0;
	conn = http_conn_ending(fd, &key);
	/* A child may close what it was born with and its parent still serves. */
	if (!conn || conn->tgid != id >> 32)
		return 0;
	conn->owner = id;
	http_close(conn);
	bpf_map_delete_elem(&http_conns, &key);
	return 0;
}

static __always_inline int http_shutting_down(__u32 fd, __u64 how)
{
	__u64 id = target_thread();
	struct http_conn *conn;
	__u64 key = 0;

	if (!id || how == SHUT_RD)
		return 0;
	conn = http_conn_ending(fd, &key);
	if (conn)
		http_end_output(conn);
	return 0;
}

SEC("tp/syscalls/sys_enter_close")
int http_enter_close(struct trace_event_raw_sys_enter *ctx)
{
	return http_closing(ctx->args[0]);
}

SEC("tp/syscalls/sys_enter_shutdown")
int http_enter_shutdown(struct trace_event_raw_sys_enter *ctx)
{
	return http_shutting_down(ctx->args[0], ctx->args[1]);
}

/*
 * Both, attached when the first socket asks for it. By then the tracer has given up its rights, and
 * Debian's kernels (perf_event_paranoid 3) refuse the perf events that the two above take. Not in
 * their place: each system call of every process takes 100 ns more with it than with those.
 */
SEC("tp_btf/sys_enter")
int BPF_PROG(http_enter_ends, struct pt_regs *regs, long call)
{
	if (call == __NR_close)
		return http_closing(PT_REGS_PARM1_CORE_SYSCALL(regs));
	if (call == __NR_shutdown)
		return http_shutting_down(PT_REGS_PARM1_CORE_SYSCALL(regs),
					  PT_REGS_PARM2_CORE_SYSCALL(regs));
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
