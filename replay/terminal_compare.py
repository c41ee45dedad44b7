"""`compare` in the terminal: lanes above each other on one axis, the table, the sentences.

Owns that page. Draws a comparison, reads nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len

from .blindness import spot_words
from .compare import MANY, Comparison, Figure, Latency
from .lanes import legend
from .language import say
from .look import Look, Page, styled
from .sentences import ordinal, sentences
from .terminal import draw
from .terminal_many import draw_many, draw_rows, figure_text, moved_words
from .terminal_phases import draw_phases
from .words import brief, command_words, counted, duration, ending, enumerated, fit, visible

MOST_CLIENTS = 8


def render_compare(comparison: Comparison, look: Look) -> str:
    """Return the page of a comparison.

    Args:
        comparison: of two or more runs.
        look: of the screen.
    """
    page = Page(look)
    many = len(comparison.stories) >= MANY
    used = draw_many(page, comparison, look) if many else _draw_few(page, comparison, look)
    page.line("")
    for entry in legend(used, look):
        page.line(*entry)
    if comparison.anchor is not None:
        client, n = comparison.anchor
        moved = moved_words(comparison) if many else _each_moved(comparison)
        page.wrapped(say("Aligned at {nth} request of {client}{moved}.", nth=ordinal(n), client=visible(client), moved=moved))
    page.line("")
    draw_phases(page, comparison, look)
    page.line("")
    if many:
        draw_rows(page, comparison, look)
    else:
        _table(page, comparison, look)
    page.line("")
    for sentence in sentences(comparison):
        page.wrapped(f"{'*' if look.ascii else '•'} {visible(sentence)}", indent=2)
    for story, title in zip(comparison.stories, comparison.titles, strict=True):
        for spot in story.facts.blind_spots:
            page.wrapped(say("Not seen in {run}: {spot}", run=brief(title), spot=visible(spot_words(spot))), indent=2, state="fruitless")
    return page.text()


def _draw_few(page: Page, comparison: Comparison, look: Look) -> set[str]:
    """Draw all lanes of each run under a line of its own; return the glyphs in use."""
    titles = [f"{brief(title)}  {visible(command_words(story.facts))}: "
              + enumerated((counted(story.facts.calls, "call"), ending(story.facts)))
              for story, title in zip(comparison.stories, comparison.titles, strict=True)]
    windows = [comparison.window(index) for index in range(len(comparison.stories))]
    return draw(page, comparison.stories, windows, look, titles, comparison.axis)


def _each_moved(comparison: Comparison) -> str:
    shifted = [say("{run} by {time}", run=visible(title), time=duration(-offset_ns))
               for title, offset_ns in zip(comparison.titles, comparison.offsets_ns, strict=True) if offset_ns]
    return say(": moved to the right are {runs}", runs=enumerated(shifted)) if shifted else ""


def _table(page: Page, comparison: Comparison, look: Look) -> None:
    rows = [(say(figure.name), [_figure(figure, index) for index in range(len(figure.values))])
            for figure in comparison.figures if _worth(figure)]
    clients = comparison.latencies[:MOST_CLIENTS]
    rows += [(say("  {client}: median, p99", client=brief(client, 20)), [_latency(latency) for latency in latencies])
             for client, latencies in clients]
    after = next((number for number, (name, _) in enumerate(rows) if name == say("answer latency, p99")), None)
    if after is not None:
        own = rows[len(rows) - len(clients):]
        rows = rows[:after + 1] + own + rows[after + 1:len(rows) - len(clients)]
    names = min(max(cell_len(name) for name, _ in rows), max(16, look.width // 2 - 4))
    titles = [brief(title) for title in comparison.titles]
    widths = [min(max(cell_len(title), *(cell_len(values[index]) for _, values in rows)), max(8, look.width - names - 2))
              for index, title in enumerate(titles)]
    for number, chunk in enumerate(_chunks(widths, look.width - names)):
        if number:
            page.line("")
        page.line(" " * names, *[(f"  {_right(titles[index], widths[index], look)}", styled("title")) for index in chunk])
        for name, values in rows:
            page.line(fit(name, names, look.glyphs.ellipsis), *[f"  {_right(values[index], widths[index], look)}" for index in chunk])
    if len(comparison.latencies) > MOST_CLIENTS:
        page.line((say("and {clients}", clients=counted(len(comparison.latencies) - MOST_CLIENTS, "more client")), styled("quiet")))


def _right(text: str, width: int, look: Look) -> str:
    return " " * max(0, width - cell_len(text)) + fit(text, min(width, cell_len(text)), look.glyphs.ellipsis)


def _chunks(widths: Sequence[int], room: int) -> list[list[int]]:
    """Return which columns go side by side: as many as there is room for, then the next below them."""
    chunks: list[list[int]] = []
    left = 0
    for index, width in enumerate(widths):
        if not chunks or left < width + 2:
            chunks.append([])
            left = room
        chunks[-1].append(index)
        left -= width + 2
    return chunks


_ALWAYS = {"duration", "calls", "fruitless", "fruitless_share", "blocked", "cpu", "cpu_per_answer", "eofs", "resets"}


def _worth(figure: Figure) -> bool:
    return any(figure.values) or (figure.key in _ALWAYS and any(value is not None for value in figure.values))


def _figure(figure: Figure, index: int) -> str:
    return figure_text(figure, index, "{:,}".format)


def _latency(latency: Latency) -> str:
    if latency.median_ns is None:
        return say("no answer") if latency.asked else "-"
    missing = say(" ({n} of {all})", n=latency.answers, all=latency.asked) if latency.answers < latency.asked else ""
    return f"{duration(latency.median_ns)}, {duration(latency.p99_ns)}{missing}"
