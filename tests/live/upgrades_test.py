# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What stands at a path changes while a target runs: the next window's probes go to the file that
the target maps, nowhere else; where they cannot go safely, that is said and nothing is counted."""

import concurrent.futures
import os
import shutil
import subprocess
import time

import harness

BLOCKS = 1000
# Seconds: several times the longest pause behind a window, for a machine that others keep busy.
UNTIL_A_WINDOW = 200
REFUSED = ("env", f"LD_PRELOAD={os.path.join(harness.PROGS, 'librefused_links.so')}")
PROGRAM = os.path.join(harness.PROGS, "upgraded")


class Scene:
    """A target on a C library of its own, traced in windows."""

    def __init__(self, test, name, *arguments):
        self.test = test
        self.directory = os.path.join(test.directory, name)
        os.mkdir(self.directory)
        for path in libraries():
            shutil.copy(path, self.directory)
        self.libc = os.path.join(self.directory, "libc.so.6")
        self.program = self.start()
        self.patched = 0  # bytes, while a window is open
        self.tracer = test.attach(self.program.pid, "--no-census", "--budget-cpu", 100, *arguments,
                                  tier="auto")

    def start(self):
        """Another process of the same libraries."""
        (loader,) = [os.path.join(self.directory, name) for name in os.listdir(self.directory)
                     if name.startswith("ld-linux")]
        return self.test.start(loader, "--library-path", self.directory, PROGRAM,
                               "--blocks", BLOCKS)

    def await_window(self, is_open, pid=None, stranger=None):
        """Probes that follow mappings stand between windows, too."""
        deadline = time.monotonic() + UNTIL_A_WINDOW
        while (harness.patched_bytes(pid or self.program.pid) == self.patched) != is_open:
            self.test.assertLess(time.monotonic(), deadline, self.tracer.stderr)
            if stranger:
                self.test.assertEqual(harness.patched_bytes(stranger.pid), 0)
            time.sleep(0.2)
        time.sleep(0.3)  # until all probes have gone, or events are taken

    def through_the_first_window(self):
        self.tracer.wait_attached()
        self.patched = harness.patched_bytes(self.program.pid)
        self.program.say("pace")
        self.await_window(False)
        self.program.ask("rest")  # and is done with "pace"
        self.program.expect("ok")

    def pay(self):
        """With work of its own for the next window, which then opens."""
        self.program.ask("burn", UNTIL_A_WINDOW)

    def replace_libc(self):
        """As a package manager does."""
        shutil.copy(self.libc, self.libc + ".new")
        os.rename(self.libc + ".new", self.libc)

    def report(self):
        self.test.assertEqual(self.tracer.stop(), 0, self.tracer.stderr)
        report = self.tracer.report()
        harness.note(f"  {report['counts']['calls']} {report['losses']['attach_failed']} "
                     f"{report['notes']}")
        return report


def libraries():
    """Of the program, its loader among them."""
    lines = subprocess.check_output(["ldd", PROGRAM], timeout=60, text=True).splitlines()
    words = [word for line in lines for word in line.split()]
    return [word for word in words if word.startswith("/")]


class Upgrades(harness.LiveTest):

    def assert_counted(self, report):
        calls = report["counts"]["calls"]
        self.assertEqual((calls["calloc"], calls["free"]), (BLOCKS, BLOCKS))
        self.assert_nothing_lost(report)

    def replaced(self, name, *arguments):
        scene = Scene(self, name, *arguments)
        scene.through_the_first_window()
        scene.replace_libc()
        bystander = scene.start()
        scene.pay()
        scene.await_window(True, stranger=bystander)
        self.assertEqual(harness.patched_bytes(bystander.pid), 0, "a stranger was patched")
        scene.program.ask("count")
        self.assertEqual(bystander.ask("count")["pid"], bystander.pid)
        report = scene.report()
        self.assert_counted(report)
        return report

    def replaced_and_followed(self):
        report = self.replaced("followed", "--follow")
        self.assertEqual([note for note in report["notes"] if "libc.so.6 was replaced" in note],
                         report["notes"][-1:])

    def the_child_goes_on(self):
        scene = Scene(self, "left", "--follow")
        scene.through_the_first_window()
        child = scene.program.ask("leave")["pid"]
        scene.program.process.wait(10)
        scene.pay()
        scene.await_window(True, child)
        scene.program.ask("count")
        self.assert_counted(scene.report())

    def written_to(self):
        scene = Scene(self, "\x1b[31mwritten")
        scene.through_the_first_window()
        with open(scene.libc, "ab") as file:
            file.write(b"more")
        scene.pay()
        deadline = time.monotonic() + UNTIL_A_WINDOW
        while "has been written to" not in scene.tracer.stderr:
            self.assertLess(time.monotonic(), deadline, scene.tracer.stderr)
            time.sleep(0.2)
        self.assertLess(harness.patched_bytes(scene.program.pid), scene.patched)
        scene.program.ask("count")
        report = scene.report()
        self.assertEqual(report["counts"]["calls"].get("calloc", 0), 0)
        (failed,) = report["losses"]["attach_failed"]
        self.assertIn("libc.so.6: the file has been written to", failed)
        self.assertRegex(failed, r"\([1-9] windows? not opened\)$")
        self.assertEqual(len([note for note in report["notes"] if "written to" in note]), 1)
        self.assertIn("not attached: ", scene.tracer.stdout)
        self.assertNotIn("\x1b", scene.tracer.stderr + scene.tracer.stdout)

    def test_between_two_windows(self):
        """Side by side: nearly all of the time goes into waiting for the second window."""
        with concurrent.futures.ThreadPoolExecutor() as pool:
            scenes = [pool.submit(self.replaced, "replaced"),
                      pool.submit(self.replaced_and_followed),
                      pool.submit(self.the_child_goes_on),
                      pool.submit(self.written_to)]
        for scene in scenes:
            with self.subTest(scenes.index(scene)):
                scene.result()

    def refused(self, method, tier):
        """A malloc that is seen and a free that is not would look like a leak."""
        program = self.start("alloc_mix", "--operations", 2000)
        _, report, tracer = self.trace(program, "--probe-method", method,
                                       tier=tier, prefix=REFUSED)
        self.assertEqual(sum(report["counts"]["calls"].get(name, 0)
                             for name in ("malloc", "calloc", "realloc", "free")), 0)
        (failed,) = report["losses"]["attach_failed"]
        self.assertRegex(failed, "^free in .*: Cannot allocate memory")
        self.assertEqual(report["findings"], [])
        self.assertEqual(len([note for note in report["notes"] if "free in" in note]), 1)
        self.assertIn("free in", tracer.stderr)
        self.assertIn("0 allocator probes", tracer.stderr)

    def test_a_probe_that_is_refused(self):
        for method in harness.probe_methods("session", "multi", "perf"):
            for tier in ("full", "auto"):
                with self.subTest(method=method, tier=tier):
                    self.refused(method, tier)


if __name__ == "__main__":
    harness.main()
