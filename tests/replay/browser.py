# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A headless Chromium, driven over WebDriver (w3.org/TR/webdriver2) by chromedriver."""

import base64
import contextlib
import json
import os
import re
import shutil
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

KEYS = {"Enter": "\ue007", "Escape": "\ue00c", "Tab": "\ue004", "ArrowLeft": "\ue012",
        "ArrowUp": "\ue013", "ArrowRight": "\ue014", "ArrowDown": "\ue015", "End": "\ue010"}


class Browser:
    """One window; a context manager that leaves no process and no profile behind."""

    def __init__(self):
        for program in ("chromium", "chromedriver"):
            if not shutil.which(program):
                raise AssertionError(f"{program} is missing: tools/install-deps.sh tests")
        self._stack = contextlib.ExitStack()
        try:
            self._start()
        except BaseException:
            self._stack.close()
            raise

    def _start(self):
        profile = self._stack.enter_context(
            tempfile.TemporaryDirectory(prefix="asrtrace-browser-", ignore_cleanup_errors=True))
        driver = subprocess.Popen(["chromedriver", "--port=0"], stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, env={**os.environ, "HOME": profile})
        self._stack.callback(self._end_driver, driver)
        port = None
        for line in driver.stdout:
            found = re.search(rb"started successfully on port (\d+)", line)
            if found:
                port = int(found[1])
                break
        if port is None:
            raise AssertionError("chromedriver did not start")
        self._url = f"http://127.0.0.1:{port}/session"
        arguments = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic",
                     "--no-first-run", "--disable-background-networking", "--disable-sync",
                     "--disable-component-update", "--disable-dev-shm-usage",
                     f"--user-data-dir={profile}/profile", "--window-size=1280,1000"]
        session = self._post("", {"capabilities": {"alwaysMatch": {
            "browserName": "chrome", "goog:loggingPrefs": {"browser": "ALL"},
            "goog:chromeOptions": {"args": arguments}}}})
        self._url += "/" + session["sessionId"]
        self._stack.callback(self._quit)

    @staticmethod
    def _end_driver(driver):
        driver.terminate()
        driver.wait(10)
        driver.stdout.close()

    def _quit(self):
        with contextlib.suppress(OSError):
            self._send("DELETE", "", None)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._stack.close()

    def _send(self, method, path, body):
        request = urllib.request.Request(
            self._url + path, method=method, data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{method} {path}: {error.read().decode(errors='replace')}") from error

    def _post(self, path, body):
        return self._send("POST", path, body)

    def open(self, path):
        self._post("/url", {"url": "file://" + os.path.abspath(path)})

    def run(self, script, *arguments):
        """A function body in the page; returns what it returns."""
        return self._post("/execute/sync", {"script": script, "args": list(arguments)})

    def wait_for(self, script, *arguments, seconds=10):
        """Until the script's value is true; returns it."""
        deadline = time.monotonic() + seconds
        while True:
            value = self.run(script, *arguments)
            if value or time.monotonic() > deadline:
                return value
            time.sleep(0.02)

    def press(self, *keys):
        """Keys by name, or text, at whatever has the focus."""
        actions = [{"type": kind, "value": char} for key in keys
                   for char in ([KEYS[key]] if key in KEYS else key) for kind in ("keyDown", "keyUp")]
        self._post("/actions", {"actions": [{"type": "key", "id": "keys", "actions": actions}]})

    def command(self, name, **parameters):
        """Chrome's DevTools protocol."""
        return self._post("/goog/cdp/execute", {"cmd": name, "params": parameters})

    def dark(self, on):
        self.command("Emulation.setEmulatedMedia", features=[
            {"name": "prefers-color-scheme", "value": "dark" if on else "light"}])

    def size(self, width, height, phone=False):
        self.command("Emulation.setDeviceMetricsOverride", width=width, height=height,
                     deviceScaleFactor=1, mobile=phone)

    def console(self):
        """What the page has said since the last time."""
        return [f"{entry['level']}: {entry['message']}"
                for entry in self._post("/se/log", {"type": "browser"})]

    def screenshot(self, path):
        """All of the page."""
        picture = self.command("Page.captureScreenshot", captureBeyondViewport=True)
        with open(path, "wb") as file:
            file.write(base64.b64decode(picture["data"]))
