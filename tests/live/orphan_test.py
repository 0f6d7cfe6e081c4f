# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""--follow: children that outlive their parents, and ends that nobody told.
ASRTRACE_LONG=1: more children than there are numbers, too, which takes a minute."""

import json
import os
import sqlite3
import subprocess
import sys
import time

import harness

MIB = 1 << 20


class Orphan(harness.LiveTest):

    def test_budget_and_samples_outlive_the_target(self):
        """The target is idle for long enough that following everything fits the budget; then a
        child of its takes over that does nothing but allocate."""
        program = self.start("orphan", "--seconds", 8, "--hold-mib", 64)
        tracer = self.attach(program.pid, "--follow", tier="auto").wait_attached()
        time.sleep(4)
        truth = program.run()
        self.assertFalse(program.alive(), "the parent, that is")
        program.say("quit")
        self.assertEqual(tracer.wait(30), 0, tracer.stderr)
        report = tracer.report()
        cost = report["overhead"]
        harness.note(f"  {truth} {report['counts']['calls']} {report['notes']} {cost}")
        self.assertEqual(report["window"]["ended_by"], "target exited")
        self.assertEqual(cost["tier"], "auto")
        self.assertLess(report["counts"]["calls"]["malloc"], truth["pairs"] / 2)
        self.assertGreater(cost["target_cpu_seconds"], 0.1, "it was busy for eight")
        with sqlite3.connect(tracer.trace_path) as trace:
            held = trace.execute("SELECT COUNT(*) FROM samples WHERE rss_anon_kb >= 64 * 1024 "
                                 "AND pss_kb >= 64 * 1024").fetchone()[0]
        self.assertGreaterEqual(held, 3)
        self.assertGreaterEqual(report["counts"]["peak_rss_anon_bytes"], 64 * MIB)

    def test_an_end_that_was_lost_is_noticed(self):
        """The tracer stands still while the child fills the ring, so that what tells of its end
        finds no place; the target goes on."""
        program = self.start("forks", "--children", 1, "--allocate", 1000, "--pairs", 300_000)
        tracer = self.attach(program.pid, "--follow").wait_attached()
        with tracer.standing_still():
            program.run()
        time.sleep(6)
        self.assertEqual(tracer.stop(), 0, tracer.stderr)
        self.assertTrue(program.alive())
        report = tracer.report()
        harness.note(f"  {report['counts']} {report['notes']}")
        self.assertGreater(report["losses"]["ring_events"], 0)
        self.assertEqual([child["exit_status"] for child in report["target"]["followed"]], [None])
        self.assertGreaterEqual(report["counts"]["ended_blocks"], 2000)
        self.assertIn("the end of 1 followed children", " ".join(report["notes"]))


    def maps(self, tracer):
        """The tracer's BPF maps: ids by name."""
        return {json.loads(subprocess.check_output(
            [harness.BPFTOOL, "-j", "map", "show", "id", str(number)], timeout=60))["name"]: number
                for number in harness.kernel_objects(tracer.pid)["map"]}

    def owners(self, tracer):
        """Threads whose state the tracer's maps hold."""
        def entries(name):
            dump = json.loads(subprocess.check_output(
                [harness.BPFTOOL, "-j", "map", "dump", "id", str(ids[name])], timeout=120))
            return [entry["formatted"] for entry in dump]

        ids = self.maps(tracer)
        return {entry["value"]["owner"] for entry in entries("thread_places")} - {0} | \
            {entry["key"] for entry in entries("threads")}

    def test_a_thread_that_ends_behind_its_process(self):
        """The thread that sees the last one of a child go need not be that one itself: for those on
        their way the child is no longer followed. Here it is no longer long before."""
        program = self.start("family", "--allocate", 100)
        tracer = self.attach(program.pid, "--follow").wait_attached()
        program.say("go")
        child = program.expect("grown")["child"]
        self.assertIn(child, self.owners(tracer))
        followed = self.maps(tracer)["followed"]
        subprocess.run([harness.BPFTOOL, "map", "delete", "id", str(followed), "key",
                        *map(str, child.to_bytes(4, sys.byteorder))], check=True, timeout=60)
        program.say("shrink")
        program.expect("done")
        left = self.owners(tracer) - {program.pid}
        self.assertEqual(left, set(), "places of threads that have ended")
        self.assertEqual(tracer.stop(), 0, tracer.stderr)

    def numbers_of_children_run_out(self):
        """No number is given twice: what comes later is not followed, and the report says why."""
        children, most = 65_600, 65_534
        program = self.start("forks", "--children", children, "--allocate", 1)
        tracer = self.attach(program.pid, "--follow", "--no-census").wait_attached()
        truth = program.run(400)
        self.assertEqual(truth["children_good"], children)
        self.assertEqual(tracer.stop(), 0, tracer.stderr)
        report = tracer.report()
        self.assertEqual(len(report["target"]["followed"]), most)
        self.assertEqual(report["counts"]["calls"]["malloc"], children + 2 * most)
        self.assertEqual(report["losses"]["map_full_events"], children - most)
        self.assertIn(f"the target started {children - most} child processes; they were not "
                      "followed: a run follows 65,534 at most, and 1,023 at a time",
                      report["notes"])

    if os.environ.get("ASRTRACE_LONG"):
        test_numbers_of_children_run_out = numbers_of_children_run_out

    def test_who_gets_the_target_s_number_is_a_stranger(self):
        """The target has ended, a child of its goes on, and a process that begins is given the
        number. In a pid namespace of our own, where the next number can be chosen."""
        if os.getpid() != 1:
            done = subprocess.run(["unshare", "--pid", "--fork", "--kill-child", "--mount-proc",
                                   sys.executable, "-B", __file__, self.id().split(".", 1)[1]],
                                  check=False, timeout=200)
            self.assertEqual(done.returncode, 0)
            return
        program = self.start("orphan", "--seconds", 1, "--hold-mib", 4)
        tracer = self.attach(program.pid, "--follow").wait_attached()
        truth = program.run()
        self.assertEqual(program.process.wait(20), 0)
        stranger = self.stranger(program.pid)
        self.assertEqual(stranger.run()["blocks"], 1_000_000)
        time.sleep(3)
        self.assertEqual(stranger.quit(), 0)
        program.say("quit")
        self.assertEqual(tracer.wait(30), 0, tracer.stderr)
        report = tracer.report()
        harness.note(f"  {truth} {report['counts']}")
        self.assert_nothing_lost(report)
        self.assertEqual(report["counts"]["calls"]["malloc"], truth["pairs"] + 1)
        self.assertEqual(report["counts"]["calls"]["free"], truth["pairs"])
        self.assertLess(report["counts"]["peak_rss_anon_bytes"], 16 * MIB)
        self.assertLess(report["counts"]["fault_bytes"], 16 * MIB)
        self.assertEqual([child["exit_status"] for child in report["target"]["followed"]], [0])
        self.assertEqual(report["window"]["exit_status"], 0)

    def stranger(self, pid):
        for _ in range(50):
            with open("/proc/sys/kernel/ns_last_pid", "w", encoding="ascii") as last:
                last.write(str(pid - 1))
            program = self.start("idle", "--allocate", 1_000_000)
            if program.pid == pid:
                return program
        return self.fail("the number is not given")


if __name__ == "__main__":
    harness.main()
