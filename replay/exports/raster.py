"""The timeline as pixels: a PNG, and a stretch of a run in slow motion as GIF, APNG or WebP.

Owns the way from the SVG to pixels, and the frames: a hand moves over the picture, what lies ahead is pale, and a caption
says what each thread is doing at that moment. Needs resvg-py and Pillow (`pip install 'sockreel[pictures]'`).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from importlib import import_module
from io import BytesIO
from typing import Any, BinaryIO

from ...errors import SockreelError
from ...traces.excerpt import Excerpt
from ..listing import Entry, load_listing
from ..story import load_story
from ..terminal import entry_words
from ..values import Story, Window
from ..words import brief, duration, moment
from .timeline_svg import LEGEND, MARGIN, NAMES, PLOT, draw_timeline, header_bottom

FRAMES, FRAME_MS = 160, 50
CAPTION = 26  # pixels a line
_ZOOM = 1.5
_PALE = 0.75


class PictureError(SockreelError):
    """A picture that cannot be drawn here."""


def _library(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError as error:
        raise PictureError("pictures of pixels need resvg-py and Pillow: pip install 'sockreel[pictures]' (svg needs neither)") from error


def rasterise(svg: str, zoom: float = _ZOOM) -> bytes:
    """Return an SVG as PNG, on white.

    Args:
        svg: the picture.
        zoom: pixels for one of its units.

    Raises:
        PictureError: resvg-py is not installed, or cannot draw it.
    """
    resvg = _library("resvg_py")
    try:
        return bytes(resvg.svg_to_bytes(svg_string=svg, background="#ffffff", zoom=zoom, sans_serif_family="DejaVu Sans"))
    except ValueError as error:
        raise PictureError(f"the picture cannot be turned into pixels: {error}") from error


def write_png(excerpts: Sequence[Excerpt], out: BinaryIO) -> None:
    """Write runs as one PNG, as `write_svg` draws them.

    Args:
        excerpts: the runs, or windows of them.
        out: an open binary file.

    Raises:
        PictureError: a library is missing.
        TraceError: the trace is damaged.
    """
    out.write(rasterise(draw_timeline([_story(excerpt) for excerpt in excerpts])))


def _story(excerpt: Excerpt) -> Story:
    whole = load_story(excerpt.trace, excerpt.run, resolution=PLOT, max_sockets=10, max_threads=8)
    window = Window(min(excerpt.start_ns, whole.end_ns - 1), min(excerpt.end_ns, whole.end_ns))
    if (window.start_ns, window.end_ns) == (0, whole.end_ns):
        return whole
    return load_story(excerpt.trace, excerpt.run, window, resolution=PLOT, max_sockets=10, max_threads=8)


def write_gif(excerpts: Sequence[Excerpt], out: BinaryIO) -> None:
    """Write a stretch of a run in slow motion as an animated GIF; arguments and errors as `write_png`."""
    _animate(excerpts[0], out, "GIF", {"optimize": True})


def write_apng(excerpts: Sequence[Excerpt], out: BinaryIO) -> None:
    """Write a stretch of a run in slow motion as an animated PNG; arguments and errors as `write_png`."""
    _animate(excerpts[0], out, "PNG", {})


def write_webp(excerpts: Sequence[Excerpt], out: BinaryIO) -> None:
    """Write a stretch of a run in slow motion as an animated WebP; arguments and errors as `write_png`."""
    _animate(excerpts[0], out, "WEBP", {"quality": 70, "method": 3})


def _animate(excerpt: Excerpt, out: BinaryIO, kind: str, options: dict[str, Any]) -> None:
    story = _story(excerpt)
    listing = load_listing(excerpt.trace, excerpt.run, story.window, payloads=False)
    frames = _Frames(story, listing.entries, _library("PIL.Image"), _library("PIL.ImageDraw"), _library("PIL.ImageFont"))
    pictures = [frames.frame(number / (FRAMES - 1)) for number in range(FRAMES)]
    # The last one stays for two seconds: whoever looks must see the end.
    durations = [FRAME_MS] * (FRAMES - 1) + [2_000]
    pictures[0].save(out, kind, save_all=True, append_images=pictures[1:], duration=durations, loop=0, **options)


class _Frames:
    """Frames of one story: the picture once, and over it what changes."""

    def __init__(self, story: Story, entries: Sequence[Entry], image: Any, draw: Any, font: Any) -> None:
        self.story, self._image, self._draw = story, image, draw
        self._base = image.open(BytesIO(rasterise(draw_timeline([story]), 1.0))).convert("RGB")
        self._pale = image.blend(self._base, image.new("RGB", self._base.size, "white"), _PALE)
        self._top = header_bottom(story)
        self._font = font.load_default(15)
        self._threads = {lane.id: brief(lane.name, 18) for lane in story.threads[:4]}
        self._by_thread: dict[int, list[Entry]] = {}
        for entry in entries:
            self._by_thread.setdefault(entry.first.thread_id, []).append(entry)
        self._starts = {thread: [entry.first.started_ns for entry in own] for thread, own in self._by_thread.items()}

    def frame(self, share: float) -> Any:
        """Return the frame at a share of the window."""
        window = self.story.window
        at_ns = window.start_ns + round(share * window.length_ns)
        wide, high = self._base.size
        picture = self._image.new("RGB", (wide, high + CAPTION * (len(self._threads) + 1)), "white")
        x = MARGIN + NAMES + round(share * PLOT)
        picture.paste(self._base, (0, 0))
        top, bottom, right = self._top, high - LEGEND, MARGIN + NAMES + PLOT + 2
        picture.paste(self._pale.crop((x, top, right, bottom)), (x, top))
        pen = self._draw.Draw(picture)
        pen.line((x, top, x, bottom), fill="#b00020", width=2)
        slow = FRAMES * FRAME_MS * 1_000_000 / window.length_ns
        pace = "as in life"
        if not 0.5 < slow < 2:
            pace = f"{slow:,.0f} times slower than life" if slow >= 2 else f"{1 / slow:,.0f} times faster than life"
        self._caption(pen, high, f"{moment(at_ns, max(1, window.length_ns // 1000))}   ({pace})")
        for row, (thread, name) in enumerate(self._threads.items(), 1):
            self._caption(pen, high + CAPTION * row, f"{name}: {self._doing(thread, at_ns)}")
        return picture

    def _caption(self, pen: Any, top: int, text: str) -> None:
        # The font that comes with Pillow knows Latin letters only; hostile text is visible already.
        shown = "".join(letter if ord(letter) < 0x250 else "?" for letter in text.replace("×", "x").replace("…", "..."))
        pen.text((MARGIN, top + 4), shown[:150], fill="#222222", font=self._font)

    def _doing(self, thread: int, at_ns: int) -> str:
        own = self._by_thread.get(thread, [])
        at = bisect_right(self._starts.get(thread, []), at_ns) - 1
        if at < 0 or own[at].last.ended_ns < at_ns:
            return "in no recorded call"
        entry = own[at]
        words = entry_words(entry, self.story)
        since = duration(at_ns - entry.first.started_ns)
        if entry.calls == 1 and entry.first.ended_ns > at_ns:
            asked = words.partition(")")[0] + ")"
            return f"{asked} for {since}"
        return words
