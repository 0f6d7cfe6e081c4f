# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What cannot be traced is refused with a reason and status 2; what ends while it is traced ends
the run with a full report and status 0."""

import json
import os
import shutil
import signal
import subprocess
import time

import harness

KERNEL_THREAD_FLAG = 0x00200000  # PF_KTHREAD
NOBODY = 65534


def task_fields(pid):
    """Fields of /proc/PID/stat after the name; [0] is the state."""
    with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
        return file.read().rpartition(")")[2].split()


def attach(*arguments, prefix=(), path=None, seconds=30):
    done = subprocess.run([*prefix, path or harness.ASRTRACE, "attach", *map(str, arguments)],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          timeout=seconds)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


class Refusals(harness.LiveTest):

    def refuse(self, *arguments, says, **options):
        status, out, err = attach(*arguments, **options)
        harness.note(f"  {arguments}: {err.strip()}")
        self.assertEqual(status, 2, err)
        self.assertRegex(err, says)
        self.assertEqual(out.strip(), "", "a refusal is no result")

    def test_no_such_pid(self):
        with open("/proc/sys/kernel/pid_max", encoding="utf-8") as file:
            free = int(file.read()) - 1
        while os.path.exists(f"/proc/{free}"):
            free -= 1
        self.refuse("--pid", free, says=f"(?i)no (such )?process.*|{free}")

    def test_dead_pid(self):
        process = subprocess.Popen(["/bin/true"])
        process.wait()
        self.refuse("--pid", process.pid, says=f"(?i){process.pid}")

    def test_zombie(self):
        process = subprocess.Popen(["/bin/true"])
        while task_fields(process.pid)[0] != "Z":
            time.sleep(0.01)
        self.refuse("--pid", process.pid, says="(?i)zombie|has (already )?(ended|exited)")
        process.wait()

    def test_kernel_thread(self):
        threads = [pid for pid in os.listdir("/proc") if pid.isdigit() and
                   int(task_fields(pid)[6]) & KERNEL_THREAD_FLAG]
        self.assertTrue(threads, "no kernel thread is visible here")
        self.refuse("--pid", threads[0], says="(?i)kernel thread")

    def test_thread_id(self):
        """The id of a thread that is no process."""
        program = self.start("alloc_mix", "--threads", 2)
        thread = max(int(tid) for tid in os.listdir(f"/proc/{program.pid}/task"))
        self.refuse("--pid", thread, says="(?i)thread|process")

    def test_garbage(self):
        for garbage in ("0", "-1", "abc", "", "99999999999999999999", "1.5", "12 34"):
            self.refuse("--pid", garbage, says=".")
        self.refuse(says="(?i)--?pid")

    def test_bad_options(self):
        pid = self.start("idle").pid
        for option, value in (("--tier", "everything"), ("--duration", "-5"),
                              ("--duration", "soon"), ("--requests", "-1"),
                              ("--request", "magic"), ("--request", "func:only_one"),
                              ("--request", "every:-1"), ("--request", "usdt:asr")):
            with self.subTest(option=option, value=value):
                self.refuse("--pid", pid, option, value, says=".")
        self.refuse("--pid", pid, "--request", "func:no_such_begin,no_such_end",
                    says="no_such_begin")
        self.refuse("--pid", pid, "--request", "usdt:none:begin,end", says="begin|none")

    def test_output_that_cannot_be_written(self):
        pid = self.start("idle").pid
        self.refuse("--pid", pid, "--duration", 1, "-o", "/proc/no/such.asrtrace",
                    says="/proc/no")

    def test_outputs_that_cannot_be_written_are_told_before(self):
        pid = self.start("idle").pid
        for output in (self.directory, "/proc/no/such.json", os.path.join("/proc", "new.json")):
            begin = time.monotonic()
            self.refuse("--pid", pid, "--duration", 20, "--json", output, says=".")
            self.assertLess(time.monotonic() - begin, 10)

    def test_not_root(self):
        """Also when the target is the user's own."""
        copy = os.path.join(self.directory, "asrtrace")
        shutil.copy(harness.ASRTRACE, copy)
        os.chmod(copy, 0o755)
        nobody = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups")
        target = subprocess.Popen([*nobody, "/bin/sleep", "60"])
        self.addCleanup(target.wait)
        self.addCleanup(target.kill)
        time.sleep(0.2)
        for pid in (target.pid, self.start("idle").pid):
            self.refuse("--pid", pid, says="(?i)(root|CAP_\\w+)(.|\n)*(sudo|setcap)",
                        prefix=nobody, path=copy)


class Endings(harness.LiveTest):

    def test_nobody_looks_on(self):
        """A stderr that is full, closed, or a pipe that nobody reads."""
        program = self.start("idle")
        for shell in ("2>/dev/full", "2>&-", "2> >(true)"):
            with self.subTest(shell):
                json_path = os.path.join(self.directory, "report.json")
                done = subprocess.run(
                    ["bash", "-c", f'"$@" {shell}', "bash", harness.ASRTRACE, "attach", "--pid",
                     str(program.pid), "--duration", "3", "--json", json_path],
                    stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, timeout=60, check=False)
                self.assertEqual(done.returncode, 0)
                self.assertIn("THE BOOKS", done.stdout.decode())
                with open(json_path, encoding="utf-8") as file:
                    self.assertGreater(json.load(file)["window"]["seconds"], 2.5)
                os.remove(json_path)

    def follow_to_the_end(self, says, *arguments):
        program = self.start("exits_soon", "--allocate", 1234, *arguments)
        tracer = self.attach(program.pid).wait_attached()
        truth = program.run()
        self.assertEqual(tracer.wait(30), 0, tracer.stderr)
        report = tracer.report()
        self.assertEqual(report["counts"]["calls"]["malloc"], truth["blocks"])
        self.assertEqual(report["counts"]["allocated_bytes"], truth["bytes"])
        self.assert_nothing_lost(report)
        self.assertRegex(tracer.stdout + tracer.stderr, says)
        return program.process.wait(10)

    def test_target_exits(self):
        self.assertEqual(self.follow_to_the_end("(?i)exit|ended", "--status", 7), 7)

    def test_target_dies_of_a_signal(self):
        self.assertEqual(self.follow_to_the_end("(?i)exit|ended|killed|signal", "--signal",
                                                int(signal.SIGSEGV)), -signal.SIGSEGV)

    def test_target_replaces_its_image(self):
        process = subprocess.Popen(["/bin/sh", "-c", "read line; exec sleep 2"],
                                   stdin=subprocess.PIPE)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        tracer = self.attach(process.pid).wait_attached()
        process.stdin.write(b"\n")
        process.stdin.close()
        self.assertEqual(tracer.wait(30), 0, tracer.stderr)
        self.assertRegex(tracer.stdout + tracer.stderr, "(?i)exec|image")

    def test_target_gone_between_attach_and_report(self):
        """Killed the very moment that all probes are in."""
        program = self.start("alloc_rate", "--threads", 4, "--seconds", 30)
        tracer = self.attach(program.pid).wait_attached()
        program.say("go")
        time.sleep(0.5)
        program.process.kill()
        self.assertEqual(tracer.wait(60), 0, tracer.stderr)
        self.assertGreater(tracer.report()["counts"]["calls"]["malloc"], 0)

    def static(self, name):
        """The kernel plane works; the report says that the allocator plane does not."""
        program = self.start(name, "--allocate", 20000)
        truth, report, tracer = self.trace(program)
        self.assertGreaterEqual(report["counts"]["brk_grown_bytes"], truth["bytes"] // 2)
        self.assertGreater(report["counts"]["faults_user"], 0)
        self.assertRegex(tracer.stdout + tracer.stderr, "(?i)static")
        self.assertEqual(program.quit(), 0)

    def test_static_binary(self):
        self.static("static_idle")

    def test_static_binary_without_symbols(self):
        self.static("static_idle_stripped")


if __name__ == "__main__":
    harness.main()
