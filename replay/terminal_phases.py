"""Stevens' summary of the I/O models (UNP figure 6.6) in the terminal: a column for each run, its phases as measured.

Owns that figure. Draws phases, reads nothing.
"""

from __future__ import annotations

from rich.cells import cell_len

from .compare import Comparison
from .language import say
from .look import Look, Page, Piece, styled
from .phases import Part, Phases
from .words import brief, duration, fit, short_count

_NAMES = 10
_LEAST, _MOST = 15, 24

Line = tuple[str, str, str]  # glyph, its state, words


def draw_phases(page: Page, comparison: Comparison, look: Look) -> None:
    """Draw the figure: where there are more columns than fit, one block of them below the other."""
    room = look.width - _NAMES
    count = len(comparison.phases)
    beside = max(1, min(count, room // _LEAST))
    blocks = -(-count // beside)
    beside = -(-count // blocks)
    width = min(_MOST, room // beside)
    page.line((say("The two phases of input, as measured"), styled("title")), (say("  (UNP figure 6.6)"), styled("quiet")))
    for start in range(0, count, beside):
        if start:
            page.line("")
        _block(page, comparison, range(start, min(start + beside, count)), width, look)
    page.wrapped(say("wait: asleep in a call, or polling; copy: wake-up and copying; elsewhere: the program's own work, other calls, "
                     "sleep. Shares are of the time of the run's threads."), state="quiet")


def _block(page: Page, comparison: Comparison, columns: range, width: int, look: Look) -> None:
    heads = [_head(brief(comparison.titles[index]), width - 1, look) for index in columns]
    for line in range(max(map(len, heads))):
        cells = [head[line] if line < len(head) else "" for head in heads]
        page.line(" " * _NAMES, *[(fit(cell, width - 1, look.glyphs.ellipsis) + " ", styled("title")) for cell in cells])
    models = [comparison.stories[index].facts.model or "" for index in columns]
    if any(models):
        page.line(" " * _NAMES, *[(fit(brief(model), width - 1, look.glyphs.ellipsis) + " ", styled("quiet")) for model in models])
    groups = (((say("wait"), say("for data")), _waiting), ((say("copy"), say("to user")), _copying), ((say("elsewhere"),), _elsewhere))
    for names, lines_of in groups:
        cells_of = [lines_of(comparison.phases[index], look) for index in columns]
        for number in range(max(map(len, cells_of))):
            pieces: list[Piece] = [(fit(names[number] if number < len(names) else "", _NAMES), styled("quiet"))]
            for lines in cells_of:
                pieces += _cell(lines[number] if number < len(lines) else ("", "", ""), width, look)
            page.line(*pieces)


def _head(title: str, width: int, look: Look) -> list[str]:
    """Return a title over two lines where it is too long for one and has a place to break."""
    if cell_len(title) <= width or "_" not in title:
        return [fit(title, width, look.glyphs.ellipsis)]
    first, _, second = title.partition("_")
    return [first + "_", second]


def _cell(line: Line, width: int, look: Look) -> list[Piece]:
    glyph, state, words = line
    shown = f" {fit(words, width - 3, look.glyphs.ellipsis)} "
    return [(glyph or " ", styled(state)), (shown, styled("quiet") if state == "quiet" else "")]


def _waiting(phases: Phases, look: Look) -> list[Line]:
    """Return the first phase: asleep in a call, or polling."""
    glyphs = look.glyphs
    if phases.blocked.ns > max(phases.waiting.ns, phases.checking.ns):
        ns = phases.blocked_wait_ns if phases.known else phases.blocked.ns
        return _lines(glyphs.upright, "blocked", phases.blocked, ns, phases, say("blocked"))
    if phases.waiting.ns >= phases.checking.ns and phases.waiting.ns:
        return _lines(glyphs.upright, "blocked", phases.waiting, phases.waiting.ns, phases, say("blocked"))
    if phases.checking.calls:
        return _lines(glyphs.polling[-1], "fruitless", phases.checking, phases.checking.ns, phases, say("fruitless"))
    return [("", "quiet", say("not recorded"))]


def _copying(phases: Phases, look: Look) -> list[Line]:
    """Return the second phase: within the call that waited, or in one that found data there."""
    glyphs = look.glyphs
    within = phases.blocked.ns > max(phases.waiting.ns, phases.checking.ns)
    if phases.by_kernel.calls:
        part = phases.by_kernel
        operations = ", ".join(brief(operation.removeprefix("ring_")) for operation in part.operations[:2])
        requests = say("{short} request" if part.calls == 1 else "{short} requests", short=short_count(part.calls))
        words = (operations, say("by the kernel,"), say("meanwhile"), requests)
        return [(glyphs.moved, "moved", text) for text in words]
    if within and not phases.known:
        return [(glyphs.upright, "blocked", words) for words in (say("same calls:"), say("not measured"), say("apart"))]
    if within:
        part = Part(phases.blocked.calls, phases.blocked_copy_ns, phases.blocked.operations)
        return _lines(glyphs.upright, "blocked", part, part.ns, phases, "")
    if phases.copying.calls:
        return _lines(glyphs.moved, "moved", phases.copying, phases.copying.ns, phases, "")
    return [("", "quiet", say("not recorded"))]


def _elsewhere(phases: Phases, look: Look) -> list[Line]:
    ns = phases.program_ns
    return [("", "", say("not known") if ns is None else _time(ns, phases))]


def _lines(glyph: str, state: str, part: Part, ns: int, phases: Phases, how: str) -> list[Line]:
    words = [", ".join(map(brief, part.operations[:2])), how,
             say("{short} call" if part.calls == 1 else "{short} calls", short=short_count(part.calls)),
             _time(ns, phases)]
    return [(glyph, state, text) for text in words if text]


def _time(ns: int, phases: Phases) -> str:
    share = phases.share(ns)
    if share is None:
        return duration(ns)
    percents = f"{100 * share:.0f}" if share == 0 or share >= 0.01 else "<1"
    return f"{duration(ns)} {'>99' if 0.995 <= share < 1 else percents}%"
