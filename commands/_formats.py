"""The formats that `export` writes: one line each, nothing imported before it is used.

Owns the list. A writer is a function `(excerpts, out)` in a file of its own: excerpts as traces/excerpt.py
has them, `out` an open binary file. Formats that draw or list are in replay/exports/, those that need what
only the recorder knows (packets, clients) are in recorder/.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module

Writer = Callable[..., None]
"""(excerpts, out), and width and height where a format is sized."""


@dataclass(frozen=True)
class Format:
    """One format.

    Args:
        name: as `--format` takes it.
        suffix: of a file, with its dot.
        about: in a few words.
        writer: "room.module:function", below the package.
        several: whether one file may hold more than one run.
        text: whether it may go to a terminal.
        payload: whether bytes that calls moved may be in it.
        sized: whether it takes a width and a height, in cells of a terminal.
    """

    name: str
    suffix: str
    about: str
    writer: str
    several: bool = False
    text: bool = True
    payload: bool = True
    sized: bool = False

    def load(self) -> Writer:
        """Import the writer."""
        module, _, function = self.writer.partition(":")
        writer: Writer = getattr(import_module(f"..{module}", __package__), function)
        return writer


FORMATS = {
    one.name: one
    for one in (
        Format("html", ".html", "a page to zoom and click in, in one file", "replay.page.html:write_html", several=True, text=False),
        Format("csv", ".csv", "every call a line, for a spreadsheet", "replay.exports.rows:write_csv", several=True),
        Format("jsonl", ".jsonl", "every call a JSON object on a line of its own", "replay.exports.rows:write_jsonl", several=True),
        Format("svg", ".svg", "a picture of the run for slides and pages", "replay.exports.timeline_svg:write_svg", several=True,
               payload=False),
        Format("png", ".png", "the same picture as pixels", "replay.exports.raster:write_png", several=True, text=False, payload=False),
        Format("gif", ".gif", "a stretch of a run in slow motion", "replay.exports.raster:write_gif", text=False, payload=False),
        Format("apng", ".apng", "the same as an animated PNG", "replay.exports.raster:write_apng", text=False, payload=False),
        Format("webp", ".webp", "the same as an animated WebP", "replay.exports.raster:write_webp", text=False, payload=False),
        Format("asciicast", ".cast", "the player in slow motion, one run or two in step, for asciinema",
               "replay.exports.asciicast:write_asciicast", several=True, sized=True),
        Format("mermaid", ".mmd", "a sequence diagram for Markdown and slides", "replay.exports.sequence:write_mermaid"),
        Format("sequence", ".txt", "the same diagram as plain text", "replay.exports.sequence:write_sequence"),
        Format("perfetto", ".pftrace", "tracks and slices for ui.perfetto.dev", "replay.exports.perfetto:write_perfetto", several=True,
               text=False),
        Format("chrome", ".trace.json", "tracks and slices for about:tracing and its like", "replay.exports.chrome:write_chrome",
               several=True),
        Format("strace", ".strace", "every call a line, in the manner of strace", "replay.exports.strace_text:write_strace", several=True),
        Format("workload", ".toml", "the clients of a run, to be played again against any server",
               "recorder.workloads.again:write_workload"),
        Format("growth", ".growth.svg", "the pictures of a sweep, all of its runs, as SVG", "replay.exports.growth:write_growth",
               payload=False),
        Format("pcapng", ".pcapng", "packets for Wireshark, each with its calls; made of the calls where none were captured",
               "recorder.capture.exporting:write_pcapng", several=True, text=False),
    )
}


def format_of(name: str | None, path: str | None) -> Format | None:
    """Return the format that is named, else the one that a file's name ends with; None where neither tells."""
    if name is not None:
        return FORMATS[name]
    found = [one for one in FORMATS.values() if path is not None and path.endswith(one.suffix)]
    return max(found, key=lambda one: len(one.suffix)) if found else None
