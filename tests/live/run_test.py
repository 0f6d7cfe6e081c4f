# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""`asrtrace run -- CMD`: a command traced from its entry point on, its end told."""

import json
import os
import signal
import subprocess
import time

import harness


class Run(harness.LiveTest):

    def command(self, *arguments, limits=(), **options):
        """`asrtrace run` with the program's pipes for our own; returns process and report's path."""
        self.report_path = os.path.join(self.directory, "report.json")
        process = subprocess.Popen(
            [harness.ASRTRACE, "run", "--json", self.report_path, *limits, "--", *arguments],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0,
            **options)

        def end():
            if process.poll() is None:
                process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout, process.stderr):
                pipe.close()

        self.addCleanup(end)
        return process

    def finish(self, process, seconds=60):
        _, errors = process.communicate(timeout=seconds)
        return errors.decode(errors="replace")

    def report(self):
        with open(self.report_path, encoding="utf-8") as file:
            return json.load(file)

    def serve(self, process):
        """Lets a program do its work, to its end; what was said on stderr."""
        lines = harness.LineReader(process.stdout)
        self.assertTrue(lines.line(60).startswith("ready"))
        process.stdin.write(b"go\n")
        self.assertTrue(lines.line(60).startswith("done"))
        return self.finish(process)

    def test_its_end_is_told(self):
        blocks = self.random.randrange(1000, 5000)
        process = self.command(os.path.join(harness.PROGS, "exits_soon"), "--allocate",
                               str(blocks), "--status", "7")
        errors = self.serve(process)
        self.assertEqual(process.returncode, 0, errors)
        self.assertIn("exits_soon ended with status 7", errors)
        report = self.report()
        self.assertEqual(report["window"]["ended_by"], "target exited")
        self.assertGreaterEqual(harness.traced_calls(report)["malloc"], blocks)
        self.assertGreaterEqual(report["counts"]["allocated_bytes"], 64 * blocks)
        self.assert_nothing_lost(report)

    def test_the_status_is_the_process_s(self):
        """Not its first thread's, if that ended before."""
        for end, status in (("--status 3", 3 << 8), ("--signal 15", 15)):
            process = self.command(os.path.join(harness.PROGS, "exits_soon"), *end.split(),
                                   "--last-thread", "1")
            errors = self.serve(process)
            self.assertEqual(process.returncode, 0, errors)
            self.assertEqual(self.report()["window"]["exit_status"], status, errors)

    def test_a_short_program_misses_nothing(self):
        """It waits for nobody: what it allocates is over long before an attach would be in."""
        script = ("import ctypes; libc = ctypes.CDLL(None); libc.malloc.restype = ctypes.c_void_p;"
                  "[libc.malloc(ctypes.c_size_t(77777)) for _ in range(123)]")
        process = self.command("/usr/bin/python3", "-c", script)
        errors = self.finish(process)
        self.assertEqual(process.returncode, 0, errors)
        report = self.report()
        self.assertGreaterEqual(report["counts"]["allocated_bytes"], 123 * 77777, errors)
        self.assert_nothing_lost(report)

    def test_signals_end_both(self):
        for number, told in ((signal.SIGINT, "signal 2"), (signal.SIGTERM, "signal 15")):
            process = self.command(os.path.join(harness.PROGS, "exits_soon"))
            self.assertTrue(harness.LineReader(process.stdout).line(60).startswith("ready"))
            time.sleep(0.5)
            process.send_signal(number)  # to the tracer alone
            self.assertEqual(process.wait(60), 0)  # its input stays open: nothing else ends it
            errors = process.stderr.read().decode(errors="replace")
            self.assertIn(told, errors)
            self.assertEqual(self.report()["window"]["ended_by"], "interrupt")

    def test_a_signal_behind_the_window_is_passed_on(self):
        """The report is there, the command is waited for."""
        for number in (signal.SIGTERM, signal.SIGHUP):
            process = self.command(os.path.join(harness.PROGS, "exits_soon"),
                                   limits=("--duration", "0.5"))
            lines = harness.LineReader(process.stderr)
            while "waiting for" not in lines.line(60):
                pass
            process.send_signal(number)  # to the tracer alone
            self.assertIn(f"exits_soon was ended by signal {int(number)}", lines.line(60))
            self.assertEqual(process.wait(60), 0)

    def test_what_cannot_be_started(self):
        for arguments, message in ((["/nowhere/at-all"], "No such file or directory"),
                                   ([self.directory], "Permission denied")):
            process = self.command(*arguments)
            errors = self.finish(process)
            self.assertEqual(process.returncode, 2, errors)
            self.assertIn(message, errors)
            self.assertFalse(os.path.exists(self.report_path))


if __name__ == "__main__":
    harness.main()
