# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Debug files over the network: only for those who ask for it. The server is ours."""

import http.server
import os
import subprocess
import threading
import time

import harness


class DebugServer(http.server.ThreadingHTTPServer):
    """Serves one debug file by its build-id; remembers what it was asked."""

    def __init__(self, build_id, path):
        self.wanted = f"/buildid/{build_id}/debuginfo"
        self.path = path
        self.requests = []
        super().__init__(("127.0.0.1", 0), DebugHandler)


class DebugHandler(http.server.BaseHTTPRequestHandler):

    def do_GET(self):  # noqa: N802 (http.server's name)
        self.server.requests.append(self.path)
        if self.path != self.server.wanted:
            self.send_error(404)
            return
        with open(self.server.path, "rb") as file:
            content = file.read()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        pass


class Debuginfod(harness.LiveTest):

    def setUp(self):
        super().setUp()
        original = os.path.join(harness.PROGS, "malloc_faults")
        debug = os.path.join(self.directory, "malloc_faults.debug")
        self.program = os.path.join(self.directory, "malloc_faults")
        subprocess.run(["objcopy", "--only-keep-debug", original, debug], check=True)
        subprocess.run(["strip", "-o", self.program, original], check=True)
        notes = subprocess.run(["readelf", "-n", original], check=True,
                               stdout=subprocess.PIPE).stdout.decode()
        build_id = notes.partition("Build ID: ")[2].split()[0]
        self.server = DebugServer(build_id, debug)
        thread = threading.Thread(target=self.server.serve_forever)
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(self.server.server_close)
        self.addCleanup(self.server.shutdown)

    def callers(self, *arguments, urls=None):
        """Names of the functions that call malloc, and the files of theirs that the report names."""
        variables = {"DEBUGINFOD_CACHE_PATH": os.path.join(self.directory, "cache")}
        variables["DEBUGINFOD_URLS"] = urls if urls is not None else \
            f"http://127.0.0.1:{self.server.server_port}"
        os.environ.update(variables)
        try:
            program = harness.Program(self.program, "--blocks", 100)
            self.addCleanup(program.end)
            tracer = self.attach(program.pid, "--request", "every:0.2", *arguments).wait_attached()
            program.run()
            time.sleep(0.6)  # its blocks outlive an interval: they make sites of the report
            self.assertEqual(tracer.stop(), 0, tracer.stderr)
        finally:
            for name in variables:
                del os.environ[name]
        own = [frame for site in tracer.report()["sites"] for frame in site["stack"]
               if os.path.basename(frame["module"] or "") == "malloc_faults"]
        self.assertTrue(own)
        return ({frame["function"] for frame in own
                 if not frame["function"].startswith("malloc_faults+0x")},
                {os.path.basename(frame["file"]) for frame in own if frame["file"]})

    def test_nothing_is_asked_unless_the_user_says_so(self):
        functions, files = self.callers()
        self.assertEqual(self.server.requests, [])
        self.assertEqual((functions, files), ({"_start"}, set()))

    def test_fetched_when_the_user_says_so(self):
        functions, files = self.callers("--debuginfod")
        self.assertIn(self.server.wanted, self.server.requests)
        self.assertIn("asrtrace::progs::caller_of_posix_memalign()", functions)
        self.assertIn("malloc_faults.cpp", files)
        # Only what is missing here, and each once.
        self.assertEqual(len(self.server.requests), len(set(self.server.requests)))

    def test_a_server_that_is_not_there_costs_names_only(self):
        functions, _ = self.callers("--debuginfod",
                                    urls="http://127.0.0.1:9")
        self.assertEqual(functions, {"_start"})

    def test_without_a_server_to_ask(self):
        program = self.start("idle")
        done = subprocess.run([harness.ASRTRACE, "attach", "--pid", str(program.pid),
                               "--debuginfod"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              env={**os.environ, "DEBUGINFOD_URLS": ""}, timeout=30)
        self.assertEqual(done.returncode, 2)
        self.assertIn(b"DEBUGINFOD_URLS", done.stderr)


if __name__ == "__main__":
    harness.main()
