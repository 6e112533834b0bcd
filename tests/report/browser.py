"""A headless Chromium that opens pages and says what they did, spoken to over a pipe."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import select
import shutil
import subprocess
import time
from pathlib import Path

import pytest

_PLACES = ("/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome")
_LONGEST = 60.0  # seconds


def chromium() -> str:
    """Where it is; without one, the test is skipped."""
    found = next((place for place in _PLACES if os.access(place, os.X_OK)), None)
    found = found or shutil.which("chromium")
    if found is None:
        pytest.skip(f"no Chromium at {', '.join(_PLACES)} or on the path (apt install chromium)")
    return found


class Browser:
    """Chromium, with one page at a time.

    `requests` are addresses that the page asked for, but for its own; `complaints` what the console
    said.
    """

    def __init__(self, folder: Path) -> None:
        ends = [fcntl.fcntl(fd, fcntl.F_DUPFD, 10) for fd in (*os.pipe(), *os.pipe())]
        theirs_in, self._to, self._from, theirs_out = ends

        def pipes() -> None:
            os.dup2(theirs_in, 3)
            os.dup2(theirs_out, 4)

        flags = "--headless --no-sandbox --disable-gpu --disable-dev-shm-usage --hide-scrollbars"
        self._process = subprocess.Popen(
            [chromium(), *flags.split(), "--remote-debugging-pipe", f"--user-data-dir={folder}"],
            preexec_fn=pipes,
            close_fds=False,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(theirs_in)
        os.close(theirs_out)
        self._number, self._rest, self._session = 0, b"", None
        self.events: list[dict] = []
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        attached = self.ask("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Network", "Log", "Runtime"):
            self.ask(f"{domain}.enable")

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(_LONGEST)
        os.close(self._to)
        os.close(self._from)

    def ask(self, method: str, **params):
        """The result of a command of the DevTools protocol."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while True:
            found = self._next()
            if found.get("id") == self._number:
                assert "error" not in found, found
                return found["result"]

    def _next(self) -> dict:
        ends = time.monotonic() + _LONGEST
        while b"\0" not in self._rest:
            ready, _, _ = select.select([self._from], [], [], max(0.0, ends - time.monotonic()))
            assert ready, "Chromium does not answer"
            read = os.read(self._from, 1 << 20)
            assert read, "Chromium ended"
            self._rest += read
        one, _, self._rest = self._rest.partition(b"\0")
        found = json.loads(one)
        if "method" in found:
            self.events.append(found)
        return found

    def open(self, page: Path, width: int = 1000, dark: bool = False, media: str = "") -> None:
        """Open a file and wait until it is there."""
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 500}
        self.ask("Emulation.setDeviceMetricsOverride", **size)
        self.ask("Emulation.setEmulatedMedia", media=media, features=[scheme])
        self.events = []
        self.address = page.resolve().as_uri()
        self.ask("Page.navigate", url=self.address)
        while not any(one["method"] == "Page.loadEventFired" for one in self.events):
            self._next()

    def value(self, expression: str):
        """What a piece of JavaScript gives."""
        found = self.ask("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def press(self, key: str) -> None:
        """A key."""
        code = {"Tab": 9, "Enter": 13}[key]
        for kind in ("rawKeyDown", "keyUp"):
            self.ask("Input.dispatchKeyEvent", type=kind, key=key, windowsVirtualKeyCode=code)

    def screenshot(self, whole: bool = False) -> bytes:
        """The page as a PNG."""
        found = self.ask("Page.captureScreenshot", captureBeyondViewport=whole)
        return base64.b64decode(found["data"])

    @property
    def requests(self) -> list[str]:
        return [
            one["params"]["request"]["url"]
            for one in self.events
            if one["method"] == "Network.requestWillBeSent"
            and one["params"]["request"]["url"] != self.address
        ]

    @property
    def complaints(self) -> list[dict]:
        names = ("Log.entryAdded", "Runtime.consoleAPICalled", "Runtime.exceptionThrown")
        return [one["params"] for one in self.events if one["method"] in names]
