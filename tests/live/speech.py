# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A speech worker under load, for the live tests."""

import os
import subprocess
import sys

import harness

SPEECH = os.path.join(harness.BUILD_DIR, "live-speech")
UTTERANCES = 40


def binary(name):
    return os.path.join(harness.BUILD_DIR, "bin", name)


class SpeechTest(harness.LiveTest):

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        complete = os.path.join(SPEECH, "complete")
        if not os.path.exists(complete):
            subprocess.run([binary("asr-speak"), "--out", SPEECH, "--count", str(UTTERANCES),
                            "--seed", "5", "--min-seconds", "1", "--max-seconds", "6", "--voices",
                            "all"], check=True, timeout=120, stdout=subprocess.DEVNULL)
            with open(complete, "w", encoding="utf-8"):
                pass

    def serve(self, *arguments):
        worker = subprocess.Popen([binary("asr-worker"), "--port", "0", *arguments],
                                  stdout=subprocess.PIPE, bufsize=0)

        def end():
            worker.kill()
            worker.wait()
            worker.stdout.close()

        self.addCleanup(end)
        line = harness.LineReader(worker.stdout).line(30)
        self.assertIn("listening on", line)
        return worker, int(line.split("listening on ")[1].split()[0].rpartition(":")[2])

    def load(self, port, requests, concurrency=1, repeat=False):
        subprocess.run([binary("asr-load"), "--port", str(port), "--requests", str(requests),
                        "--wavs", SPEECH, "--concurrency", str(concurrency), "--seed",
                        str(self.seed % 1000), *(["--repeat"] if repeat else [])], check=True, timeout=180, stdout=sys.stderr)
