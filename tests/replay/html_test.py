# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The HTML report in a browser: what it draws is what the trace holds, by mouse and keyboard, in the
light, in the dark and on a phone; hostile names stay text; 5,000 sites stay small.

html_test.py MAKE_TRACE REPLAY_COMMAND; with ASRTRACE_SCREENSHOTS=DIR it leaves pictures there.
"""

import gzip
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

import browser

TRACES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "traces")

# The figures of tests/unit/trace_script.h.
REQUESTS = 400
LEAK_BYTES = 4096
READINGS = 40
MIB = 1 << 20


class Page(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        cls.directory = cls.enterClassContext(tempfile.TemporaryDirectory(prefix="asrtrace-html-"))
        cls.browser = cls.enterClassContext(browser.Browser())

    def page(self, kind="plain", screenshot=None, **view):
        """Makes the trace and its page once, opens it."""
        path = os.path.join(self.directory, kind + ".html")
        if not os.path.exists(path):
            trace = os.path.join(self.directory, kind)
            recorded = os.path.join(TRACES, kind + ".asrtrace.gz")
            if os.path.exists(recorded):
                with gzip.open(recorded) as packed, open(trace, "wb") as file:
                    shutil.copyfileobj(packed, file)
            else:
                subprocess.run([MAKE_TRACE, trace, kind], check=True, timeout=240)
            subprocess.run([COMMAND, "report", trace, "--html", path], check=True, timeout=240,
                           stdout=subprocess.DEVNULL)
        self.browser.dark(view.get("dark", False))
        self.browser.size(view.get("width", 1280), view.get("height", 1000), view.get("phone", False))
        self.browser.open(path)
        self.assertTrue(self.browser.wait_for(
            "return document.documentElement.hasAttribute('data-ready')"), self.browser.console())
        self.assertEqual(self.browser.console(), [])
        if screenshot and "ASRTRACE_SCREENSHOTS" in os.environ:
            self.browser.screenshot(os.path.join(os.environ["ASRTRACE_SCREENSHOTS"], screenshot))
        return path

    def run_js(self, script, *arguments):
        return self.browser.run(script, *arguments)

    def texts(self, selector):
        return self.run_js("return [...document.querySelectorAll(arguments[0])].map(e => e.textContent)",
                           selector)

    def test_findings_come_first(self):
        self.page(screenshot="wide.png")
        first = self.run_js("return document.querySelector('main > section').id")
        self.assertEqual(first, "findings")
        self.assertEqual(self.texts(".finding h3 .kind"), ["leak", "retention, fragmentation"])
        self.assertIn("4,096\u00a0B per request", self.texts(".finding .amount")[0])
        self.assertIn("leak_plant", self.texts(".finding summary")[0])

    def test_books_are_drawn_to_scale(self):
        self.page()
        areas = {name: float(last) for name, last in self.run_js(
            "return [...document.querySelectorAll('#books .area')]"
            ".map(e => [e.dataset.class, e.dataset.last])")}
        live = 40_000_000 + REQUESTS * LEAK_BYTES
        expected = {"heap.live": live, "heap.retained": 6_200_000,
                    "heap.overhead": 100_000 + 16 * REQUESTS, "stack": 90_000, "anon.mapped": 4096,
                    "image": 1_000_000, "unexplained": 8192}
        self.assertEqual(areas, expected)
        # What is drawn: each area's height at the last reading, in units of the axis.
        boxes = self.run_js("""return [...document.querySelectorAll('#books .area')].map(e => {
            const points = e.getAttribute('d').slice(1, -1).split('L').map(p => p.split(' ').map(Number));
            const half = points.length / 2;
            return [e.dataset.class, points.length, points[half][1] - points[half - 1][1]]; })""")
        grid = self.run_js("""return [...document.querySelectorAll('#books .grid')].map(e => e.y1.baseVal.value)""")
        labels = [text for text in self.texts("#books .tick") if "MiB" in text]
        self.assertEqual(labels[:2], ["0\u00a0MiB", "10\u00a0MiB"])
        pixels_per_byte = (grid[0] - grid[1]) / (10 * MIB)
        for name, points, height in boxes:
            self.assertEqual(points, 2 * READINGS)
            self.assertAlmostEqual(height, expected[name] * pixels_per_byte, delta=0.03, msg=name)
        self.assertEqual(self.run_js("return document.querySelector('#books .line.requests').dataset.last"),
                         str(REQUESTS))

    def test_time_is_told_in_round_steps(self):
        self.page("mixed")  # five minutes and a quarter
        labels = [text.replace("\u00a0", " ") for text in self.texts("#books .tick")]
        self.assertEqual([label for label in labels if label.endswith(("s", "min"))],
                         [f"{minute} min" for minute in range(6)])

    def test_books_by_keyboard(self):
        self.page()
        self.run_js("document.querySelector('#books .chart').focus()")
        self.browser.press("ArrowRight", "ArrowRight")
        told = self.texts("#books .told")[0]
        self.assertIn("20 requests", told)
        self.assertIn("heap.live 38.2\u00a0MiB", told)
        self.browser.press("End")
        self.assertIn("400 requests", self.texts("#books .told")[0])

    def test_slope_and_band(self):
        self.page()
        fit, low, high = self.run_js(
            "const of = (c) => document.querySelector('#growth .' + c).dataset;"
            "return [of('fit').slope, of('band').low, of('band').high].map(Number)")
        self.assertAlmostEqual(fit, LEAK_BYTES)
        self.assertLessEqual(low, fit)
        self.assertGreaterEqual(high, fit)
        dots, ends = self.run_js(
            "const d = document.querySelector('#growth .fit').getAttribute('d').slice(1).split('L');"
            "return [document.querySelectorAll('#growth .dot').length, d.map(p => p.split(' ').map(Number))]")
        self.assertEqual(dots, READINGS + 1)
        circles = self.run_js("return [...document.querySelectorAll('#growth .dot')]"
                              ".map(e => [e.cx.baseVal.value, e.cy.baseVal.value])")
        # A perfect line: the fit passes through the first and the last point.
        for end, dot in zip(ends, (circles[0], circles[-1])):
            self.assertAlmostEqual(end[0], dot[0], delta=0.1)
            self.assertAlmostEqual(end[1], dot[1], delta=0.1)
        self.run_js("[...document.querySelectorAll('#growth button')].find(b => b.textContent === 'RssAnon').click()")
        self.assertIn("per request", self.texts("#growth .told")[0])

    def test_arenas(self):
        self.page()
        parts = self.run_js("return [...document.querySelector('#arenas .bar').children]"
                            ".map(e => [e.classList[1], Number(e.dataset.bytes), e.getBoundingClientRect().width])")
        whole = self.run_js("return document.querySelector('#arenas .bar').getBoundingClientRect().width")
        expected = {"live": 41_800_000, "kept": 1_100_000, "releasable": 5_000_000, "not-resident": 100_000}
        for kind, size, width in parts:
            self.assertEqual(size, expected.pop(kind))
            self.assertAlmostEqual(width, whole * size / 48_000_000, delta=1, msg=kind)
        self.assertEqual(expected, {})
        self.assertIn("112\u00a0B", self.texts("#arenas .pin")[0])
        self.assertIn("decode", self.texts("#arenas .pin summary")[0])

    def flame_names(self):
        return self.texts("#flames .box text")

    def test_flame_search_zoom_and_kinds(self):
        self.page()
        self.assertEqual(self.flame_names(), ["all", "main", "serve", "leak_plant", "operator new"])
        self.browser.press("/", "leak_pl")
        matched = self.run_js("return document.querySelector('#flames [data-matched]').dataset.matched")
        self.assertEqual(int(matched), REQUESTS * LEAK_BYTES)
        self.assertEqual(self.texts("#flames .match text"), ["leak_plant"])
        self.assertIn("Matched 100.0 %", self.texts("#flames .told")[0])
        self.browser.press("Escape")
        self.assertEqual(self.texts("#flames .match"), [])
        # All by keyboard: down to a box, Enter zooms, Escape resets.
        zoomed = "return document.querySelector('#flames svg').dataset.zoom"
        self.run_js("document.querySelector('#flames .box').focus()")
        self.browser.press("ArrowDown", "ArrowDown", "Enter")
        self.assertEqual(self.run_js(zoomed), "serve")
        self.assertEqual(self.run_js("return document.activeElement.textContent"), "serve")
        self.browser.press("ArrowDown", "Enter")
        self.assertEqual(self.run_js(zoomed), "leak_plant")
        self.browser.press("Escape")
        self.assertEqual(self.run_js(zoomed), "all")
        self.run_js("document.querySelector('#flames [data-kind=faults]').click()")
        self.assertEqual(self.flame_names(), ["all", "main", "touch"])
        self.assertTrue(self.run_js("return document.querySelector('#flames [data-kind=cache]').disabled"))

    def test_sites(self):
        self.page()
        self.assertEqual(self.texts(".site .who code"), ["leak_plant"])
        self.assertEqual(self.run_js("return document.querySelectorAll('.site .spark path').length"), 2)
        self.run_js("document.querySelector('.site summary').focus()")
        self.browser.press("Enter")
        self.assertTrue(self.browser.wait_for("return document.querySelector('.site .detail .fit') !== null"))
        self.assertEqual(self.texts(".site .stack code"), ["operator new", "leak_plant", "serve", "main"])

    def test_overhead_and_losses(self):
        self.page()
        cost = self.texts("#cost")[0]
        for words in ("1.70 %", "1,200", "not walked to the root", "not attached: calloc: no such symbol",
                      "TLS is not seen"):
            self.assertIn(words, cost)

    def assert_fits(self):
        page, window = self.run_js(
            "const e = document.documentElement; return [e.scrollWidth, e.clientWidth]")
        self.assertLessEqual(page, window)

    def contrast(self, selector):
        """Between text and what is behind it (WCAG 2)."""
        return self.run_js("""
            const luminance = (text) => { const c = text.match(/[\\d.]+/g).slice(0, 3).map(v => v / 255)
                .map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
                return 0.2126 * c[0] + 0.7152 * c[1] + 0.0722 * c[2]; };
            const element = document.querySelector(arguments[0]);
            let behind = element;
            while (/, 0\\)$/.test(getComputedStyle(behind).backgroundColor)) behind = behind.parentElement;
            const [a, b] = [getComputedStyle(element).color, getComputedStyle(behind).backgroundColor]
                .map(luminance).sort((x, y) => y - x);
            return (a + 0.05) / (b + 0.05);""", selector)

    def test_light_dark_and_phone(self):
        backgrounds = {}
        for name, view in (("light", {}), ("dark", {"dark": True}),
                           ("phone", {"width": 390, "height": 844, "phone": True}),
                           ("phone-dark", {"width": 390, "height": 844, "phone": True, "dark": True})):
            with self.subTest(name):
                self.page(screenshot=name + ".png", **view)
                self.assert_fits()
                backgrounds[name] = self.run_js("return getComputedStyle(document.body).backgroundColor")
                for selector in ("h1", ".finding .kind", ".finding .confidence", ".told", ".advice", "nav a",
                                 ".site .where"):
                    self.assertGreaterEqual(self.contrast(selector), 4.5, selector)
        self.assertNotEqual(backgrounds["light"], backgrounds["dark"])
        self.assertEqual(backgrounds["phone"], backgrounds["light"])

    def test_nothing_of_a_hostile_target_is_code(self):
        path = self.page("hostile")
        with open(path, encoding="utf-8") as file:
            text = file.read()
        self.assertEqual(len(re.findall(r"</script", text, re.I)), 2)
        self.assertEqual(len(re.findall(r"<script", text, re.I)), 2)
        self.assertNotRegex(text, r"(?i)\b(src|href)=[\"']?(https?:)?//")
        self.assertNotIn("\u202e", text)
        shown = self.texts("body")[0]
        self.assertIn("<script>alert(1)</script>", shown)
        self.assertEqual(self.run_js("return performance.getEntriesByType('resource').length"), 0)
        self.assertEqual(self.run_js("return document.querySelectorAll('main script, header script').length"), 0)
        # The report as text, for browsers without scripts, is text too.
        inside = re.search(r"<noscript><pre>(.*?)</pre></noscript>", text, re.S)[1]
        self.assertNotIn("<", inside)
        self.assertIn("FINDINGS\n", inside)

    def test_empty(self):
        self.page("empty")
        self.assertIn("too few to tell", self.texts("#findings")[0])
        self.assertIn("Not measured", self.texts("#books")[0])
        self.assert_fits()

    def test_five_thousand_sites(self):
        path = self.page("sites", screenshot="sites.png", height=1600)
        self.assertLessEqual(os.path.getsize(path), 5_000_000)
        self.assert_fits()
        self.assertIn("left out of this page", self.texts("#sites .key")[0])
        with open(path, encoding="utf-8") as file:
            data = json.loads(re.search(r'id="data">(.*?)</script>', file.read(), re.S)[1])
        rows, omitted = data["sites"][0]["rows"], data["sites"][0]["omitted"]
        self.assertEqual(len(rows) + omitted, 5000)
        # A function of one site is found among all of them, in the flame graph and in the list.
        self.run_js("document.querySelector('#sites input').focus()")
        self.browser.press("allocate_4711")
        self.assertEqual(self.texts(".site .who code"), ["service::detail::allocate_4711"])
        self.run_js("document.querySelector('#flames input').focus()")
        self.browser.press("allocate_4711$")
        matched = self.run_js("return document.querySelector('#flames [data-matched]').dataset.matched")
        self.assertEqual(int(matched), 40 * (16 + 4711))


if __name__ == "__main__":
    MAKE_TRACE, COMMAND = sys.argv[1:3]
    unittest.main(argv=sys.argv[:1], verbosity=2)
