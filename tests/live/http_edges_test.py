# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Requests as clients and servers also make them: pipelined, chunked, in pieces, half, by every
socket call, on connections from before the attach, over Unix sockets, beside files and TLS."""

import os
import signal
import socket
import ssl
import struct
import subprocess
import time

import harness

GET = b"GET /steady?q=1 HTTP/1.1\r\nHost: h\r\n\r\n"

# More requests than the ring has room for; a server that reads so many at once begins them all
# before it answers the first.
PIPELINED = 50
PIPELINED_BATCHES = 80

# Three sends through a ring, by the offsets of struct io_uring_params and io_uring_sqe
# (include/uapi/linux/io_uring.h); then what came out on the other side.
SENDS_BY_IO_URING = """
import ctypes, mmap, socket, struct, sys
call = ctypes.CDLL(None).syscall
params = ctypes.create_string_buffer(120)
ring = call(425, 4, params)
tail, = struct.unpack_from("<I", params.raw, 40 + 4)
array, = struct.unpack_from("<I", params.raw, 40 + 24)
queue = mmap.mmap(ring, array + 16, offset=0)
entries = mmap.mmap(ring, 4 * 64, offset=0x10000000)
here, there = socket.socketpair()
text = ctypes.create_string_buffer(b"HTTP", 4)
print("ready", flush=True); sys.stdin.readline()
for i in range(3):
    struct.pack_into("<BBHiQQI", entries, 64 * i, 26, 0, 0, here.fileno(), 0,
                     ctypes.addressof(text), 4)
    struct.pack_into("<I", queue, array + 4 * i, i)
    struct.pack_into("<I", queue, tail, i + 1)
    call(426, ring, 1, 1, 1, None, 0)
print(there.recv(100).decode(), flush=True); sys.stdin.readline()
"""


class HttpEdges(harness.LiveTest):

    def serve(self, *arguments):
        return self.start("http_server", *arguments)

    def watch(self, program, *arguments, tier="watch"):
        return self.attach(program.pid, "--no-census", *arguments, tier=tier).wait_attached()

    def dial(self, program):
        connection = socket.create_connection(("127.0.0.1", program.ready["port"]), 20)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.addCleanup(connection.close)
        return connection

    def answers(self, connection, number, marker=b"HTTP/1.1 200 OK"):
        """Reads until `number` responses of /steady have come, whole."""
        text = b""
        while text.count(marker) < number or not text.endswith(b"x" * 100):
            got = connection.recv(65536)
            self.assertTrue(got, text[-200:])
            text += got
        self.assertEqual(text.count(marker), number)

    def until(self, connection, end):
        text = b""
        while not text.endswith(end):
            got = connection.recv(65536)
            self.assertTrue(got, text[-200:])
            text += got
        return text

    def test_ends_that_find_no_room(self):
        """The tracer stands still until its ring is full: what it was told the begin of ends all
        the same."""
        program = self.serve()
        tracer = self.watch(program, "--request", "http")
        connections = [self.dial(program) for _ in range(10)]

        def ask(number):
            for connection in connections:
                connection.sendall(GET * number)
            for connection in connections:
                self.answers(connection, number)

        ask(1)
        with tracer.standing_still():
            for _ in range(PIPELINED_BATCHES):
                ask(PIPELINED)
        time.sleep(1)
        ask(1)
        self.assertEqual(tracer.stop(), 0, tracer.stderr)
        total = len(connections) * (2 + PIPELINED_BATCHES * PIPELINED)
        self.assertEqual(program.run()["answered"], total)
        report = tracer.report()
        count, losses = report["requests"]["count"], report["losses"]
        harness.note(f"  {count} of {total} requests, losses {losses}")
        self.assertGreater(losses["ring_events"], 1000, "the ring did not overflow")
        # Of a request that does not count both records are lost, or only its begin. None is in
        # flight for ever.
        self.assertEqual(2 * (total - count), losses["ring_events"] + losses["unknown_requests"])

    # Conversations: what a client says on one server, and how many requests that is.

    def by_each_call(self, program):
        connection = self.dial(program)
        for _ in range(20):
            connection.sendall(GET)
            self.answers(connection, 1)
            connection.sendall(b"POST /upload HTTP/1.1\r\nContent-Length: 200000\r\n\r\n" +
                               b"u" * 200000)
            self.until(connection, b"\r\n\r\n200000")
        return 40

    def pipelined(self, program):
        connection = self.dial(program)
        for _ in range(10):
            connection.sendall(20 * GET)
            self.answers(connection, 20)
        return 200

    def in_chunks_and_without_a_length(self, program):
        connection = self.dial(program)
        for _ in range(10):
            connection.sendall(b"POST /upload HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
                               b"5\r\nhello\r\n400;x=1\r\n" + b"c" * 0x400 + b"\r\n0\r\nT: 1\r\n\r\n")
            self.until(connection, b"\r\n\r\n1029")
            connection.sendall(b"GET /chunked HTTP/1.1\r\n\r\n")
            self.until(connection, b"Trailer: 1\r\n\r\n")
            connection.sendall(b"HEAD /steady HTTP/1.1\r\n\r\n")
            self.until(connection, b"content-length: 100\r\n\r\n")
            connection.sendall(b"GET /no-content HTTP/1.1\r\n\r\n")
            self.until(connection, b"204 No Content\r\n\r\n")
        connection.sendall(b"GET /until-close HTTP/1.0\r\n\r\n")
        self.until(connection, b"some text")
        self.assertEqual(connection.recv(10), b"")
        return 41

    def expecting_100_continue(self, program):
        connection = self.dial(program)
        for _ in range(10):
            connection.sendall(b"POST /upload HTTP/1.1\r\nContent-Length: 5\r\n"
                               b"Expect: 100-continue\r\n\r\n")
            self.until(connection, b"100 Continue\r\n\r\n")
            connection.sendall(b"abcde")
            self.until(connection, b"\r\n\r\n5")
        return 10

    def answered_and_uploading(self, program):
        """A connection with a whole request behind it and a part of the next."""
        connection = self.dial(program)
        connection.sendall(GET)
        self.answers(connection, 1)
        connection.sendall(b"POST /upload HTTP/1.1\r\nContent-Length: 100000\r\n\r\n" + b"u" * 5000)
        return connection

    def vanishing(self, program):
        for _ in range(7):
            self.answered_and_uploading(program).close()
        for _ in range(3):
            connection = self.dial(program)
            connection.sendall(b"GET /forget HTTP/1.1\r\n\r\n")
            self.assertEqual(connection.recv(10), b"")
        half = self.dial(program)
        half.sendall(b"GET /never-a-whole-line")
        half.close()
        time.sleep(0.3)
        return 7

    def reset(self, program):
        """The client ends the connection by RST: the server's close changes no state any more."""
        for _ in range(3):
            connection = self.answered_and_uploading(program)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.close()
        time.sleep(0.3)
        return 3

    def over_a_unix_socket(self, program):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(self.unix_path)
            for _ in range(30):
                connection.sendall(GET)
                self.answers(connection, 1)
        return 30

    def test_conversations(self):
        self.converse()

    def test_conversations_by_system_calls(self):
        self.converse("--http-by-calls")

    def test_conversations_by_tracepoints_of_sockets(self):
        self.converse("--http-by-sockets")

    def test_calls_past_the_libraries_are_noticed(self):
        for way in ((), ("--http-by-sockets",)):
            with self.subTest(way=way):
                self.past_the_libraries(*way)

    def past_the_libraries(self, *way):
        program = self.serve("--calls", 4)
        tracer = self.attach(program.pid, "--no-census", "--request", "http", *way, tier="watch")
        tracer.wait_attached()
        early = self.dial(program)
        for _ in range(2):
            early.sendall(GET)
            self.answers(early, 1)
        time.sleep(0.5)
        late = self.dial(program)
        for _ in range(30):
            late.sendall(GET)
            self.answers(late, 1)
        time.sleep(0.3)
        self.assertEqual(tracer.stop(), 0, tracer.stderr)
        report = tracer.report()
        harness.note(f"  {way}: {report['requests']['count']} of 32, {report['losses']}")
        said = len([note for note in report["notes"] if "past its libraries" in note])
        if way or not harness.probes_behind_calls():
            self.assertEqual((report["requests"]["count"], said), (32, 0))
            self.assert_nothing_lost(report)
        else:
            self.assertIn(report["requests"]["count"], range(30, 33))
            self.assertEqual(said, 1)
            self.assertGreater(report["losses"]["unseen_http_calls"], 0)

    def converse(self, *way):
        """All at once: a server and a tracer each."""
        self.unix_path = os.path.join(self.directory, "socket")
        cases = [(self.by_each_call, ("--calls", calls), {}) for calls in range(4)]
        cases += [
            (self.pipelined, (), {}),
            (self.pipelined, ("--read-bytes", 1), {}),
            (self.in_chunks_and_without_a_length, (), {}),
            (self.in_chunks_and_without_a_length, ("--read-bytes", 7), {}),
            (self.expecting_100_continue, (), {}),
            (self.vanishing, (), {"aborted": 10}),
            (self.reset, (), {"aborted": 3}),
            (self.over_a_unix_socket, ("--unix", self.unix_path), {}),
        ]
        running = []
        for conversation, arguments, seen in cases:
            program = self.serve(*arguments)
            tracer = self.attach(program.pid, "--no-census", "--request", "http", *way, tier="watch")
            running.append((conversation, arguments, seen, program, tracer))
        for conversation, arguments, seen, program, tracer in running:
            tracer.wait_attached()
        expected = [case[0](case[3]) for case in running]
        answered = [case[3].run()["answered"] for case in running]
        time.sleep(0.3)
        for case in running:
            case[4].process.send_signal(signal.SIGINT)
        for (conversation, arguments, seen, _, tracer), count, truth in zip(running, expected,
                                                                           answered):
            with self.subTest(conversation=conversation.__name__, arguments=arguments):
                self.assertEqual(tracer.wait(), 0, tracer.stderr)
                report = tracer.report()
                requests = report["requests"]
                harness.note(f"  {conversation.__name__} {arguments}: {requests['count']} "
                             f"{requests['http']}")
                self.assertEqual((requests["count"], truth), (count, count))
                self.assertEqual({key: value for key, value in requests["http"].items() if value},
                                 seen)
                self.assert_nothing_lost(report)

    def test_connections_from_before_the_attach(self):
        program = self.serve("--calls", 1)
        idle = [self.dial(program) for _ in range(4)]
        for connection in idle[:2]:
            connection.sendall(GET)
            self.answers(connection, 1)
        uploading = self.dial(program)
        uploading.sendall(b"POST /upload HTTP/1.1\r\nContent-Length: 9000\r\n\r\n" + b"u" * 4000)
        time.sleep(0.2)
        before = 2
        tracer = self.watch(program)
        uploading.sendall(b"GET " * 1250)  # the rest of the body looks like requests
        self.until(uploading, b"\r\n\r\n9000")
        for connection in [*idle, uploading]:
            for _ in range(5):
                connection.sendall(GET)
                self.answers(connection, 1)
        truth = program.run()
        time.sleep(0.3)
        self.assertEqual(tracer.stop(), 0, tracer.stderr)
        report = tracer.report()
        harness.note(f"  {report['requests']}")
        self.assertEqual(truth["answered"], before + 1 + 25)
        self.assertEqual(report["requests"]["count"], 25)

    def test_a_port_that_was_not_asked_for(self):
        program = self.serve()
        tracer = self.watch(program, "--request", "http:1")
        connection = self.dial(program)
        connection.sendall(GET)
        self.answers(connection, 1)
        program.run()
        self.assertEqual(tracer.stop(), 0, tracer.stderr)
        self.assertEqual(tracer.report()["requests"]["count"], 0)

    def test_files_pipes_and_clients_are_no_servers(self):
        """A program that reads requests from a file and a pipe, and asks a server itself."""
        other = self.serve()
        file = os.path.join(self.directory, "request")
        with open(file, "wb") as out:
            out.write(20 * GET)
        code = (
            "import sys, socket, os\n"
            "sys.stdin.readline()\n"
            f"for _ in range(50): os.read(os.open({file!r}, os.O_RDONLY), 4096)\n"
            "a, b = os.pipe()\n"
            f"for _ in range(50): os.write(b, {GET!r}); os.read(a, 4096)\n"
            f"s = socket.create_connection(('127.0.0.1', {other.ready['port']}))\n"
            f"for _ in range(50): s.sendall({GET!r}); s.recv(65536)\n"
            "print('done', flush=True); sys.stdin.readline()\n")
        process = subprocess.Popen(["/usr/bin/python3", "-c", code], stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, bufsize=0)
        for action in (process.stdout.close, process.stdin.close, process.wait, process.kill):
            self.addCleanup(action)
        tracer = self.attach(process.pid, "--no-census", "--request", "http",
                             tier="watch").wait_attached()
        process.stdin.write(b"go\n")
        self.assertEqual(harness.LineReader(process.stdout).line(30), "done")
        self.assertEqual(tracer.stop(), 0, tracer.stderr)
        self.assertEqual(tracer.report()["requests"]["count"], 0)

    def test_what_cannot_be_seen_is_said(self):
        program = self.serve()
        tracer = self.watch(program)
        context = ssl.create_default_context()
        with self.assertRaises(OSError):
            context.wrap_socket(self.dial(program), server_hostname="h")
        preface = self.dial(program)
        preface.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        time.sleep(0.2)
        self.assertEqual(tracer.stop(), 0, tracer.stderr)
        report = tracer.report()
        self.assertEqual((report["requests"]["http"]["tls"], report["requests"]["http"]["http2"]),
                         (1, 1))
        notes = " ".join(report["notes"])
        for word in ("TLS", "HTTP/2", "func:", "every:"):
            self.assertIn(word, notes)
        self.assertIn("TLS", tracer.stdout)

    def test_io_uring_is_said(self):
        for way in ((), ("--http-by-calls",)):
            with self.subTest(way=way):
                self.sends_by_io_uring(*way)

    def sends_by_io_uring(self, *way):
        process = subprocess.Popen(["/usr/bin/python3", "-c", SENDS_BY_IO_URING],
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
        for action in (process.stdout.close, process.stdin.close, process.wait, process.kill):
            self.addCleanup(action)
        lines = harness.LineReader(process.stdout)
        self.assertEqual(lines.line(30), "ready")
        tracer = self.attach(process.pid, "--no-census", "--request", "http", *way,
                             tier="watch").wait_attached()
        process.stdin.write(b"go\n")
        self.assertEqual(lines.line(30), "HTTP" * 3)
        self.assertEqual(tracer.stop(), 0, tracer.stderr)
        self.assertIn("io_uring", tracer.stderr)  # at the attach
        report = tracer.report()
        self.assertEqual(report["requests"]["http"]["io_uring_calls"], 3)
        self.assertIn("io_uring", " ".join(report["notes"]))

    def test_nothing_of_it_is_there_unless_asked_for(self):
        program = self.serve()

        def names(spec, *way):
            tracer = self.watch(program, "--request", spec, *way)
            held = harness.kernel_objects(tracer.pid)
            shown = subprocess.run([harness.BPFTOOL, "prog", "show"], check=True, timeout=30,
                                   stdout=subprocess.PIPE).stdout.decode().splitlines()
            mine = [line for line in shown
                    if line.split(":")[0].isdigit() and int(line.split(":")[0]) in held["prog"]]
            self.assertEqual(tracer.stop(), 0, tracer.stderr)
            self.assertEqual(harness.objects_left(held, 10), {})
            return [line for line in mine if "name http_" in line]

        self.assertEqual(names("every:1"), [])
        by_probes = int(harness.probes_behind_calls())
        self.assertEqual(len(names("http")), 5 + by_probes)
        self.assertEqual(len(names("auto")), 5 + by_probes)
        self.assertEqual(len(names("http", "--http-by-sockets")), 5)
        self.assertEqual(len(names("http", "--http-by-calls")), 4)


if __name__ == "__main__":
    harness.main()
