"""The same page over loopback: what is in view is read from the trace when it is asked for.

Owns the HTTP server and what its addresses mean. Answers to its own name only: a page of somebody else's that
a browser was made to fetch from here (DNS rebinding) gets nothing. Knows no command.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Sequence
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from ...errors import SockreelError
from ...traces import Run, Trace, open_trace
from ..reading import Reader
from ..values import Window
from .calls import pack_window
from .cells import CALLS_AT_ONCE, pack_view
from .document import Shown, pack_document, shown_runs
from .film import pack_film
from .html import page_parts
from .packing import pack
from .quizzed import pack_quiz
from .search import find_calls, pack_call
from .stretches import Stretches

MOST_COLUMNS = 20_000
_REMEMBERED, _REMEMBERED_BYTES = 64, 64 << 20  # answers
_QUIET_S = 60  # a browser that opens a connection and says nothing does not keep a thread for ever

Ask = dict[str, str]
_NUMBER = re.compile(r"-?[0-9]{1,18}")  # what SQLite can hold


class NoSuchPage(Exception):
    """No such address, or it does not take what was asked for."""


class PageServer(ThreadingHTTPServer):
    """Serves the runs of a trace on 127.0.0.1 while `serve_forever` runs.

    Args:
        path: the trace; opened anew for every answer, so that a run that is still recorded shows what has come.
        choose: returns the runs to show of an open trace.
        port: 0 takes a free one; `address` then tells.
        payload: whether the bytes that calls moved are shown.
    """

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, path: Path, choose: Callable[[Trace], Sequence[Run]], port: int = 0, *, payload: bool = True) -> None:
        self.path, self.choose, self.payload = path, choose, payload
        # Python holds one lock while it computes: answers side by side would only all be late.
        self.turn = threading.Lock()
        self.known: dict[tuple[object, ...], bytes] = {}
        self.stretches: tuple[object, Stretches] | None = None
        super().__init__(("127.0.0.1", port), _Answer)

    @property
    def address(self) -> str:
        """What to open in a browser."""
        return f"http://127.0.0.1:{self.server_port}/"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that goes away in the midst of an answer is nothing to speak of."""

    def answer(self, path: str, asked: Ask) -> tuple[str, bytes]:
        """Return the content type and the body for an address.

        Raises:
            NoSuchPage: no such address, or not what it takes.
            SockreelError: the trace cannot be read.
        """
        if path == "/":
            return "text/html; charset=utf-8", b"".join(page_parts((), connect="'self'"))
        with self.turn, open_trace(self.path) as trace:
            runs = list(self.choose(trace))
            return _PACK, self._remembered(path, asked, trace, runs)

    def _remembered(self, path: str, asked: Ask, trace: Trace, runs: Sequence[Run]) -> bytes:
        """Return an answer anew, or as it was given before: runs that have ended do not change."""
        if any(run.duration_ns is None for run in runs):
            return self._pack(path, asked, trace, runs)
        # Another trace may have come in this one's place.
        key = path, *sorted(asked.items()), *((run.id, run.started_at, run.duration_ns) for run in runs)
        found = self.known.pop(key, None) or self._pack(path, asked, trace, runs)
        self.known[key] = found
        while len(self.known) > _REMEMBERED or (len(self.known) > 1 and sum(map(len, self.known.values())) > _REMEMBERED_BYTES):
            del self.known[next(iter(self.known))]
        return found

    def _pack(self, path: str, asked: Ask, trace: Trace, runs: Sequence[Run]) -> bytes:
        if path == "/document":
            return pack_document(shown_runs([(trace, run, None) for run in runs]), served=True)
        number = _number(asked, "run", "0")
        if not 0 <= number < len(runs):
            raise NoSuchPage("run")
        run = runs[number]
        if path == "/window":
            columns = min(MOST_COLUMNS, max(1, _number(asked, "columns")))
            return pack_view(trace, run, _window(asked), columns, payload=self.payload, most=CALLS_AT_ONCE)
        if path == "/quiz":
            return pack_quiz(shown_runs([(trace, run, None)])[0]) or pack({})
        if path == "/film":
            return self._film(asked, trace, run)
        if path == "/calls":
            return pack_window(trace, run, _window(asked), payload=self.payload)
        if path == "/call":
            return pack_call(trace, run, _number(asked, "id"))
        if path == "/find":
            return find_calls(trace, run, asked, payload=self.payload)
        raise NoSuchPage(path)

    def _film(self, asked: Ask, trace: Trace, run: Run) -> bytes:
        """Return what it takes to play a run; of a long one, the stretch around a moment, or a step."""
        reader = Reader(trace, run)
        if reader.extent.counted <= CALLS_AT_ONCE:
            (shown,) = shown_runs([(trace, run, None)])
            return pack_film(shown, payload=self.payload)
        # Counting takes seconds: one run is remembered, the one that somebody looks at.
        key = run.id, run.started_at, reader.end_ns
        if self.stretches is None or self.stretches[0] != key:
            self.stretches = key, Stretches(reader)
        cut = self.stretches[1]
        window, before = cut.with_step(_number(asked, "step")) if "step" in asked else cut.around(_number(asked, "at", "0"))
        return pack_film(Shown(trace, run, window, run.name), payload=self.payload, before=before)


def _number(asked: Ask, name: str, fallback: str | None = None) -> int:
    text = asked.get(name, fallback)
    if text is None or not _NUMBER.fullmatch(text):
        raise NoSuchPage(name)
    return int(text)


def _window(asked: Ask) -> Window:
    window = Window(_number(asked, "from"), _number(asked, "to"))
    if not 0 <= window.start_ns < window.end_ns < 2**62:
        raise NoSuchPage("from must lie before to")
    return window


_PACK = "application/octet-stream"


class _Answer(BaseHTTPRequestHandler):
    """One connection of a browser."""

    server: PageServer
    protocol_version = "HTTP/1.1"
    timeout = _QUIET_S

    def do_GET(self) -> None:
        """Answer."""
        self._answer(body=True)

    def do_HEAD(self) -> None:
        """Answer without the body."""
        self._answer(body=False)

    def _answer(self, body: bool) -> None:
        own = [[f"{name}:{self.server.server_port}"] for name in ("127.0.0.1", "localhost")]
        if self.headers.get_all("Host") not in own:
            self._send(HTTPStatus.MISDIRECTED_REQUEST, "text/plain; charset=utf-8", b"this page answers on loopback only", body)
            return
        where = urlsplit(self.path)
        try:
            asked = {name: values[-1] for name, values in parse_qs(where.query, keep_blank_values=True, max_num_fields=20).items()}
            kind, data = self.server.answer(where.path, asked)
        except SockreelError as error:
            self._send(HTTPStatus.INTERNAL_SERVER_ERROR, "text/plain; charset=utf-8", str(error).encode(errors="replace"), body)
        except (NoSuchPage, KeyError, ValueError, IndexError, OverflowError):
            self._send(HTTPStatus.NOT_FOUND, "text/plain; charset=utf-8", b"no such page", body)
        else:
            self._send(HTTPStatus.OK, kind, data, body)

    def _send(self, status: HTTPStatus, kind: str, data: bytes, body: bool) -> None:
        self.send_response(status)
        for name, value in (("Content-Type", kind), ("Content-Length", str(len(data))), ("Cache-Control", "no-store"),
                            ("X-Content-Type-Options", "nosniff"), ("Referrer-Policy", "no-referrer"), ("X-Frame-Options", "DENY"),
                            ("Cross-Origin-Resource-Policy", "same-origin"), ("Cross-Origin-Opener-Policy", "same-origin")):
            self.send_header(name, value)
        self.end_headers()
        if body:
            self.wfile.write(data)

    def version_string(self) -> str:
        """Say who answers, and no versions."""
        return "sockreel"

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: the terminal is the user's."""
