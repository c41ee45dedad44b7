"""Stevens' figures as SVG: one file, no script, fonts of the reader's system, for light and dark paper.

Owns measures in pixels and the markup; every text is escaped. Draws a figure, reads nothing, measures nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

from .figure import Figure, Phase, Say, Step
from .figure_words import about, legend, say, title
from .terminal_figure import DATA_SHOWN, clock, in_seconds, say_raw, wrap
from .words import duration, visible_bytes

WIDTH = 1080
_TIME, _LEFT_BRACE, _PROGRAM, _KERNEL, _QUEUE, _BRACE = 100, 300, 420, 640, 880, 905
_CELL, _LINE, _AIR = 7.6, 18, 16
_STYLE = """
  svg { color-scheme: light dark; font: 14px system-ui, "Noto Sans CJK SC", "PingFang SC", "Microsoft YaHei", sans-serif; }
  .paper { fill: #ffffff; } text { fill: #1f2328; } .quiet { fill: #656d76; } .title { font-weight: 600; font-size: 20px; }
  .head { font-weight: 600; } .mono { font-family: ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace; font-size: 13px; }
  .life { stroke: #8c959f; stroke-width: 1.5; } .rule { stroke: #d0d7de; } .arrow { stroke: #1f2328; stroke-width: 1.5; fill: none; }
  .tip { fill: #1f2328; } .in { fill: #cf222e; } .box { fill: #f6f8fa; stroke: #d0d7de; }
  .dot { fill: #1a7f37; } .hollow { fill: none; stroke: #8250df; stroke-width: 1.5; }
  .brace { fill: none; stroke-width: 1.8; } .open { stroke-dasharray: 4 4; }
  .wait, .blocked { stroke: #cf222e; } .copy { stroke: #1a7f37; } .polls { stroke: #9a6700; } .free { stroke: #0969da; }
  .unknown { stroke: #8250df; }
  text.wait, text.blocked { fill: #cf222e; } text.copy { fill: #1a7f37; } text.polls { fill: #9a6700; } text.free { fill: #0969da; }
  text.unknown { fill: #8250df; } text.wait, text.blocked, text.copy, text.polls, text.free, text.unknown { stroke: none; }
  @media (prefers-color-scheme: dark) {
    .paper { fill: #0d1117; } text { fill: #e6edf3; } .quiet { fill: #9198a1; } .life { stroke: #656d76; } .rule { stroke: #30363d; }
    .arrow { stroke: #e6edf3; } .tip { fill: #e6edf3; } .in { fill: #f85149; } .box { fill: #161b22; stroke: #30363d; }
    .dot { fill: #3fb950; } .hollow { stroke: #a371f7; }
    .wait, .blocked { stroke: #f85149; } .copy { stroke: #3fb950; } .polls { stroke: #d29922; } .free { stroke: #4493f8; }
    .unknown { stroke: #a371f7; }
    text.wait, text.blocked { fill: #f85149; } text.copy { fill: #3fb950; } text.polls { fill: #d29922; } text.free { fill: #4493f8; }
    text.unknown { fill: #a371f7; }
  }
"""


def svg_figure(figure: Figure, lang: str = "en", payload: bool = True) -> str:
    """Return a figure as the text of an SVG file.

    Args:
        lang: en or zh.
        payload: whether to show the first bytes that came.
    """
    return _Drawing(figure, lang, payload).text()


@dataclass
class _Row:
    """Where a row stands, and how high it is."""

    top: float
    high: float

    @property
    def middle(self) -> float:
        """The height of its arrow."""
        return self.top + _AIR + 4


class _Drawing:
    """The markup of one figure while it is put together."""

    def __init__(self, figure: Figure, lang: str, payload: bool) -> None:
        self.figure, self.lang, self.payload = figure, lang, payload
        self.marks: list[str] = []
        self.seconds = in_seconds(figure)
        self.rows: list[_Row] = []

    def text(self) -> str:
        """Return the whole file."""
        y = self._head()
        first = y
        for step in self.figure.steps:
            high = self._height(step)
            self.rows.append(_Row(y, high))
            y += high
        self._make_room()
        y = self.rows[-1].top + self.rows[-1].high
        self._lifelines(first, y)
        for step, row in zip(self.figure.steps, self.rows, strict=True):
            self._step(step, row)
        for phase in self.figure.phases:
            (self._kernel_brace if phase.side == "kernel" else self._program_brace)(phase)
        high = self._foot(y + 26)
        lang = "zh-Hans" if self.lang == "zh" else "en"
        name, number = title(self.figure, self.lang)
        return "\n".join([
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {high:.0f}" width="{WIDTH}" height="{high:.0f}" role="img" '
            f'xml:lang="{lang}" lang="{lang}">',
            f"<title>{escape(f'{name} ({number})')}</title>", f"<style>{_STYLE}</style>",
            '<rect class="paper" width="100%" height="100%"/>', *self.marks, "</svg>", ""])

    def _write(self, x: float, y: float, words: str, kind: str = "", anchor: str = "start") -> None:
        if words:
            place = "" if anchor == "start" else f' text-anchor="{anchor}"'
            look = f' class="{kind}"' if kind else ""
            self.marks.append(f'<text x="{x:.1f}" y="{y:.1f}"{look}{place} xml:space="preserve">{escape(words)}</text>')

    def _word(self, key: str) -> str:
        return say(Say(key), self.lang)

    def _head(self) -> float:
        name, number = title(self.figure, self.lang)
        self.marks.append(f'<text x="24" y="36"><tspan class="title">{escape(name)}</tspan><tspan class="quiet" dx="14">({escape(number)})'
                          "</tspan></text>")
        y = 60
        for line in about(self.figure, self.lang):
            self._write(24, y, line, "quiet")
            y += 20
        y += 16
        self._write(_TIME, y, "s" if self.seconds else "ms", "quiet", "end")
        self._write(_PROGRAM, y, self._word("application"), "head", "middle")
        self._write(_KERNEL, y, self._word("kernel"), "head", "middle")
        if any(step.queued is not None for step in self.figure.steps):
            self._write(_QUEUE, y, self._word("queued"), "quiet", "end")
        self.marks.append(f'<line class="rule" x1="24" x2="{WIDTH - 24}" y1="{y + 10}" y2="{y + 10}"/>')
        return y + 18

    def _kernel_words(self, step: Step) -> list[str]:
        return wrap(say(step.kernel, self.lang), int((_QUEUE - _KERNEL - 60) / _CELL)) if step.kernel else []

    def _program_words(self, step: Step) -> list[str]:
        return wrap(say(step.program, self.lang), 14) if step.program else []

    def _height(self, step: Step) -> float:
        lines = max(1, len(self._kernel_words(step)), len(self._program_words(step)), 2 if step.caption else 1)
        return lines * _LINE + _AIR

    def _make_room(self) -> None:
        """Make rows higher where the words of a brace need it."""
        for phase in self.figure.phases:
            need = (len(self._label(phase)) + 0.4) * _LINE
            first, last = self.rows[phase.first], self.rows[phase.last]
            missing = need - (last.middle - first.middle)
            if missing > 0:
                first.high += missing
                for row in self.rows[phase.first + 1:]:
                    row.top += missing

    def _lifelines(self, first: float, last: float) -> None:
        for x in (_PROGRAM, _KERNEL):
            self.marks.append(f'<line class="life" x1="{x}" x2="{x}" y1="{first}" y2="{last}"/>')
        begun: float | None = None
        for step, row in zip(self.figure.steps, self.rows, strict=True):
            if step.inside and begun is None:
                begun = row.middle
            elif not step.inside and begun is not None:
                high = row.middle - begun
                self.marks.append(f'<rect class="in" x="{_PROGRAM - 4}" y="{begun:.1f}" width="8" height="{high:.1f}" rx="3"/>')
                begun = None

    def _step(self, step: Step, row: _Row) -> None:
        y = row.middle
        if step.at_ns is not None:
            self._write(_TIME, y + 5, clock(step.at_ns, self.figure.origin_ns, self.seconds), "mono", "end")
        if step.at_ns is not None or step.unmeasured:
            self._write(_TIME + 10, y + 5, self._word(f"source {step.source}"), "quiet")
        for number, words in enumerate(self._program_words(step)):
            self._write(_PROGRAM - 14, y + 5 + number * _LINE, words, "", "end")
        for number, words in enumerate(self._kernel_words(step)):
            self._write(_KERNEL + (24 if step.told else 14), y + 5 + number * _LINE, words)
        if step.told:
            kind = "hollow" if step.unmeasured else "dot"
            self.marks.append(f'<circle class="{kind}" cx="{_KERNEL + 12}" cy="{y}" r="4.5"/>')
        if step.queued is not None:
            self._write(_QUEUE, y + 5, ("≥ " if step.at_least else "") + f"{step.queued:,}", "mono", "end")
        self._wire(step, y)

    def _wire(self, step: Step, y: float) -> None:
        middle = (_PROGRAM + _KERNEL) / 2
        words = say(step.wire, self.lang)
        if step.kind == "more":
            for number in (-7, 0, 7):
                self.marks.append(f'<circle class="tip" cx="{_PROGRAM + 34}" cy="{y + number}" r="1.5"/>')
            self._write(middle, y + 5, words, "quiet", "middle")
            return
        if step.kind not in ("call", "return"):
            return
        if words:
            self._write(middle, y - 6, words, "", "middle")
        if step.caption is not None:
            self._write(middle, y + 17, say(step.caption, self.lang), "quiet", "middle")
        start, end = (_PROGRAM + 6, _KERNEL - 3) if step.kind == "call" else (_KERNEL - 3, _PROGRAM + 6)
        back = -9 if step.kind == "call" else 9
        self.marks.append(f'<line class="arrow" x1="{start}" x2="{end + back}" y1="{y:.1f}" y2="{y:.1f}"/>')
        self.marks.append(f'<path class="tip" d="M{end} {y:.1f} l{back} -5 v10 z"/>')

    def _label(self, phase: Phase) -> list[str]:
        columns = int((WIDTH - _BRACE - 34) / _CELL) if phase.side == "kernel" else 14
        return wrap(say(phase.words, self.lang), columns) + ([] if phase.ns is None else [duration(phase.ns)])

    def _ends(self, phase: Phase) -> tuple[float, float]:
        return self.rows[phase.first].middle + 3, self.rows[phase.last].middle - 3

    def _kernel_brace(self, phase: Phase) -> None:
        top, bottom = self._ends(phase)
        middle, x = (top + bottom) / 2, _BRACE
        dashed = " open" if phase.state == "unknown" else ""
        self.marks.append(f'<path class="brace {phase.state}{dashed}" d="{_brace(x, top, middle, bottom, 1)}"/>')
        self._beside(x + 22, middle, phase, "start")

    def _program_brace(self, phase: Phase) -> None:
        top, bottom = self._ends(phase)
        middle, x = (top + bottom) / 2, _LEFT_BRACE
        self.marks.append(f'<path class="brace {phase.state}" d="{_brace(x, top, middle, bottom, -1)}"/>')
        self._beside(x - 22, middle, phase, "end")

    def _beside(self, x: float, middle: float, phase: Phase, anchor: str) -> None:
        label = self._label(phase)
        y = middle - (len(label) - 1) * _LINE / 2 + 5
        for number, words in enumerate(label):
            self._write(x, y + number * _LINE, words, phase.state, anchor)

    def _foot(self, y: float) -> float:
        data = self.figure.receive.payload
        lines = []
        if self.payload and data is not None:
            lines.append((say_raw("data", self.lang, visible_bytes(data, self.figure.call.result or len(data), DATA_SHOWN)), "mono"))
        lines += [(say(note, self.lang), "") for note in self.figure.notes]
        lines += [(line, "quiet") for line in legend(self.figure, self.lang)]
        for words, kind in lines:
            for part in wrap(words, int((WIDTH - 48) / _CELL)):
                self._write(24, y, part, kind)
                y += 20
        return y + 8


def _brace(x: float, top: float, middle: float, bottom: float, way: int) -> str:
    """Return the path of a curly brace that opens to the left (way 1) or to the right (-1)."""
    curve = min(8.0, (bottom - top) / 4)
    across, out = 8 * way, 7 * way
    return (f"M{x} {top:.1f} q{across} 0 {across} {curve:.1f} V{middle - curve:.1f} q0 {curve:.1f} {out} {curve:.1f} "
            f"q{-out} 0 {-out} {curve:.1f} V{bottom - curve:.1f} q0 {curve:.1f} {-across} {curve:.1f}")
