"""A run, or several above each other on one axis, as an SVG picture for slides and pages.

Owns the drawing: shapes, colours, patterns. Draws stories, computes no times. Every pixel column of a lane shows the share of time
that each kind of call took in it, so that nothing shorter than a pixel is drawn longer than it was; where bytes moved there is a
tick above. Colours are Okabe and Ito's, told apart by pattern as well; text uses what fonts there are.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import reduce
from typing import BinaryIO
from xml.sax.saxutils import escape

from rich.cells import cell_len

from ...traces.excerpt import Excerpt
from ..axis import Axis, axis_ticks
from ..blindness import spot_words
from ..density import shares
from ..lanes import pause_words, queue_tops, share_words
from ..language import say
from ..story import load_story
from ..telling import message
from ..values import FAILED, KINDS, Exchange, Lane, Story, Window
from ..words import brief, counted, duration, enumerated, model_words, size, visible

NAMES, PLOT, WORDS, MARGIN = 190, 960, 120, 16
ROW, BAR, GAP = 24, 15, 14
WIDTH = MARGIN + NAMES + PLOT + WORDS + MARGIN
LEGEND = ROW + MARGIN  # pixels at the bottom
_HEADER = 20  # pixels a line
_SPOTS = 3  # blind spots that are told
_ROMAN = 7.2  # width of a letter in the size of lane names, in the fonts that come first

_STYLE = """
text { font: 13px "DejaVu Sans", "Noto Sans", "Segoe UI", Helvetica, Arial, sans-serif; fill: #222 }
.title { font-weight: bold; font-size: 16px } .quiet { fill: #666; font-size: 12px } .right { text-anchor: end }
.ground { fill: #fff } .line { stroke: #bbb; fill: none } .life { stroke: #999; stroke-width: 1.5; fill: none }
.blocked { fill: #d55e00 } .fruitless { fill: url(#fruitless) } .moved { fill: #009e73 } .other { fill: #0072b2 }
.tick { fill: #009e73 } .waits { fill: url(#waits) } .fails { stroke: #b00; stroke-width: 2; fill: none }
.ends { stroke: #56b4e9; stroke-width: 2; fill: none } .queue { fill: #56b4e9 }
@media (prefers-color-scheme: dark) {
  text { fill: #e6e6e6 } .quiet { fill: #aaa } .ground { fill: #16181c } .line { stroke: #444 } .life { stroke: #777 }
}
"""
_PATTERNS = (
    '<pattern id="fruitless" width="5" height="5" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
    '<rect width="5" height="5" fill="#f0e442"/><rect width="2" height="5" fill="#e69f00"/></pattern>'
    '<pattern id="waits" width="6" height="6" patternUnits="userSpaceOnUse"><rect width="6" height="6" fill="#cc79a7" opacity=".45"/>'
    '<circle cx="3" cy="3" r="1.4" fill="#cc79a7"/></pattern>'
)
_MEANING = (
    ("blocked", message("blocked in a call")), ("fruitless", message("fruitless calls")), ("moved", message("moving data")),
    ("other", message("other calls")), ("waits", message("client waits for its answer")),
)
_QUEUED = "queue", message("most bytes in the kernel's buffer")


def write_svg(excerpts: Sequence[Excerpt], out: BinaryIO) -> None:
    """Write runs as one SVG, above each other on one axis; each begins at its own start.

    Args:
        excerpts: the runs, or windows of them.
        out: an open binary file.

    Raises:
        TraceError: the trace is damaged.
    """
    stories = []
    for excerpt in excerpts:
        whole = load_story(excerpt.trace, excerpt.run, resolution=PLOT, max_sockets=10, max_threads=8, requests=False)
        window = Window(min(excerpt.start_ns, whole.end_ns), min(excerpt.end_ns, whole.end_ns))
        if (window.start_ns, window.end_ns) != (0, whole.end_ns):
            whole = load_story(excerpt.trace, excerpt.run, window, resolution=PLOT, max_sockets=10, max_threads=8)
        stories.append(whole)
    out.write(draw_timeline(stories).encode("utf-8"))


def draw_timeline(stories: Sequence[Story]) -> str:
    """Return the picture of stories on one axis, which begins where each of them begins."""
    length_ns = max(story.window.length_ns for story in stories)
    parts: list[str] = []
    top = MARGIN
    for story in stories:
        drawn = _Drawing(story, Window(story.window.start_ns, story.window.start_ns + length_ns), top)
        parts += drawn.parts()
        top = drawn.bottom + GAP
    parts += _legend(top, any(story.queues for story in stories))
    height = top + LEGEND
    label = escape(reduce(lambda runs, run: say("{runs} and {run}", runs=runs, run=run), (brief(story.facts.name) for story in stories)))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}" role="img">'
        f"<title>{label}</title><style>{escape(_STYLE)}</style><defs>{_PATTERNS}</defs>"
        f'<rect class="ground" width="{WIDTH}" height="{height}"/>{"".join(parts)}</svg>\n')


def header_bottom(story: Story) -> int:
    """Return where the words above the axis of the first story end, in pixels from the top."""
    told = story.model is not None and story.model.model != "unknown"
    return MARGIN + _HEADER * (2 + told + min(_SPOTS, len(story.facts.blind_spots)))


class _Drawing:
    """One story, drawn from `top` on; `bottom` tells where it ends."""

    def __init__(self, story: Story, window: Window, top: int) -> None:
        self.story, self.axis = story, Axis(window, PLOT)
        self.bottom = top

    def parts(self) -> Iterator[str]:
        story = self.story
        yield self._words(brief(story.facts.name, 60), "title")
        told = [counted(story.facts.calls, "call"), say("{n} fruitless", n=f"{story.facts.fruitless:,}") if story.facts.fruitless else "",
                say("CPU {time}", time=duration(story.cpu.ns)) if story.cpu else "",
                say("{n} LOST", n=f"{story.facts.lost:,}") if story.facts.lost else ""]
        yield self._words(enumerated(told), "quiet")
        if story.model is not None and story.model.model != "unknown":
            yield self._words(say("Model: {model}", model=model_words(story.model)), "quiet")
        for spot in story.facts.blind_spots[:_SPOTS]:
            yield self._words(say("Not seen: {spot}", spot=brief(spot_words(spot), 150)), "quiet")
        yield from self._ruler()
        for lane in (*story.threads, *story.sockets):
            yield from self._lane(lane)
        for lane in story.sockets:
            if lane.id in story.queues:
                yield from self._buffer(lane)
        for client, exchanges in self._clients().items():
            yield from self._client(client, exchanges)

    def _words(self, text: str, kind: str) -> str:
        self.bottom += _HEADER
        return f'<text class="{kind}" x="{MARGIN}" y="{self.bottom - 5}">{escape(text)}</text>'

    def _ruler(self) -> Iterator[str]:
        left = MARGIN + NAMES
        y = self.bottom + 22
        yield f'<path class="line" d="M{left} {y}h{PLOT}"/>'
        # A label takes as much room as some letters: an axis of letters says which times have one.
        for at_ns, label in axis_ticks(Axis(self.axis.window, PLOT // 8)):
            column = round(self._x(at_ns)) - left
            anchor = ' text-anchor="middle"' if 20 < column < PLOT - 20 else ' text-anchor="end"' if column >= PLOT - 20 else ""
            yield f'<path class="line" d="M{left + column} {y}v-5"/>'
            yield f'<text class="quiet" x="{left + column}" y="{y - 9}"{anchor}>{label}</text>'
        self.bottom = y + 6

    def _name(self, name: str, words: str) -> str:
        most = int((NAMES - 8) / _ROMAN)
        shown = brief(name, most) if cell_len(name) > most else visible(name)
        base = self.bottom + BAR
        right = WIDTH - MARGIN
        return (f'<text x="{MARGIN}" y="{base}">{escape(shown)}</text>'
                + (f'<text class="quiet right" x="{right}" y="{base}">{escape(words)}</text>' if words else ""))

    def _lane(self, lane: Lane) -> Iterator[str]:
        window = self.axis.window
        yield self._name(lane.name, share_words(lane, self.story.window))
        left, y = MARGIN + NAMES, self.bottom + 3
        if lane.kind == "socket":
            begin = self._x(max(lane.opened_ns or 0, window.start_ns))
            end = self._x(min(lane.closed_ns if lane.closed_ns is not None else self.story.end_ns, window.end_ns))
            yield f'<path class="life" d="M{begin} {y + BAR}H{end}"/>'
        columns = shares(lane.cells, window, PLOT)
        for kind, path in _stacks(columns, left, y):
            yield f'<path class="{kind}" d="{path}"/>'
        moved = sorted({column for cell in lane.cells if cell.bytes
                        if (column := self.axis.column((cell.start_ns + cell.end_ns) // 2)) is not None})
        if moved:
            yield f'<path class="tick" d="{"".join(f"M{left + column - 1} {y - 2}h3v4h-3z" for column in moved)}"/>'
        yield from self._marks(lane, y)
        for span in lane.spans[:200]:
            if span.ended_ns > window.start_ns and span.started_ns < window.end_ns:
                x, wide = self._x(max(span.started_ns, window.start_ns)), span.duration_ns * PLOT / window.length_ns
                took = say("never returned") if span.unfinished else duration(span.duration_ns)
                told = f"{span.operation}: {took}"
                place = f" ({brief(span.site.short)})" if span.site else ""
                yield (f'<rect x="{x}" y="{y}" width="{max(1.0, wide):.1f}" height="{BAR}" fill-opacity="0">'
                       f"<title>{escape(visible(told + place))}</title></rect>")
        self.bottom += ROW

    def _marks(self, lane: Lane, y: int) -> Iterator[str]:
        for mark in lane.marks:
            column = self.axis.column(mark.at_ns)
            if column is None:
                continue
            x, middle = MARGIN + NAMES + column, y + BAR // 2
            if mark.outcome in FAILED and mark.outcome != "interrupted":
                yield f'<path class="fails" d="M{x - 4} {middle - 4}l8 8m0 -8l-8 8"><title>{escape(mark.outcome)}</title></path>'
            elif mark.outcome == "eof" and lane.kind == "socket":
                ends = escape(say("end of stream"))
                yield f'<circle class="ends" cx="{x}" cy="{middle}" r="4"><title>{ends}</title></circle>'

    def _buffer(self, lane: Lane) -> Iterator[str]:
        """Draw what lay in a socket's receive buffer: in each column the most of it, on a scale of its own."""
        told = self.story.queues[lane.id]
        most = max(level.queued_bytes for level in told)
        yield self._name(say("in the kernel: {name}", name=lane.name), say("max {size}", size=size(most)))
        left, floor = MARGIN + NAMES, self.bottom + 3 + BAR
        tops = queue_tops(told, self.axis, lane.closed_ns if lane.closed_ns is not None else self.story.end_ns)
        path, start = [], 0
        for column in range(1, PLOT + 1):
            if column < PLOT and tops[column] == tops[start]:
                continue
            if tops[start] >= 0:
                # Nothing there is a line, as open sockets have one.
                high = max(1.0, BAR * tops[start] / most) if tops[start] else 0.5
                path.append(f"M{left + start} {floor - high:.2f}h{column - start}v{high:.2f}h-{column - start}z")
            start = column
        yield f'<path class="queue" d="{"".join(path)}"/>'
        self.bottom += ROW

    def _clients(self) -> dict[str, list[Exchange]]:
        found: dict[str, list[Exchange]] = {}
        for exchange in self.story.exchanges:
            found.setdefault(exchange.client, []).append(exchange)
        return dict(list(found.items())[:8])

    def _client(self, name: str, exchanges: Sequence[Exchange]) -> Iterator[str]:
        window = self.axis.window
        yield self._name(name, pause_words(exchanges))
        y = self.bottom + 3
        for exchange in exchanges:
            if exchange.sent_ns is None or exchange.n == 0:
                continue
            end_ns = self.story.end_ns if exchange.answered_ns is None else exchange.answered_ns
            if end_ns < window.start_ns or exchange.sent_ns > window.end_ns:
                continue
            x = self._x(max(exchange.sent_ns, window.start_ns))
            wide = max(1.5, self._x(min(end_ns, window.end_ns)) - x)
            told = say("request {n}: no answer", n=exchange.n) if exchange.latency_ns is None else say(
                "request {n}: {time}", n=exchange.n, time=duration(exchange.latency_ns))
            yield (f'<rect class="waits" x="{x}" y="{y}" width="{wide:.1f}" height="{BAR}">'
                   f"<title>{escape(told)}</title></rect>"
                   f'<path class="tick" d="M{x + wide - 1:.1f} {y}h2v{BAR}h-2z"/>')
        self.bottom += ROW

    def _x(self, at_ns: int) -> float:
        window = self.axis.window
        return round(MARGIN + NAMES + (at_ns - window.start_ns) * PLOT / window.length_ns, 1)


def _stacks(columns: Sequence[Sequence[float]], left: int, y: int) -> Iterator[tuple[str, str]]:
    """Yield, per kind, one path of all its bars: in each column the kinds stand on each other, as high as their share of its time."""
    paths: dict[str, list[str]] = {kind: [] for kind in KINDS}
    start = 0
    for column in range(1, len(columns) + 1):
        if column < len(columns) and [round(share * 200) for share in columns[column]] == [round(share * 200) for share in columns[start]]:
            continue
        base = float(y + BAR)
        for kind, share in zip(KINDS, columns[start], strict=False):
            high = min(1.0, share) * BAR
            if high >= 0.05:
                top = max(float(y), base - high)
                paths[kind].append(f"M{left + start} {top:.2f}h{column - start}v{base - top:.2f}h-{column - start}z")
                base = top
        start = column
    for kind in KINDS:
        if paths[kind]:
            yield kind, "".join(paths[kind])


def _legend(top: int, queues: bool) -> Iterator[str]:
    x = MARGIN
    for kind, meaning in (*_MEANING, *([_QUEUED] if queues else [])):
        told = say(meaning)
        yield f'<rect class="{kind}" x="{x}" y="{top}" width="22" height="{BAR}"/><text x="{x + 28}" y="{top + 12}">{escape(told)}</text>'
        x += 28 + int(cell_len(told) * _ROMAN) + 26
