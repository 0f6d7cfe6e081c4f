# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A client that knows to the request what it asked, and how long each took."""

import http.client
import socket
import statistics
import subprocess
import threading
import time


class Load:
    """`requests` over `concurrency` keep-alive connections; each is (method, path, body)."""

    def __init__(self, port, requests, concurrency=1, headers=None):
        self.port = port
        self.latencies_ms = []
        self.errors = []
        self._requests = list(requests)
        self._next = 0
        self._headers = headers or {}
        self._lock = threading.Lock()
        threads = [threading.Thread(target=self._work) for _ in range(concurrency)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _take(self):
        with self._lock:
            self._next += 1
            return self._requests[self._next - 1] if self._next <= len(self._requests) else None

    def _work(self):
        connection = connect(self.port)
        while (request := self._take()) is not None:
            method, path, body = request
            begin = time.monotonic()
            connection.request(method, path, body, self._headers if body else {})
            response = connection.getresponse()
            response.read()
            self.latencies_ms.append(1000 * (time.monotonic() - begin))
            if response.status != 200:
                self.errors.append((request[:2], response.status))
        connection.close()

    @property
    def count(self):
        return len(self.latencies_ms)

    @property
    def median_ms(self):
        return statistics.median(self.latencies_ms)


class _NoDelay(http.client.HTTPConnection):
    def connect(self):
        super().connect()
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def connect(port):
    connection = _NoDelay("127.0.0.1", port, timeout=30)
    connection.connect()
    return connection


def round_trip_ms(rounds=200):
    """The median time of a byte to another process and back: what the machine's load adds to a
    client's view, whatever the server does."""
    with subprocess.Popen(["/bin/cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          bufsize=0) as echo:
        times = []
        for _ in range(rounds):
            begin = time.monotonic()
            echo.stdin.write(b"x")
            echo.stdout.read(1)
            times.append(1000 * (time.monotonic() - begin))
        echo.stdin.close()
    return statistics.median(times)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_listening(port, seconds=30):
    deadline = time.monotonic() + seconds
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def multipart(payload, name="audio_file"):
    """A form with one file: body and headers."""
    boundary = "----boundary7d3f"
    head = (f"--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"; "
            "filename=\"x.wav\"\r\nContent-Type: audio/wav\r\n\r\n").encode()
    body = head + payload + f"\r\n--{boundary}--\r\n".encode()
    return body, {"Content-Type": f"multipart/form-data; boundary={boundary}"}
