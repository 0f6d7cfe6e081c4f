# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""attach on a terminal: what its screen shows, its keys, a smaller window, and the terminal as it was
before, however the run ends. In tmux, on a server of our own."""

import os
import re
import shlex
import signal
import subprocess
import time

import harness

LEAK = 1000


class Screen(harness.LiveTest):

    def setUp(self):
        super().setUp()
        self.socket = os.path.join(self.directory, "tmux")
        self.addCleanup(self.tmux, "kill-server", check=False)
        self.tmux("-f", "/dev/null", "new-session", "-d", "-x", "110", "-y", "34",
                  "env PS1='$ ' LC_ALL=C.UTF-8 sh")

    def tmux(self, *arguments, check=True):
        return subprocess.run(["tmux", "-S", self.socket, *arguments], check=check, timeout=20,
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout.decode()

    def shown(self, *options):
        return self.tmux("capture-pane", "-p", *options)

    def wait_for(self, pattern, seconds=20, options=()):
        """Until the screen matches; returns the match."""
        deadline = time.monotonic() + seconds
        while True:
            text = self.shown(*options)
            found = re.search(pattern, text, re.M)
            if found:
                return found
            if time.monotonic() > deadline:
                self.fail(f"never shown: {pattern}\n{text}")
            time.sleep(0.1)

    def terminal_state(self):
        path = os.path.join(self.directory, "stty")
        self.type(f"stty -g > {path}.new; mv {path}.new {path}")
        deadline = time.monotonic() + 10
        while not os.path.exists(path) and time.monotonic() < deadline:
            time.sleep(0.05)
        with open(path, encoding="utf-8") as file:
            state = file.read()
        os.unlink(path)
        return state

    def type(self, line):
        self.tmux("send-keys", "-l", line)
        self.tmux("send-keys", "Enter")

    def begin(self, *options, environment="", wait=True):
        """A leaking target and attach in the pane; returns both."""
        program = self.start("leaky_requests", "--seed", self.seed % 1000003, "--requests", 100000,
                             "--pace-us", 4000, "--leak", LEAK)
        program.say("go")
        self.before = self.terminal_state()
        self.type("clear")
        spec = f"func:{program.ready['begin']},{program.ready['done']}"
        command = [harness.ASRTRACE, "attach", "--pid", str(program.pid), "--request", spec,
                   *options]
        self.type(environment + shlex.join(command) + "; echo status $?")
        if wait:
            self.wait_for(r"^BOOKS +reading \d+ of the heap")
            self.wait_for(r"_forgets")
        return program

    def tracer_pid(self, program):
        """By its parent, the pane's shell."""
        shell = int(self.tmux("display-message", "-p", "#{pane_pid}"))
        with open(f"/proc/{shell}/task/{shell}/children", encoding="utf-8") as file:
            (child,) = file.read().split()
        self.assertNotEqual(int(child), program.pid)
        return int(child)

    def assert_given_back(self):
        """The shell's own screen, a cursor, and the settings from before."""
        self.assertEqual(self.tmux("display-message", "-p", "#{alternate_on} #{cursor_flag}").strip(),
                         "0 1")
        self.assertEqual(self.terminal_state(), self.before)

    def test_screen_keys_and_report(self):
        program = self.begin()
        screen = self.shown()
        harness.note(screen)
        leak = program.ready["begin"].replace("_starts", "_forgets")
        self.assertRegex(screen, rf"asrtrace leaky_requests \(pid {program.pid}\)")
        for book in ("heap.live", "heap.retained", "stack", "anon.mapped", "image", "unexplained"):
            self.assertRegex(screen, rf"(?m)^  {re.escape(book)} +[\d.,-]+ (B|KiB|MiB)")
        self.assertRegex(screen, r"heap.live .*[█▏▎▍▌▋▊▉]", "a bar")
        self.assertRegex(screen, r"RssAnon +[\d.]+ (KiB|MiB|B) .*[▁▂▃▄▅▆▇█]{3}", "a sparkline")
        self.wait_for(rf"(KiB|B) +{LEAK:,} B +[\d,]+ .*{leak} ")
        self.assertRegex(screen, r"COST +full tier, [\d,]+ events/s, .*nothing lost")
        self.tmux("send-keys", "s")
        self.wait_for("SITES .* by blocks", 3)
        self.tmux("send-keys", "c")
        self.wait_for("reading the heap ...", 3)
        # Less room, less text, and no line too long.
        self.tmux("resize-window", "-x", "64", "-y", "16")
        self.wait_for(r"\.\.\.$", 3)
        lines = self.shown().splitlines()
        self.assertRegex(lines[0], "^asrtrace leaky_requests")
        self.assertRegex(lines[15], "^s order")
        self.tmux("send-keys", "q")
        self.wait_for(r"^status 0", options=("-S", "-"))
        report = self.shown("-S", "-")
        self.assertIn("FINDINGS", report)
        self.assertIn("ended by: interrupt", report.replace("\n", ""))
        self.assertIn(leak, report.replace("\n", ""))
        self.assert_given_back()
        self.assertTrue(program.alive())

    def test_no_colour(self):
        self.begin(environment="NO_COLOR=1 ")
        self.assertNotIn("\x1b[", self.shown("-e"))
        self.tmux("send-keys", "C-c")
        self.wait_for(r"^status 0", options=("-S", "-"))
        self.assert_given_back()

    def test_terminal_comes_back_after_signals(self):
        for number, status in ((signal.SIGTERM, 0), (signal.SIGABRT, 134), (signal.SIGQUIT, 131)):
            with self.subTest(number.name):
                program = self.begin()
                os.kill(self.tracer_pid(program), number)
                self.wait_for(rf"^status {status}|Aborted.*status {status}|Quit.*status {status}",
                              options=("-S", "-"))
                self.assert_given_back()
                self.tmux("clear-history")
                self.assertTrue(program.alive())

    def test_lines_without_a_screen(self):
        """Asked for, or because the output is a file."""
        self.begin("--lines", wait=False)
        self.wait_for(r"^ +\d+ s +\d+ requests +RssAnon")
        self.assertEqual(self.tmux("display-message", "-p", "#{alternate_on}").strip(), "0")
        self.tmux("send-keys", "C-c")
        self.wait_for(r"^status 0", options=("-S", "-"))
        self.assert_given_back()
        program = self.start("leaky_requests", "--requests", 100000)
        program.say("go")
        tracer = self.attach(program.pid, "--duration", 3).wait_attached()
        self.assertEqual(tracer.wait(), 0)
        self.assertRegex(tracer.stderr, r"(?m)^ +\d+ s +\d+ requests +RssAnon")
        self.assertNotIn("\x1b", tracer.stderr + tracer.stdout)


if __name__ == "__main__":
    harness.main()
