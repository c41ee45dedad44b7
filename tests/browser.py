"""A headless Chromium as tests use it, over the DevTools protocol on a pair of pipes.

Owns the browser's process and what it said: console messages, exceptions, requests. Knows nothing of pages.
"""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any

PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "chrome")
PATIENCE_S = 60
# A program takes its commands from descriptor 3 and answers on 4.
_ON_PIPES = "import os, sys; os.dup2(int(sys.argv[1]), 3); os.dup2(int(sys.argv[2]), 4); os.execvp(sys.argv[3], sys.argv[3:])"


def chromium() -> str | None:
    """Return the browser's program, or None."""
    return next((found for name in PROGRAMS if (found := shutil.which(name))), None)


def has_chinese_font() -> bool:
    """Return whether the browser has letters for Chinese; without fontconfig's fc-list nobody can tell, and it says no."""
    if not shutil.which("fc-list"):
        return False
    return bool(subprocess.run(["fc-list", ":lang=zh-cn"], capture_output=True, check=True).stdout.strip())


class Browser:
    """One browser with one tab; a context manager.

    Args:
        folder: for its profile.
    """

    def __init__(self, folder: Path) -> None:
        program = chromium()
        assert program is not None
        command_read, self._commands = os.pipe()
        self._answers, answer_write = os.pipe()
        for kept in (command_read, answer_write):
            os.set_inheritable(kept, True)
        arguments = ["--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe", "--no-first-run", "--disable-dev-shm-usage",
                     "--disable-background-networking", "--hide-scrollbars", "--force-color-profile=srgb", "--lang=en-US",
                     f"--user-data-dir={folder}", "about:blank"]
        self._log = (folder.parent / f"{folder.name}.log").open("wb")
        self._process = subprocess.Popen(
            [sys.executable, "-c", _ON_PIPES, str(command_read), str(answer_write), program, *arguments],
            pass_fds=(command_read, answer_write), stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log)
        os.close(command_read)
        os.close(answer_write)
        self._buffer = b""
        self._number = 0
        self._session: str | None = None
        self.said: list[str] = []
        self.requested: list[str] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        self.resize(1280, 800)

    def __enter__(self) -> Browser:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """End the browser."""
        os.close(self._commands)
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._answers)
        self._log.close()

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call a method of the protocol and return its result."""
        self._number += 1
        number = self._number
        message = {"id": number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self._commands, data):]
        while True:
            answer = self._next()
            if answer.get("id") == number:
                assert "error" not in answer, (method, answer["error"])
                result: dict[str, Any] = answer["result"]
                return result

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            assert select.select([self._answers], [], [], PATIENCE_S)[0], "the browser does not answer"
            part = os.read(self._answers, 1 << 20)
            assert part, "the browser has ended"
            self._buffer += part
        line, _, self._buffer = self._buffer.partition(b"\0")
        message: dict[str, Any] = json.loads(line)
        self._note(message)
        return message

    def _note(self, message: dict[str, Any]) -> None:
        method, told = message.get("method"), message.get("params", {})
        if method == "Runtime.consoleAPICalled":
            self.said.append(" ".join(str(one.get("value", one.get("description"))) for one in told["args"]))
        elif method == "Runtime.exceptionThrown":
            detail = told["exceptionDetails"]
            self.said.append(detail.get("exception", {}).get("description") or detail["text"])
        elif method == "Log.entryAdded":
            self.said.append(told["entry"]["text"])
        elif method == "Network.requestWillBeSent":
            self.requested.append(told["request"]["url"])
        elif method == "Page.javascriptDialogOpening":
            self.said.append(f"dialog: {told['message']}")

    def open(self, address: str, ready: str = "document.body?.dataset.ready === 'yes'") -> None:
        """Go to an address and wait until an expression holds; forgets what was said before."""
        self.said.clear()
        self.requested.clear()
        self.call("Page.navigate", url="about:blank")
        self.until("location.href === 'about:blank'")
        self.requested.clear()
        self.call("Page.navigate", url=address)
        self.until(ready)

    def run(self, expression: str) -> Any:
        """Return the value of an expression of JavaScript; promises are waited for."""
        answer = self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in answer, (expression, answer["exceptionDetails"])
        return answer["result"].get("value")

    def until(self, expression: str) -> None:
        """Wait until an expression holds: looked at once per frame."""
        waiting = ("new Promise((done, fail) => { const end = performance.now() + 40000; const look = () => { try { if (" + expression +
                   ") return done(true); } catch {} if (performance.now() > end) return done(false); setTimeout(look, 16); }; look(); })")
        for _ in range(20):
            answer = self.call("Runtime.evaluate", expression=waiting, awaitPromise=True, returnByValue=True)
            # A page that goes away takes the promise with it.
            if "exceptionDetails" not in answer and answer["result"].get("value") is not None:
                assert answer["result"]["value"], (expression, self.said)
                return
        raise AssertionError(expression)

    def resize(self, width: int, height: int, scale: float = 1) -> None:
        """Give the tab a size, CSS pixels."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=scale, mobile=False)

    def mouse(self, kind: str, x: float, y: float, **more: Any) -> None:
        """Send a mouse event: mousePressed, mouseMoved, mouseReleased, mouseWheel."""
        self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, **more)

    def click(self, x: float, y: float) -> None:
        """Click."""
        for kind in ("mousePressed", "mouseReleased"):
            self.mouse(kind, x, y, button="left", clickCount=1)

    def drag(self, x: float, y: float, to_x: float, to_y: float, **more: Any) -> None:
        """Press, move in steps, release."""
        self.mouse("mousePressed", x, y, button="left", clickCount=1, **more)
        for step in range(1, 6):
            self.mouse("mouseMoved", x + (to_x - x) * step / 5, y + (to_y - y) * step / 5, button="left", buttons=1, **more)
        self.mouse("mouseReleased", to_x, to_y, button="left", clickCount=1, **more)

    def press(self, key: str, text: str | None = None) -> None:
        """Press and release a key by its name."""
        text = text if text is not None else key if len(key) == 1 else "\r" if key == "Enter" else None
        more = {"text": text} if text else {}
        code = {"Enter": 13, "Escape": 27, "ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40, "Tab": 9}.get(key, 0)
        self.call("Input.dispatchKeyEvent", type="keyDown", key=key, windowsVirtualKeyCode=code, **more)
        self.call("Input.dispatchKeyEvent", type="keyUp", key=key, windowsVirtualKeyCode=code)

    def picture(self) -> bytes:
        """Return what is seen, as PNG."""
        return base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"])
