# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The files that attach writes: whose they are, what a replay of them says, and that what comes
from the target cannot reach the terminal."""

import json
import os
import shutil
import stat
import subprocess

import harness

# What a hostile program may call itself: colours, a title, a bell, a new line, a bad UTF-8 byte.
HOSTILE = b"\x1b[31mEVIL\x1b]0;owned\x07\nattached to 1\r\x9b2J\xff"
CONTROL = {byte for byte in range(32)} - {ord("\n"), ord("\t")} | {0x7f}


class Files(harness.LiveTest):

    def traced(self, *arguments, **environment):
        program = self.start("alloc_mix", "--seed", self.seed % 1000003, "--operations", 2000)
        os.environ.update(environment)
        try:
            truth, report, tracer = self.trace(program, *arguments)
        finally:
            for name in environment:
                del os.environ[name]
        self.assertEqual(program.quit(), 0)
        return truth, report, tracer

    def test_private_and_owned_by_the_user_behind_sudo(self):
        _, _, tracer = self.traced(SUDO_UID="12345", SUDO_GID="12346", SUDO_USER="somebody")
        for path in (tracer.json_path, tracer.trace_path):
            status = os.stat(path)
            self.assertEqual(stat.S_IMODE(status.st_mode), 0o600, path)
            self.assertEqual((status.st_uid, status.st_gid), (12345, 12346), path)
        # One file when the recording has ended.
        self.assertEqual([name for name in os.listdir(self.directory)
                          if name.endswith(("-wal", "-shm", "-journal"))], [])

    def test_private_for_root(self):
        _, _, tracer = self.traced()
        for path in (tracer.json_path, tracer.trace_path):
            status = os.stat(path)
            self.assertEqual(stat.S_IMODE(status.st_mode), 0o600, path)
            self.assertEqual(status.st_uid, 0, path)

    def test_a_full_disk_is_said_and_the_report_is_whole(self):
        disk = os.path.join(self.directory, "disk")
        os.mkdir(disk)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", disk], check=True)
        self.addCleanup(subprocess.run, ["umount", disk], check=True)
        trace = os.path.join(disk, "a.asrtrace")
        program = self.start("alloc_rate", "--threads", 2, "--rate", 100_000, "--seconds", 5)
        tracer = self.attach(program.pid, "--raw", trace_path=trace).wait_attached()
        truth = program.run()
        self.assertEqual(tracer.stop(), 0, tracer.stderr)
        report = tracer.report()
        self.assertIn("the trace goes on in memory", tracer.stderr)
        self.assert_nothing_lost(report)
        self.assertEqual(report["counts"]["allocated_blocks"], truth["allocated_blocks"])
        self.assertGreater(report["raw_events"]["not_kept"], 0)
        shown = subprocess.run([harness.ASRTRACE, "report", trace], stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, timeout=60)
        self.assertEqual(shown.returncode, 0, shown.stdout.decode())

    def test_links_are_not_followed_into_other_files(self):
        """A file of root's behind a link in a directory of another's stays what it is."""
        victim = os.path.join(self.directory, "victim")
        with open(victim, "w", encoding="utf-8") as file:
            file.write("precious")
        os.chmod(victim, 0o644)
        os.chown(victim, 0, 0)
        link = os.path.join(self.directory, "link.json")
        os.symlink(victim, link)
        program = self.start("idle")
        for option in ("--json", "-o"):
            done = subprocess.run(
                [harness.ASRTRACE, "attach", "--pid", str(program.pid), "--duration", "1", option,
                 link], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=60,
                env={**os.environ, "SUDO_UID": "12345", "SUDO_GID": "12345"}, check=False)
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertIn("symbolic link", done.stderr.decode())
            self.assertEqual(os.stat(victim).st_uid, 0, "the victim was given away")
            self.assertEqual(stat.S_IMODE(os.stat(victim).st_mode), 0o644)
            with open(victim, encoding="utf-8") as file:
                self.assertEqual(file.read(), "precious")
            self.assertEqual(os.readlink(link), victim)

    def test_replay_is_the_live_result(self):
        _, live, tracer = self.traced()
        replayed = os.path.join(self.directory, "replayed.json")
        done = subprocess.run([harness.ASRTRACE, "report", tracer.trace_path, "--json", replayed],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)
        with open(replayed, "rb") as file, open(tracer.json_path, "rb") as live_file:
            replayed_bytes, live_bytes = file.read(), live_file.read()
        self.assertEqual(json.loads(replayed_bytes), live)
        self.assertEqual(replayed_bytes, live_bytes)
        self.assertIn(done.stdout.decode().strip(), tracer.stdout.strip())
        self.assertEqual(live["schema"], "asrtrace.report/1")

    def test_json_to_stdout(self):
        program = self.start("idle")
        done = subprocess.run([harness.ASRTRACE, "attach", "--pid", str(program.pid),
                               "--duration", "1", "--json", "-"], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(json.loads(done.stdout)["schema"], "asrtrace.report/1")

    def assert_harmless(self, text, where):
        bad = sorted(set(text) & CONTROL)
        self.assertEqual(bad, [], f"control characters in {where}: {text[:400]!r}")
        text.decode("utf-8")
        self.assertNotIn("\x9b", text.decode("utf-8"), where)

    def test_hostile_names_are_escaped(self):
        hostile_exe = os.path.join(os.fsencode(self.directory), HOSTILE)
        shutil.copy(os.path.join(harness.PROGS, "idle"), hostile_exe)
        program = harness.Program(os.fsdecode(hostile_exe), "--allocate", 500, argv0=HOSTILE)
        self.addCleanup(program.end)
        _, report, tracer = self.trace(program)
        self.assertEqual(program.quit(), 0)
        self.assertIn("EVIL", report["target"]["exe"])
        tracer.stdout_file.seek(0)
        self.assert_harmless(tracer.stdout_file.read(), "stdout")
        self.assert_harmless(tracer.stderr.encode(), "stderr")
        with open(tracer.json_path, "rb") as file:
            self.assert_harmless(file.read(), "JSON")
        lines = [line for line in tracer.stderr.splitlines() if line.startswith("attached to")]
        self.assertEqual(len(lines), 1, "the target forged a line")
        for kind in ("folded", "svg"):
            drawn = subprocess.run([harness.ASRTRACE, "flamegraph", tracer.trace_path, "--kind",
                                    "live", "--format", kind], check=True, timeout=60,
                                   stdout=subprocess.PIPE).stdout
            self.assert_harmless(drawn, kind)
            self.assertNotIn(b"<script>alert", drawn)


if __name__ == "__main__":
    harness.main()
