"""The page as one file of HTML: markup, style, scripts, and the runs packed inside.

Owns how they are put together. Nothing that was recorded is ever markup: it is all inside of packs, in base64.
The Content-Security-Policy admits the page's own style and scripts by their hashes, and no connection.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from importlib import resources
from typing import BinaryIO

from ...traces.excerpt import END_OF_TIME_NS, Excerpt
from ..reading import Reader
from ..values import Window
from .cells import pack_view
from .document import Shown, pack_document, shown_runs
from .film import pack_film
from .quizzed import pack_quiz

SCRIPTS = (
    "words", "format", "unpack", "series", "model", "state", "style", "draw", "chart", "buffers", "stage", "text", "details", "tables",
    "remote", "find", "input", "live", "playwords", "playline", "playstate", "playdeck",
    "told", "playstage", "playpanes", "playbreaks", "playbar", "playask", "player", "quizwords", "quiz", "main",
)
"""The scripts of the page in the order in which they are read: each needs only those before it."""
CALLS_IN_A_FILE = 2_000_000
"""A run of more calls than these is put into a file with its long calls and the time of the others; `serve` shows all."""
COLUMNS_IN_A_FILE = 20_000


def write_html(excerpts: Sequence[Excerpt], out: BinaryIO) -> None:
    """Write a page that shows runs above each other, whole or as far as they are wanted.

    Args:
        excerpts: the runs, one or more.
        out: an open binary file.

    Raises:
        TraceError: a trace is damaged.
    """
    runs = shown_runs([
        (one.trace, one.run, Window(one.start_ns, one.end_ns) if one.start_ns or one.end_ns != END_OF_TIME_NS else None)
        for one in excerpts])
    payloads = {shown.title: one.payload for shown, one in zip(runs, excerpts, strict=True)}
    for part in _page(runs, payloads):
        out.write(part)


def _page(runs: Sequence[Shown], payloads: dict[str, bool]) -> Iterator[bytes]:
    yield from page_parts(_packs(runs, payloads), connect="'none'", films=_films(runs, payloads),
                          quizzes=map(pack_quiz, runs))


def _films(runs: Sequence[Shown], payloads: dict[str, bool]) -> Iterator[bytes | None]:
    """Yield what it takes to play each run, None where not every call of it is in the file."""
    for shown in runs:
        whole = Reader(shown.trace, shown.run).extent.counted <= CALLS_IN_A_FILE
        yield pack_film(shown, payload=payloads[shown.title]) if whole else None


def _packs(runs: Sequence[Shown], payloads: dict[str, bool]) -> Iterator[bytes]:
    yield pack_document(runs, served=False)
    for shown in runs:
        yield pack_view(shown.trace, shown.run, shown.window, COLUMNS_IN_A_FILE, payload=payloads[shown.title], most=CALLS_IN_A_FILE)


def page_parts(
    packs: Iterable[bytes], *, connect: str, films: Iterable[bytes | None] = (), quizzes: Iterable[bytes | None] = (),
) -> Iterator[bytes]:
    """Yield the page with packs inside.

    Args:
        packs: the document, then one for each run; none where the page is to ask for them.
        connect: whom the page may connect to, as `connect-src` says it.
        films: what it takes to play each run, read when somebody wants to see it.
        quizzes: the questions about each run, read when somebody wants to be asked.
    """
    style = _file("page.css") + _file("player.css") + _file("quiz.css")
    scripts = [_file(f"{name}.js") for name in SCRIPTS]
    before, _, after = _file("page.html").partition("<!-- packs and scripts -->")
    policy = "; ".join((
        "default-src 'none'", f"style-src {_hash(style)}", f"script-src {' '.join(_hash(script) for script in scripts)}",
        f"connect-src {connect}", "base-uri 'none'", "form-action 'none'"))
    head = before.replace("<!-- policy -->", f'<meta http-equiv="Content-Security-Policy" content="{policy}">')
    yield head.replace("<!-- style -->", f"<style>{style}</style>").encode()
    for packed in packs:
        yield b'<script type="application/octet-stream" class="pack">'
        yield base64.b64encode(packed)
        yield b"</script>\n"
    for kind, of_runs in (("film", films), ("quiz", quizzes)):
        for number, one in enumerate(of_runs):
            if one is not None:
                yield f'<script type="application/octet-stream" class="{kind}" data-run="{number}">'.encode()
                yield base64.b64encode(one)
                yield b"</script>\n"
    for script in scripts:
        yield f"<script>{script}</script>\n".encode()
    yield after.encode()


def _file(name: str) -> str:
    return (resources.files(__package__) / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
