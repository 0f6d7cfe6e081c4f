# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Flame graphs without broken roots: of a speech worker that runs generated code, and of python3."""

import os
import subprocess
import time

import harness
import speech

ROOTS = {"_start", "clone3", "start_thread"}
PYTHON_WORK = os.path.join(os.path.dirname(os.path.abspath(__file__)), "unwind", "python_work.py")
SHARE = 0.99


class Roots(speech.SpeechTest):

    def assert_rooted(self, tracer, kinds):
        for kind in kinds:
            stacks = harness.folded(tracer.trace_path, kind)
            broken = [(frames, weight) for frames, weight in stacks if frames[0] not in ROOTS]
            total = sum(weight for _, weight in stacks)
            lost = sum(weight for _, weight in broken)
            harness.note(f"  {kind}: {len(stacks)} stacks, {total} bytes; broken roots: "
                         f"{len(broken)} stacks, {lost} bytes")
            for frames, weight in sorted(broken, key=lambda b: -b[1])[:8]:
                harness.note(f"    {weight} {' '.join(frames[:4])} ... {frames[-1]}")
            self.assertGreater(len(stacks), 2, kind)
            self.assertLessEqual(lost, (1 - SHARE) * total, kind)
            self.assertLessEqual(len(broken), (1 - SHARE) * len(stacks), kind)

    def worker_is_rooted(self, *arguments):
        worker, port = self.serve("--plant", "leak=5000", *arguments)
        tracer = self.attach(worker.pid).wait_attached()
        self.load(port, 60)
        self.assertEqual(tracer.stop(), 0, tracer.stderr)
        self.assertGreater(tracer.report()["losses"]["stacks_heuristic"], 0, "no generated code ran")
        self.assert_rooted(tracer, ("growth", "faults", "live"))

    def test_worker(self):
        self.worker_is_rooted()

    def test_worker_with_whole_files(self):
        self.worker_is_rooted("--whole-file")

    def test_python(self):
        # Every object by malloc: as many stacks as there are.
        python = subprocess.Popen(["/usr/bin/python3", PYTHON_WORK],
                                  env={**os.environ, "PYTHONMALLOC": "malloc"})
        self.addCleanup(python.wait)
        self.addCleanup(python.kill)
        time.sleep(1)
        tracer = self.attach(python.pid, "--request", "every:1").wait_attached()
        time.sleep(6)
        self.assertEqual(tracer.stop(), 0, tracer.stderr)
        self.assert_rooted(tracer, ("growth", "faults", "live"))


if __name__ == "__main__":
    harness.main()
