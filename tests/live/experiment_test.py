# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""`asrtrace experiment`: a worker that leaks and retains as it is, replaced after 100 requests, and
replaced as advised for a budget; and whether what was predicted came."""

import json
import os
import random
import subprocess

import harness
import speech

REQUESTS = 300
RATE = 36
LEAK = 1_000_000
RETAINED_MIB = 20
BUDGET_MIB = 240
LIMIT, JITTER = 100, 20


class Experiment(speech.SpeechTest):

    def experiment(self, *arguments, worker):
        port = str(random.randrange(20000, 30000))
        base = f"http://127.0.0.1:{port}"
        wavs = sorted((os.path.getsize(entry.path), entry.path)
                      for entry in os.scandir(speech.SPEECH) if entry.name.endswith(".wav"))
        files = [part for _, path in wavs[:6] for part in ("--file", f"audio_file=@{path}")]
        output = os.path.join(self.directory, "experiment.json")
        done = subprocess.run(
            [harness.ASRTRACE, "experiment", "--post", base + "/transcribe", *files, "--rate",
             str(RATE), "--requests", str(REQUESTS), "--idle", "1", "--trim", base + "/debug/trim",
             "--json", output, *arguments, "--", speech.binary("asr-worker"), "--port", port,
             "--debug-endpoints", *worker],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=240, check=False)
        harness.note(done.stderr.decode() + done.stdout.decode())
        self.assertEqual(done.returncode, 0, done.stderr.decode())
        with open(output, encoding="utf-8") as file:
            return json.load(file)

    def test_settings_side_by_side(self):
        result = self.experiment(
            "--only", "mimalloc,chunked", "--variant",
            f"saw:--limit-max-requests {LIMIT} --limit-max-requests-jitter {JITTER}",
            "--variant", "broken:--no-such-option", "--budget-mib", str(BUDGET_MIB),
            worker=("--plant", f"leak={LEAK}", "--plant", f"retention={RETAINED_MIB}"))
        variants = {variant["name"]: variant for variant in result["variants"]}
        self.assertEqual(list(variants),
                         ["stock", "mimalloc", "chunked", "saw", "broken", "budget"])
        self.assertIn("--whole-file", variants["chunked"]["problem"])
        self.assertIn("ended", variants["broken"]["problem"])
        runs = {name: variant["figures"] for name, variant in variants.items()
                if variant["figures"]}
        self.assertEqual(set(runs), {"stock", "mimalloc", "saw", "budget"})
        for name, figures in runs.items():
            self.assertEqual((figures["answered"], figures["failed"]), (REQUESTS, 0), name)
        self.assertIsNone(runs["mimalloc"]["retained_bytes"], "it has no heap of glibc's")
        self.check_sawtooth(runs, result["recycling"])
        # Which of the two, and whether at a bearable cost, the machine's latencies decide.
        self.assertRegex("{variant}: {text}".format_map(result["recommendation"]),
                         r"\b(saw|budget): peak -\d+ %")
        self.check_predictions(result["predictions"])

    def check_sawtooth(self, runs, advice):
        budget = BUDGET_MIB << 20
        self.assertGreater(runs["stock"]["peak_bytes"], budget, "or it would prove nothing")
        self.assertLess(runs["saw"]["peak_bytes"], budget)
        self.assertLess(runs["budget"]["peak_bytes"], budget)
        # Of PSS over 150 requests: what malloc keeps of those in flight comes and goes beside the leak.
        self.assertAlmostEqual(runs["stock"]["growth_bytes_per_request"], LEAK, delta=0.2 * LEAK)
        self.assertGreater(advice["limit"], 50)
        self.assertLess(advice["limit"] + advice["jitter"], REQUESTS)
        self.assertEqual(advice["checked_peak_bytes"], runs["budget"]["peak_bytes"])

    def check_predictions(self, predictions):
        by = {(one["what"], one["by"]): one for one in predictions}
        trim = by["stock: malloc_trim(0)", "the heap, read before"]
        growth = by["stock: growth a request", "findings of a traced run"]
        self.assertGreater(trim["measured_bytes"], RETAINED_MIB * 0.8 * (1 << 20))
        self.assertAlmostEqual(trim["predicted_bytes"], trim["measured_bytes"],
                               delta=0.1 * trim["measured_bytes"])
        # Beside what was planted: PSS, which is what it stands beside, wanders more than that.
        self.assertAlmostEqual(growth["predicted_bytes"], LEAK, delta=0.05 * LEAK)


if __name__ == "__main__":
    harness.main()
