# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Whatever ends the tracer leaves no probe, map or link behind, and the target goes on unharmed:
its executable pages are byte for byte those of its files, and its answers stay right."""

import os
import signal
import subprocess
import time

import harness

# Kernel-side removal after SIGKILL is asynchronous.
REMOVAL_SECONDS = 10
KILLS = 50 if os.environ.get("ASRTRACE_LONG") else 10


def uprobe_events():
    with open(harness.UPROBE_EVENTS, encoding="utf-8") as file:
        return [line for line in file if "asrtrace" in line or "libbpf" in line]


class Detach(harness.LiveTest):

    def begin(self, *arguments, **options):
        """A target in the middle of its throwing requests, and a tracer on it."""
        program = self.start("throwing_requests", "--seed", self.seed % 100000)
        self.assertEqual(harness.patched_bytes(program.pid), 0)
        program.say("go")
        tracer = self.attach(program.pid, "--request", "func:begin_request,end_request",
                             *arguments, **options).wait_attached()
        objects = harness.kernel_objects(tracer.pid)
        self.assertTrue(objects["prog"] and objects["map"], "the tracer holds no BPF objects")
        self.assertGreater(harness.patched_bytes(program.pid), 0, "no probe stands in the target")
        time.sleep(1)
        return program, tracer, objects

    def check_gone(self, program, objects, events_before):
        self.assertEqual(harness.objects_left(objects, REMOVAL_SECONDS), {})
        self.assertEqual(harness.patched_left(program.pid, REMOVAL_SECONDS), 0,
                         "a breakpoint stayed in the target")
        self.assertEqual(uprobe_events(), events_before)

    def check_answers(self, program):
        time.sleep(0.3)
        self.assertTrue(program.alive(), "the target died")
        program.say("stop")
        truth = program.expect("done")
        self.assertEqual(truth["wrong"], 0)
        self.assertGreater(truth["refused"], 0)
        self.assertGreater(truth["thrown_at_end"], 0)
        self.assertEqual(program.quit(), 0)
        return truth

    def end_by(self, number, tier="full"):
        events_before = uprobe_events()
        program, tracer, objects = self.begin(tier=tier)
        status = tracer.stop(number)
        self.check_gone(program, objects, events_before)
        truth = self.check_answers(program)
        return tracer, status, truth

    def test_interrupt(self):
        tracer, status, truth = self.end_by(signal.SIGINT)
        self.assertEqual(status, 0, tracer.stderr)
        report = tracer.report()
        self.assert_throwing_was_seen(report, truth)

    def test_terminate(self):
        tracer, status, truth = self.end_by(signal.SIGTERM)
        self.assertEqual(status, 0, tracer.stderr)
        self.assert_throwing_was_seen(tracer.report(), truth)

    def test_kill(self):
        tracer, status, _ = self.end_by(signal.SIGKILL)
        self.assertEqual(status, -signal.SIGKILL)
        # The trace of a killed recorder is readable.
        shown = subprocess.run([harness.ASRTRACE, "report", tracer.trace_path],
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)
        self.assertEqual(shown.returncode, 0, shown.stdout.decode())

    def test_kill_in_sites_tier(self):
        self.end_by(signal.SIGKILL, tier="sites")

    def test_duration(self):
        events_before = uprobe_events()
        program, tracer, objects = self.begin("--duration", 2)
        self.assertEqual(tracer.wait(30), 0, tracer.stderr)
        self.check_gone(program, objects, events_before)
        self.check_answers(program)
        self.assertAlmostEqual(tracer.report()["window"]["seconds"], 2, delta=0.7)

    def test_requests(self):
        events_before = uprobe_events()
        program = self.start("leaky_requests", "--requests", 100000, "--pace-us", 1000)
        program.say("go")
        spec = f"func:{program.ready['begin']},{program.ready['done']}"
        tracer = self.attach(program.pid, "--request", spec, "--requests", 150).wait_attached()
        objects = harness.kernel_objects(tracer.pid)
        self.assertEqual(tracer.wait(60), 0, tracer.stderr)
        self.check_gone(program, objects, events_before)
        self.assertTrue(program.alive())
        # It stops at the reader's next look, a little late and never early.
        self.assertGreaterEqual(tracer.report()["requests"]["count"], 150)
        self.assertLess(tracer.report()["requests"]["count"], 3000)

    def test_second_interrupt_quits_at_once(self):
        program, tracer, objects = self.begin()
        tracer.process.send_signal(signal.SIGINT)
        tracer.process.send_signal(signal.SIGINT)
        tracer.wait(10)
        self.assertEqual(harness.objects_left(objects, REMOVAL_SECONDS), {})
        self.check_answers(program)

    def test_come_and_go(self):
        """Attached and detached many times under load."""
        program = self.start("throwing_requests", "--seed", self.seed % 100000)
        program.say("go")
        for _ in range(6):
            tracer = self.attach(program.pid, "--request",
                                 "func:begin_request,end_request").wait_attached()
            time.sleep(self.random.uniform(0, 0.3))
            tracer.stop(self.random.choice((signal.SIGINT, signal.SIGTERM, signal.SIGKILL)))
            tracer.end()
        self.check_answers(program)

    def test_kill_at_random_moments(self):
        """Of attaching, tracing and detaching, one tracer behind the other."""
        before = harness.loaded_objects()
        events_before = uprobe_events()
        program = self.start("throwing_requests", "--seed", self.seed % 100000)
        program.say("go")
        attach_seconds = min(self.attach_seconds_now(program) for _ in range(2))
        attached = 0
        for number in range(KILLS):
            tracer = self.attach(program.pid, "--request", "func:begin_request,end_request",
                                 "--duration", "0.2")
            # Half of them die while they trace or detach, however long the attach takes today.
            if number % 2:
                tracer.wait_attached()
                time.sleep(self.random.uniform(0, 0.5))
            else:
                time.sleep(self.random.uniform(0, attach_seconds))
            tracer.process.kill()
            tracer.wait(10)
            attached += "attached to" in tracer.stderr
            if os.path.exists(tracer.trace_path):
                self.check_readable(tracer)
        harness.note(f"  attached in {attach_seconds:.2f} s; {attached} of {KILLS} had attached")
        self.assertGreaterEqual(attached, KILLS // 2)
        self.assertLess(attached, KILLS)
        self.check_gone(program, harness.new_objects(before), events_before)
        self.check_answers(program)

    def attach_seconds_now(self, program):
        tracer = self.attach(program.pid, "--request", "func:begin_request,end_request",
                             "--duration", "0.2").wait_attached()
        self.assertEqual(tracer.wait(30), 0, tracer.stderr)
        return tracer.attach_seconds

    def check_readable(self, tracer):
        """What there is of it is shown, from the attach on; one from before says so."""
        shown = subprocess.run([harness.ASRTRACE, "report", tracer.trace_path],
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60,
                               check=False)
        may_end = (0,) if "attached to" in tracer.stderr else (0, 2)
        self.assertIn(shown.returncode, may_end, shown.stdout.decode())

    def test_latency_returns_after_a_kill(self):
        pairs = subprocess.Popen([os.path.join(harness.BUILD_DIR, "bin", "malloc_pairs")],
                                 stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for action in (pairs.stdout.close, pairs.stdin.close, pairs.wait, pairs.kill):
            self.addCleanup(action)

        def nanoseconds():
            pairs.stdin.write("20000\n")
            pairs.stdin.flush()
            return float(pairs.stdout.readline())

        untraced = min(nanoseconds() for _ in range(5))
        for _ in range(3):
            tracer = self.attach(pairs.pid).wait_attached()
            traced = nanoseconds()
            tracer.process.kill()
            tracer.wait(10)
            time.sleep(0.5)
            afterwards = min(nanoseconds() for _ in range(5))
            harness.note(f"  {untraced} ns a pair, traced {traced}, after the kill {afterwards}")
            # A trap costs a hundred times a pair: whether one is left, no noise can hide.
            self.assertGreater(traced, 20 * untraced)
            self.assertLess(afterwards, 5 * untraced)

    def test_two_tracers(self):
        """A second tracer on the same target changes nothing for the first."""
        program = self.start("alloc_mix", "--seed", self.seed % 1000003, "--operations", 3000)
        first = self.attach(program.pid).wait_attached()
        second = self.attach(program.pid).wait_attached()
        truth = program.run()
        self.assertEqual(second.stop(), 0, second.stderr)
        self.assertEqual(first.stop(), 0, first.stderr)
        for tracer in (first, second):
            self.assertEqual(tracer.report()["counts"]["allocated_bytes"],
                             truth["allocated_bytes"])
        self.assertEqual(program.quit(), 0)

    def assert_throwing_was_seen(self, report, truth):
        requests = report["requests"]
        harness.note(f"  {requests['count']} of {truth['requests']} requests seen whole, "
                     f"losses {report['losses']}")
        self.assertEqual(requests["source"], "func")
        self.assertGreater(requests["count"], 100)
        self.assertGreater(report["counts"]["failed_allocations"], 0)
        self.assertEqual(report["losses"]["inflight_reset"], 0)


if __name__ == "__main__":
    os.umask(0o022)
    harness.main()
