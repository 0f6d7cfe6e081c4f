# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Stacks of a target whose code comes, goes and changes on disk, and of one that lives in another
mount namespace with files of its own."""

import os
import shutil
import subprocess
import time

import harness

BLOCK = 300
FROM_ROOT = ["_start", "__libc_start_main", "__libc_start_call_main", "run", "allocate"]


def library(name):
    return os.path.join(harness.PROGS, f"lib{name}.so")


def plain(frame):
    """asrtrace::progs::(anonymous namespace)::run() -> run"""
    return frame.partition("(")[0] if not frame.startswith("asrtrace::") else \
        frame.replace("(anonymous namespace)", "").rpartition("::")[2].partition("(")[0]


class Moving(harness.LiveTest):

    def copy_of(self, source, name):
        path = os.path.join(self.directory, name)
        shutil.copy(source, path)
        return path

    def traced(self, program, steps):
        """What `steps` makes the program do while it is traced: blocks by stack, names root
        first."""
        tracer = self.attach(program.pid).wait_attached()
        steps()
        self.assertEqual(tracer.stop(), 0, tracer.stderr)
        report = tracer.report()
        self.assert_nothing_lost(report)
        stacks = {}
        for frames, weight in harness.folded(tracer.trace_path, "live"):
            key = tuple(plain(frame) for frame in frames)
            stacks[key] = stacks.get(key, 0) + weight
        return stacks, report, tracer

    def blocks_of(self, stacks, name):
        return sum(weight for frames, weight in stacks.items()
                   if any(frame.startswith(name) for frame in frames)) // BLOCK

    def whole(self, name, from_root=FROM_ROOT):
        """The stack of every block of that library."""
        return (*from_root, *[f"{name}_middle"] * 4, f"{name}_leaf", "malloc")

    def assert_whole(self, stacks, name, blocks, from_root=FROM_ROOT):
        self.assertEqual(stacks.get(self.whole(name, from_root), 0) // BLOCK, blocks, stacks)

    def test_opened_after_the_attach(self):
        program = self.start("moving")
        blocks = self.random.randrange(500, 5000)

        def steps():
            program.ask(f"open {library('moving_a')}")
            time.sleep(0.5)
            program.ask(f"allocate {blocks}")

        stacks, report, _ = self.traced(program, steps)
        self.assert_whole(stacks, "moving_a", blocks)
        self.assertEqual(report["losses"]["stacks_truncated"], 0)

    def test_called_the_moment_it_is_opened(self):
        """The tables come some milliseconds later: until then a stack is cut off, and says so."""
        program = self.start("moving")
        blocks = 20000

        def steps():
            program.ask(f"open {library('moving_a')}")
            program.ask(f"allocate {blocks}")

        stacks, report, _ = self.traced(program, steps)
        whole = self.blocks_of({self.whole("moving_a"): stacks[self.whole("moving_a")]}, "moving_a")
        cut = self.blocks_of({frames: weight for frames, weight in stacks.items()
                              if frames[0] == "[truncated]"}, "moving_a")
        harness.note(f"  {whole} whole, {cut} cut off; {report['losses']['stacks_truncated']} in all")
        self.assertEqual(whole + cut, blocks, stacks)
        self.assertGreater(whole, blocks // 2)

    def test_another_library_at_the_same_addresses(self):
        program = self.start("moving")
        counts = [self.random.randrange(500, 3000) for _ in range(4)]
        bases = []

        def steps():
            for turn, blocks in enumerate(counts):
                name = "moving_a" if turn % 2 == 0 else "moving_b"
                bases.append(program.ask(f"open {library(name)}")["base"])
                time.sleep(0.5)
                program.ask(f"allocate {blocks}")
                program.ask("close")
                time.sleep(0.3)

        stacks, _, _ = self.traced(program, steps)
        self.assertEqual(len(set(bases)), 1, "the loader chose other addresses: nothing is shown")
        self.assert_whole(stacks, "moving_a", counts[0] + counts[2])
        self.assert_whole(stacks, "moving_b", counts[1] + counts[3])

    def test_replaced_and_deleted_on_disk(self):
        program = self.start("moving")
        path = self.copy_of(library("moving_a"), "libfirst.so")
        program.ask(f"open {path}")
        os.rename(self.copy_of(library("moving_b"), "libsecond.so"), path)
        stacks, _, _ = self.traced(program, lambda: program.ask("allocate 700"))
        self.assert_whole(stacks, "moving_a", 700)
        os.unlink(path)
        stacks, _, _ = self.traced(program, lambda: program.ask("allocate 800"))
        self.assert_whole(stacks, "moving_a", 800)
        self.assertEqual(self.blocks_of(stacks, "moving_b"), 0)

    def test_deleted_the_moment_it_is_opened(self):
        program = self.start("moving")
        path = self.copy_of(library("moving_a"), "libgone.so")

        def steps():
            program.ask(f"open {path}")
            os.unlink(path)
            time.sleep(0.5)
            program.ask("allocate 900")

        stacks, _, _ = self.traced(program, steps)
        self.assert_whole(stacks, "moving_a", 900)

    def test_another_mount_namespace_with_its_own_libc(self):
        """Everything the target runs is in a tmpfs that only its namespace sees."""
        root = os.path.join(self.directory, "root")
        os.mkdir(root)
        files = {os.path.join(harness.PROGS, "moving"): "/moving", library("moving_a"): "/liba.so"}
        listed = subprocess.run(["ldd", os.path.join(harness.PROGS, "moving")], check=True,
                                stdout=subprocess.PIPE).stdout.decode()
        for line in listed.splitlines():
            path = next((word for word in line.split() if word.startswith("/")), None)
            if path:
                files[path] = path
        copies = "".join(f"mkdir -p $(dirname {root}{inside}); cp {outside} {root}{inside}\n"
                         for outside, inside in files.items())
        script = f"set -e; mount -t tmpfs own {root}\n{copies}exec chroot {root} /moving"
        program = harness.Program("/usr/bin/unshare", "-m", "--propagation", "private", "sh", "-c",
                                  script)
        self.addCleanup(program.end)
        self.assertEqual(os.listdir(root), [], "the tmpfs is visible from outside")
        with open(f"/proc/{program.pid}/maps", encoding="utf-8") as maps:
            self.assertRegex(maps.read(), r"/root/lib\S*/libc.so.6\n")
        program.ask("open /liba.so")
        stacks, report, _ = self.traced(program, lambda: program.ask("allocate 1100"))
        # That libc's debug file is in no place that the target sees: no name for what is local to it.
        (stack,) = [frames for frames in stacks if "moving_a_leaf" in frames]
        self.assertRegex(stack[2], r"^libc.so.6\+0x[0-9a-f]+$")
        self.assert_whole(stacks, "moving_a", 1100, [*FROM_ROOT[:2], stack[2], *FROM_ROOT[3:]])
        self.assertEqual(report["counts"]["calls"]["malloc"], 1100)
        self.assertIn("libc.so.6", report["target"]["libc"]["path"])

    def test_stripped_pie(self):
        stripped = os.path.join(self.directory, "moving")
        subprocess.run(["strip", "-o", stripped, os.path.join(harness.PROGS, "moving")], check=True)
        with open(stripped, "rb") as file:
            self.assertEqual(file.read(18)[16], 3, "no PIE")  # ET_DYN
        program = harness.Program(stripped)
        self.addCleanup(program.end)
        program.ask(f"open {library('moving_a')}")
        stacks, report, _ = self.traced(program, lambda: program.ask("allocate 600"))
        self.assertEqual(report["losses"]["stacks_truncated"], 0)
        # Rows come from .eh_frame, which strip leaves; names of its own it has none.
        whole = [frames for frames, weight in stacks.items() if weight == 600 * BLOCK]
        self.assertEqual(len(whole), 1, stacks)
        harness.note(f"  {whole[0]}")
        self.assertEqual(whole[0][1:3], ("__libc_start_main", "__libc_start_call_main"))
        self.assertEqual(whole[0][-7:], ("allocate", *["moving_a_middle"] * 4, "moving_a_leaf",
                                         "malloc"))
        self.assertEqual(whole[0][0], "_start")
        for own in whole[0][3:-7]:
            self.assertRegex(own, r"^moving\+0x[0-9a-f]+$")


if __name__ == "__main__":
    harness.main()
