# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Raw events (--raw): each call of the target is there, to the byte, and the recorder's death leaves
those of its last commit."""

import collections
import csv
import io
import signal
import subprocess
import time

import harness


def raw_events(trace):
    done = subprocess.run([harness.ASRTRACE, "report", trace, "--events"], check=True, timeout=120,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    return list(csv.DictReader(io.StringIO(done.stdout.decode()))), done.stderr.decode()


class Raw(harness.LiveTest):

    def test_raw_counts_are_the_programs_own(self):
        program = self.start("alloc_mix", "--seed", self.seed % 1000003, "--threads", 4,
                             "--operations", 10000)
        truth, report, tracer = self.trace(program, "--raw")
        self.assertEqual(program.quit(), 0)
        self.assert_nothing_lost(report)
        events, complaints = raw_events(tracer.trace_path)
        self.assertEqual(complaints, "")
        self.assertEqual(report["raw_events"], {"kept": len(events), "not_kept": 0})

        # A call that failed is one of malloc's family, and none that changed a mapping.
        calls = collections.Counter(
            event["event"] for event in events
            if event["event"] not in ("munmap", "mremap") or "failed=1" not in event["detail"])
        for name, number in report["counts"]["calls"].items():
            self.assertEqual(calls[name], number, name)
        born = [event for event in events if event["address"] and event["event"] != "free" and
                event["event"] in truth["ok"]]
        self.assertEqual(sum(int(event["size"]) for event in born), truth["allocated_bytes"])
        self.assertEqual(len(born), truth["allocated_blocks"])
        self.assertTrue(all(event["stack"] for event in born), "each has its stack")
        times = [int(event["time_ns"]) for event in events]
        self.assertLessEqual(max(times) / 1e9, report["window"]["seconds"])

    def test_a_killed_recorder_leaves_the_events_of_its_last_commit(self):
        program = self.start("alloc_rate", "--threads", 1, "--rate", 20000, "--seconds", 30)
        tracer = self.attach(program.pid, "--raw").wait_attached()
        program.say("go")
        time.sleep(3)
        tracer.process.send_signal(signal.SIGKILL)
        tracer.wait(20)
        program.process.kill()
        events, complaints = raw_events(tracer.trace_path)
        self.assertEqual(complaints, "")
        self.assertGreater(len(events), 1000)
        self.assertGreater(int(events[-1]["time_ns"]), 1e9)

    def test_needs_a_file_and_says_what_is_not_there(self):
        program = self.start("idle")
        done = subprocess.run([harness.ASRTRACE, "attach", "--pid", str(program.pid), "--raw"],
                              stderr=subprocess.PIPE, stdout=subprocess.PIPE, timeout=60)
        self.assertEqual(done.returncode, 2)
        self.assertIn(b"--output", done.stderr)
        _, report, tracer = self.trace(program)
        self.assertIsNone(report["raw_events"])
        done = subprocess.run([harness.ASRTRACE, "report", tracer.trace_path, "--events"],
                              stderr=subprocess.PIPE, stdout=subprocess.PIPE, timeout=60)
        self.assertEqual((done.returncode, done.stdout), (2, b""))
        self.assertIn(b"no raw events", done.stderr)


if __name__ == "__main__":
    harness.main()
