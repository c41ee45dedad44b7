"""Stevens' figures in the terminal: two lifelines, arrows between them, and braces for the phases.

Owns columns and characters. Draws a figure, reads nothing, measures nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len

from .figure import Figure, Phase, Say, Step
from .figure_words import about, legend, say, title
from .look import Look, Page, Piece, styled
from .words import duration, fit, visible_bytes

_STYLE = {"wait": "blocked", "copy": "moved", "blocked": "blocked", "polls": "fruitless", "free": "other", "unknown": "unfinished"}
DATA_SHOWN = 40
_PARTS = (6, 22, 22), (6, 30, 34), (9, 20, 20)  # program, kernel, brace: columns at least, share in per cent, columns at most


@dataclass(frozen=True)
class _Signs:
    """The characters of a figure, all one column wide."""

    thin: str
    thick: str
    flat: str
    right: str
    left: str
    dot: str
    unknown: str
    more: str
    brace: tuple[str, str, str, str]
    open_brace: tuple[str, str, str, str]
    at_least: str


_UNICODE = _Signs("│", "┃", "─", "▶", "◀", "●", "○", "┊", ("╮", "│", "├", "╯"), ("╮", "┊", "├", "╯"), "≥")
_ASCII = _Signs("|", "#", "-", ">", "<", "o", "?", ":", (".", "|", "+", "'"), (".", ":", "+", "'"), ">")


@dataclass(frozen=True)
class _Columns:
    """How wide each part is: time, its source, program, arrow, kernel, queue, brace."""

    time: int
    source: int
    program: int
    wire: int
    kernel: int
    queue: int
    brace: int

    @classmethod
    def of(cls, look: Look, time: int, source: int, queue: int) -> _Columns:
        room = max(24, look.width - time - source - queue - 9)
        program, kernel, brace = (max(least, min(most, room * part // 100)) for least, part, most in _PARTS)
        return cls(time, source, program, max(6, min(32, room - program - kernel - brace)), kernel, queue, brace)


@dataclass
class _Line:
    """One line while it is put together."""

    step: int
    time: str = ""
    source: str = ""
    program: str = ""
    program_state: str = ""
    wire: tuple[str, str] = ("", "")
    kernel: str = ""
    kernel_sign: str = ""
    queue: str = ""
    inside: bool = False
    more: bool = False
    brace: Piece = (" ", "")
    label: Piece = ("", "")


def render_figure(figure: Figure, look: Look, lang: str = "en", payload: bool = True) -> str:
    """Return a figure as text.

    Args:
        lang: en or zh.
        payload: whether to show the first bytes that came.
    """
    page = Page(look)
    name, number = title(figure, lang)
    page.line((name, styled("title")), (f"  ({number})", styled("quiet")))
    for line in about(figure, lang):
        page.wrapped(line, indent=2, first=2, state="quiet")
    page.line("")
    _Drawing(figure, look, lang).onto(page)
    page.line("")
    data = figure.receive.payload
    if payload and data is not None:
        page.wrapped(say_raw("data", lang, visible_bytes(data, figure.call.result or len(data), DATA_SHOWN)))
    for note in figure.notes:
        page.wrapped(say(note, lang))
    for line in legend(figure, lang):
        page.wrapped(line.replace("≥", ">=") if look.ascii else line, indent=2, state="quiet")
    return page.text()


def say_raw(key: str, lang: str, value: str) -> str:
    """Return words around a value that has been made visible already and is not to be cut."""
    return say(Say(key, ("\0",)), lang).replace("\\x00", value)


def clock(at_ns: int, origin_ns: int, seconds: bool) -> str:
    """Return a moment counted from the figure's first row: milliseconds to the microsecond, or seconds."""
    value_ns = at_ns - origin_ns
    return f"{value_ns / 1e9:,.6f}" if seconds else f"{value_ns / 1e6:,.3f}"


def in_seconds(figure: Figure) -> bool:
    """Return whether the times of a figure are too long for milliseconds."""
    return any(abs(step.at_ns - figure.origin_ns) >= 100_000_000_000 for step in figure.steps if step.at_ns is not None)


def wrap(text: str, columns: int) -> list[str]:
    """Return a text in lines of so many columns, broken at blanks, and between wide characters where there are none."""
    lines = [""]
    for word in text.split(" "):
        joined = f"{lines[-1]} {word}" if lines[-1] else word
        if cell_len(joined) <= columns:
            lines[-1] = joined
            continue
        if lines[-1]:
            lines.append("")
        for letter in word:
            if cell_len(lines[-1] + letter) > columns:
                lines.append("")
            lines[-1] += letter
    return lines


class _Drawing:
    """The rows of one figure as lines."""

    def __init__(self, figure: Figure, look: Look, lang: str) -> None:
        self.figure, self.look, self.lang = figure, look, lang
        self.signs = _ASCII if look.ascii else _UNICODE
        self.seconds = in_seconds(figure)
        times = [self._time(step) for step in figure.steps]
        sources = [self._source(step) for step in figure.steps]
        queues = [self._queue(step) for step in figure.steps]
        head = cell_len(self._word("queued"))
        queue = max([head, *map(cell_len, queues)]) if any(queues) else 0
        self.columns = _Columns.of(look, max(map(cell_len, times)), max(map(cell_len, sources)), queue)

    def _word(self, key: str) -> str:
        return say(Say(key), self.lang)

    def _time(self, step: Step) -> str:
        if step.at_ns is None:
            return ""
        return clock(step.at_ns, self.figure.origin_ns, self.seconds)

    def _source(self, step: Step) -> str:
        return self._word(f"source {step.source}") if step.at_ns is not None or step.unmeasured else ""

    def _queue(self, step: Step) -> str:
        if step.queued is None:
            return ""
        return (self.signs.at_least if step.at_least else "") + f"{step.queued:,}"

    def onto(self, page: Page) -> None:
        """Add the picture to a page."""
        columns = self.columns
        unit = "s" if self.seconds else "ms"
        page.line((f"{unit:>{columns.time}} " + " " * (columns.source + 1), styled("quiet")),
                  (_right(self._word("application"), columns.program + 2), styled("title")), " " * columns.wire,
                  (" " + fit(self._word("kernel"), columns.kernel + 2), styled("title")),
                  (_right(self._word("queued") if columns.queue else "", columns.queue), styled("quiet")))
        lines: list[_Line] = []
        for number, step in enumerate(self.figure.steps):
            lines += self._lines(number, step)
        self._phases(lines)
        for line in lines:
            self._put(page, line)

    def _lines(self, number: int, step: Step) -> list[_Line]:
        columns = self.columns
        program = wrap(say(step.program, self.lang), columns.program) if step.program else []
        kernel = wrap(say(step.kernel, self.lang), columns.kernel - 2) if step.kernel else []
        wires = self._wires(step)
        count = max(1, len(program), len(kernel), len(wires))
        before = number > 0 and self.figure.steps[number - 1].inside
        lines = [_Line(number, inside=step.inside or (before and step.kind == "kernel"), more=step.kind == "more") for _ in range(count)]
        for line, text in zip(lines, program, strict=False):
            line.program = text
        for line, text in zip(lines, kernel, strict=False):
            line.kernel = text
        for line, wire in zip(lines, wires, strict=False):
            line.wire = wire
        first = lines[0]
        first.time, first.source, first.queue = self._time(step), self._source(step), self._queue(step)
        first.kernel_sign = self._sign(step)
        return lines

    def _sign(self, step: Step) -> str:
        return "" if not step.told else self.signs.unknown if step.unmeasured else self.signs.dot

    def _wires(self, step: Step) -> list[tuple[str, str]]:
        """Return what stands between the lifelines: an arrow with its words, and a caption."""
        width, signs = self.columns.wire, self.signs
        words = say(step.wire, self.lang)
        lines = []
        if step.kind in ("call", "return"):
            over = wrap(words, width - 2) if cell_len(words) > width - 3 else []
            shown = "" if over else f" {words} " if words else ""
            rest = max(0, width - 1 - cell_len(shown))
            left, right = signs.flat * (rest // 2), signs.flat * (rest - rest // 2)
            arrow = f"{left}{shown}{right}{signs.right}" if step.kind == "call" else f"{signs.left}{left}{shown}{right}"
            lines.append((arrow, "moved" if step.kind == "return" and step.call_id == self.figure.call.call_id else ""))
            lines += [(_centred(text, width), "") for text in over]
        elif words:
            lines.append((_centred(words, width), "fruitless"))
        if step.caption is not None:
            lines += [(_centred(text, width), "quiet") for text in wrap(say(step.caption, self.lang), width - 1)]
        return lines

    def _phases(self, lines: list[_Line]) -> None:
        """Draw the braces: the kernel's at the right, the program's beside its lifeline where there is room."""
        for phase in self.figure.phases:
            if phase.side == "kernel":
                self._brace(lines, phase)
        for phase in self.figure.phases:
            if phase.side == "program":
                self._beside(lines, phase)

    def _span(self, lines: Sequence[_Line], phase: Phase) -> list[int]:
        """Return the lines of a phase: from the first of its first row to the first of its last."""
        first = next(number for number, line in enumerate(lines) if line.step == phase.first)
        last = next(number for number, line in enumerate(lines) if line.step == phase.last)
        return list(range(first, last + 1))

    def _brace(self, lines: list[_Line], phase: Phase) -> None:
        label = wrap(say(phase.words, self.lang), self.columns.brace - 1) + ([] if phase.ns is None else [self._length(phase)])
        own = self._span(lines, phase)
        if lines[own[0]].brace[0] != " ":
            own = own[1:]  # where one brace ends the next one begins a line below
        if not own:
            return
        while len(own) < len(label):  # a brace is as long as its words
            at = own[-1]
            lines.insert(at, _Line(lines[at].step, inside=lines[at - 1].inside, more=lines[at - 1].more))
            lines[at].step = lines[at - 1].step
            own.append(own[-1] + 1)
        signs = self.signs.open_brace if phase.state == "unknown" else self.signs.brace
        style = styled(_STYLE[phase.state])
        middle = own[len(own) // 2] if len(own) > 2 else own[0]
        for number in own:
            sign = signs[0] if number == own[0] else signs[3] if number == own[-1] else signs[2] if number == middle else signs[1]
            lines[number].brace = (signs[2] if len(own) == 1 else sign, style)
        start = own[max(0, (len(own) - len(label)) // 2)]
        for offset, text in enumerate(label):
            lines[start + offset].label = (text, style)

    def _length(self, phase: Phase) -> str:
        return duration(phase.ns)

    def _beside(self, lines: list[_Line], phase: Phase) -> None:
        own = self._span(lines, phase)
        label = wrap(say(phase.words, self.lang), self.columns.program) + ([] if phase.ns is None else [self._length(phase)])
        free = [number for number in own if not lines[number].program and number != own[-1]]
        runs = [number for number in free if all(number + offset in free for offset in range(len(label)))]
        if phase.state in ("blocked", "polls") and not runs:
            return
        if runs:
            for offset, text in enumerate(label):
                lines[runs[0] + offset].program, lines[runs[0] + offset].program_state = text, _STYLE[phase.state]

    def _put(self, page: Page, line: _Line) -> None:
        columns, signs = self.columns, self.signs
        life: Piece = (signs.more, styled("quiet")) if line.more else (signs.thick, styled("blocked")) if line.inside else (signs.thin, "")
        page.line(
            (f"{line.time:>{columns.time}} ", ""), (fit(line.source, columns.source) + " ", styled("quiet")),
            (_right(line.program, columns.program) + " ", styled(line.program_state)), life,
            (fit(line.wire[0], columns.wire), styled(line.wire[1])), (signs.more if line.more else signs.thin, styled("quiet")),
            (f" {line.kernel_sign or ' '}" if line.kernel_sign else " ", ""),
            (fit((" " if line.kernel_sign else "") + line.kernel, columns.kernel - (1 if line.kernel_sign else 0)), ""),
            (_right(line.queue, columns.queue) + " ", styled("quiet")), line.brace, (" ", ""), line.label)


def _right(text: str, columns: int) -> str:
    return " " * max(0, columns - cell_len(text)) + fit(text, min(columns, cell_len(text))) if text else " " * columns


def _centred(text: str, columns: int) -> str:
    before = max(0, columns - cell_len(text)) // 2
    return " " * before + text
