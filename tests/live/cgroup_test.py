# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Control groups: what the target's says stands beside the books, its OOM killer ends a run with a
full report, and one that ends the tracer leaves the target alone."""

import json
import os
import signal
import subprocess
import time

import harness

MIB = 1 << 20
# Both versions in their usual places; version 1 where both are mounted.
V1, V2 = "/sys/fs/cgroup/memory", "/sys/fs/cgroup"


def write(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


class Group:
    """A control group with a limit of memory."""

    def __init__(self, limit_bytes):
        first = os.path.exists(f"{V1}/memory.limit_in_bytes")
        if not first:
            write(f"{V2}/cgroup.subtree_control", "+memory")
        self.directory = f"{V1 if first else V2}/asrtrace-test-{os.getpid()}-{time.monotonic_ns()}"
        os.mkdir(self.directory)
        write(f"{self.directory}/{'memory.limit_in_bytes' if first else 'memory.max'}",
              str(limit_bytes))

    def add(self, pid):
        write(f"{self.directory}/cgroup.procs", str(pid))

    def remove(self):
        """Its processes have ended; the kernel may need a moment to know."""
        deadline = time.monotonic() + 10
        while True:
            try:
                return os.rmdir(self.directory)
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)


class Cgroup(harness.LiveTest):

    def group(self, limit_bytes):
        group = Group(limit_bytes)
        # Behind the processes, which end first.
        self.addCleanup(group.remove)
        self.addCleanup(self._stack.close)
        return group

    def test_limit_and_use(self):
        limit = self.random.randrange(200, 400) * MIB
        group = self.group(limit)
        program = self.start("touch_pages", "--seed", self.seed % 1000003)
        group.add(program.pid)
        _, report, tracer = self.trace(program)
        memory = report["memory"]
        self.assertEqual(memory["cgroup_max"], {"first": limit, "last": limit, "delta": 0})
        self.assertEqual(memory["cgroup_oom_kills"]["delta"], 0)
        self.assertLessEqual(memory["cgroup_current"]["last"], limit)
        self.assertRegex(tracer.stdout, r"cgroup .* of [\d.]+ MiB that the cgroup may use, \d+ %")
        with open("/proc/meminfo", encoding="utf-8") as file:
            total = 1024 * int(file.readline().split()[1])
        for name in ("mem_free", "cached", "shmem", "slab_reclaimable"):
            self.assertLess(0, memory[name]["last"] + 1, name)
            self.assertLess(memory[name]["last"], total, name)
        self.assertGreater(memory["page_tables"]["last"], 4096)
        self.assertEqual(program.quit(), 0)

    def test_the_target_is_killed_for_want_of_memory(self):
        group = self.group(64 * MIB)
        program = self.start("idle", "--allocate", 5_000_000)
        group.add(program.pid)
        tracer = self.attach(program.pid).wait_attached()
        program.say("go")
        self.assertEqual(tracer.wait(60), 0, tracer.stderr)
        self.assertEqual(program.process.wait(10), -signal.SIGKILL)
        report = tracer.report()
        self.assertIn("the OOM killer chose the target", " ".join(report["notes"]))
        self.assertEqual(report["window"]["exit_status"], signal.SIGKILL)
        # It may be over between two samples of its memory; faults are all counted.
        self.assertGreater(report["counts"]["fault_bytes"], 32 * MIB)

    def run_until_killed(self, group, child, prefix=()):
        """A target that joins the group and wants more than that has, or a child of it does."""
        code = f"""
import os
if {child} and os.fork():
    os._exit(0 if os.wait()[1] == {int(signal.SIGKILL)} else 1)
with open("{group.directory}/cgroup.procs", "w") as file:
    file.write("0")
kept = []
while True:
    kept.append(b"x" * {MIB})
"""
        report = os.path.join(self.directory, "report.json")
        done = subprocess.run(
            [*prefix, harness.ASRTRACE, "run", "--json", report, *(["--follow"] if child else []),
             "--", "/usr/bin/python3", "-c", code],
            check=False, timeout=60, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        self.assertEqual(done.returncode, 0, done.stderr.decode())
        with open(report, encoding="utf-8") as file:
            return json.load(file)

    def test_who_is_killed_is_told_in_every_pid_namespace(self):
        """The kernel's number of the victim is another one there."""
        for prefix in ((), ("unshare", "--fork", "--pid", "--mount-proc")):
            report = self.run_until_killed(self.group(64 * MIB), False, prefix)
            notes = [note for note in report["notes"] if "OOM" in note]
            self.assertEqual(notes, ["the OOM killer chose the target"], prefix)
            self.assertEqual(report["window"]["exit_status"], signal.SIGKILL)
            report = self.run_until_killed(self.group(64 * MIB), True, prefix)
            notes = [note for note in report["notes"] if "OOM" in note]
            child, = report["target"]["followed"]
            self.assertEqual(notes, [f"the OOM killer chose followed child {child['pid']}"], prefix)
            self.assertEqual(child["exit_status"], signal.SIGKILL)
            self.assertEqual(report["window"]["exit_status"], 0)

    def test_the_tracer_is_killed_for_want_of_memory(self):
        """It remembers millions of live blocks, more than its group allows."""
        before = harness.loaded_objects()
        group = self.group(120 * MIB)
        program = self.start("idle", "--allocate", 4_000_000)
        tracer = self.attach(program.pid)
        group.add(tracer.pid)
        tracer.wait_attached()
        self.assertEqual(program.run()["blocks"], 4_000_000)
        self.assertEqual(tracer.wait(60), -signal.SIGKILL, tracer.stderr)
        self.assertEqual(harness.objects_left(harness.new_objects(before), 10), {})
        self.assertEqual(harness.patched_left(program.pid), 0)
        self.assertEqual(program.quit(), 0)
        shown = subprocess.run([harness.ASRTRACE, "report", tracer.trace_path], check=False,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)
        self.assertEqual(shown.returncode, 0, shown.stdout.decode())
        self.assertIn(b"recorder died", shown.stdout)

    def test_no_memory_for_the_maps(self):
        group = self.group(8 * MIB)
        program = self.start("idle")
        tracer = self.attach(program.pid)
        group.add(tracer.pid)
        self.assertIn(tracer.wait(60), (2, -signal.SIGKILL), tracer.stderr)
        self.assertEqual(harness.patched_left(program.pid), 0)
        self.assertEqual(program.run()["blocks"], 0)
        self.assertEqual(program.quit(), 0)

    def test_a_tracer_with_little_memory(self):
        """Twice what it needs by itself is enough for exact counts."""
        group = self.group(200 * MIB)
        program = self.start("alloc_mix", "--seed", self.seed % 1000003, "--operations", 10000)
        tracer = self.attach(program.pid)
        group.add(tracer.pid)
        truth = (tracer.wait_attached(), program.run())[1]
        self.assertEqual(tracer.stop(), 0, tracer.stderr)
        report = tracer.report()
        self.assert_nothing_lost(report)
        self.assertEqual(report["counts"]["allocated_bytes"], truth["allocated_bytes"])
        self.assertEqual(program.quit(), 0)


if __name__ == "__main__":
    harness.main()
