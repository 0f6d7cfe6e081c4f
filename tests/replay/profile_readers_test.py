# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The flame graph's files for other viewers in these viewers: speedscope itself, in a browser, opens
both of them, pprof-format (Datadog's) decodes pprof, changes below zero included.

profile_readers_test.py MAKE_TRACE REPLAY_COMMAND DIRECTORY; the viewers come from npm, in pinned
versions, into DIRECTORY.
"""

import base64
import json
import os
import subprocess
import sys
import tempfile
import unittest

import browser

READERS = {"speedscope": "1.25.0", "pprof-format": "2.3.2"}
HERE = os.path.dirname(os.path.abspath(__file__))
LEAKED = 400 * 4096  # tests/unit/trace_script.h
MIB = 1 << 20


def installed(directory, name):
    try:
        with open(os.path.join(directory, "node_modules", name, "package.json"),
                  encoding="utf-8") as file:
            return json.load(file)["version"]
    except OSError:
        return None


def install(directory):
    if all(installed(directory, name) == version for name, version in READERS.items()):
        return
    os.makedirs(directory, exist_ok=True)
    done = subprocess.run(
        ["npm", "install", "--prefix", directory, "--no-save", "--no-audit", "--no-fund",
         "--ignore-scripts", *(f"{name}@{version}" for name, version in READERS.items())],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=200, check=False)
    if done.returncode != 0:
        raise AssertionError("npm could not install the readers:\n" +
                             done.stdout.decode(errors="replace"))


class Readers(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        install(DIRECTORY)
        cls.directory = cls.enterClassContext(tempfile.TemporaryDirectory(prefix="asrtrace-read-"))
        cls.browser = cls.enterClassContext(browser.Browser())
        for kind in ("plain", "hostile", "sites"):
            subprocess.run([MAKE_TRACE, os.path.join(cls.directory, kind), kind], check=True,
                           timeout=240)

    def drawn(self, trace, form, *options):
        path = os.path.join(self.directory, "drawn." + form)
        subprocess.run([COMMAND, "flamegraph", os.path.join(self.directory, trace), "--format", form,
                        "-o", path, *options], check=True, timeout=240)
        return path

    def speedscope(self, path, title):
        """{function: (total, self)} as speedscope's table shows them, of its first profile."""
        with open(path, "rb") as file:
            content = base64.b64encode(file.read()).decode()
        loader = os.path.join(self.directory, "load.js")
        with open(loader, "w", encoding="utf-8") as file:
            file.write(f'speedscope.loadFileFromBase64({json.dumps(os.path.basename(path))}, '
                       f'"{content}")')
        app = os.path.join(DIRECTORY, "node_modules/speedscope/dist/release/index.html")
        self.browser.open("/dev/null")  # else only the fragment changes
        self.browser.open(f"{app}#localProfilePath={loader}&view=sandwich")
        shown = self.browser.wait_for("return document.querySelectorAll('tr').length > 1")
        words = [entry for entry in self.browser.console() if entry.startswith("SEVERE")]
        self.assertEqual(words, [])
        self.assertTrue(shown, self.browser.run("return document.body.innerText"))
        self.assertIn(title, self.browser.run("return document.body.innerText"))
        rows = self.browser.run("return [...document.querySelectorAll('tr')].slice(1)"
                                ".map(r => [...r.querySelectorAll('td')].map(c => c.textContent))")
        # Of many rows only those on the screen are there.
        return {row[2]: (row[0], row[1]) for row in rows if len(row) == 3}

    def pprof(self, path):
        done = subprocess.run(["node", os.path.join(HERE, "read_pprof.js"), path], check=True,
                              stdout=subprocess.PIPE, timeout=240,
                              env={**os.environ, "NODE_PATH": os.path.join(DIRECTORY, "node_modules")})
        return json.loads(done.stdout)

    def test_speedscope_opens_its_own_format(self):
        rows = self.speedscope(self.drawn("plain", "speedscope"), "Heap bytes that outlived")
        size = f"{LEAKED / MIB:.2f} MB (100%)"
        self.assertEqual(rows, {"operator new(unsigned long)": (size, size),
                                **{name: (size, "0 B (<0.01%)") for name in
                                   ("leak_plant", "serve", "main")}})

    def test_speedscope_opens_pprof(self):
        rows = self.speedscope(self.drawn("plain", "pprof"), "drawn.pprof")
        size = f"{LEAKED / MIB:.2f} MB (100%)"
        self.assertEqual(rows["operator new(unsigned long)"], (size, size))
        self.assertEqual(set(rows), {"operator new(unsigned long)", "leak_plant", "serve", "main"})

    def test_speedscope_shows_a_comparison_as_two_profiles(self):
        # All that leaks in one trace is gone in the other, which has 5,000 sites.
        path = self.drawn("sites", "speedscope", "--diff", os.path.join(self.directory, "plain"))
        rows = self.speedscope(path, "held at the end: more")
        self.assertNotIn("leak_plant", rows)
        self.assertEqual(rows["malloc"][0], rows["malloc"][1], "all of it")
        with open(path, encoding="utf-8") as file:
            less = json.load(file)["profiles"][1]
        self.assertEqual(less["weights"], [LEAKED])

    def test_pprof_holds_what_changed(self):
        grown = self.pprof(self.drawn("plain", "pprof"))
        self.assertEqual(grown["units"], ["bytes"])
        self.assertEqual(grown["samples"], [[["main", "serve", "leak_plant",
                                              "operator new(unsigned long)"], [LEAKED]]])
        both = self.pprof(self.drawn("hostile", "pprof", "--kind", "faults", "--diff",
                                     os.path.join(self.directory, "plain")))
        self.assertEqual([values for _, values in both["samples"]], [[4096]], "what did not change "
                         "is not there")
        self.assertIn("<script>alert(1)</script>", both["samples"][0][0][0])
        less = self.pprof(self.drawn("sites", "pprof", "--diff",
                                     os.path.join(self.directory, "plain")))
        values = {frames[-2]: value for frames, (value,) in less["samples"]}
        self.assertEqual(values["leak_plant"], -LEAKED)
        self.assertEqual(values["service::detail::allocate_4711"], 40 * (16 + 4711))


if __name__ == "__main__":
    MAKE_TRACE, COMMAND, DIRECTORY = sys.argv[1:4]
    unittest.main(argv=sys.argv[:1], verbosity=2)
