"""`compare` in the terminal for many runs: one lane and one row for each.

Owns how many runs share a page. Draws a comparison, reads nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import accumulate

from rich.cells import cell_len

from .axis import Axis, axis_lines
from .compare import Comparison, Figure
from .lanes import Paint, paint_client, paint_lane, pause_words, share_words
from .language import message, say
from .look import Look, Page, styled
from .terminal import Frame, Row, padded
from .values import REQUESTS_THREAD, Lane, Story
from .words import brief, counted, duration, fit, percent, short_count, size

_COLUMNS = (
    ("calls", "", message("calls")),
    ("fruitless_share", message("of them"), message("fruitless")),
    ("cpu", "", message("CPU")),
    ("cpu_per_answer", message("CPU per"), message("exchange")),
    ("switches", message("gave up"), message("the CPU")),
    ("preempted", message("taken"), message("off it")),
    ("median", message("median"), message("latency")),
    ("p99", "", message("p99")),
    ("memory", "", message("memory")),
    ("answers", "", message("answers")),
)


def draw_many(page: Page, comparison: Comparison, look: Look) -> set[str]:
    """Draw the busiest thread of each run under one axis, then how the client fared for whom they differ most.

    Returns:
        The glyphs in use.
    """
    lanes = [_busiest(story) for story in comparison.stories]
    names = [brief(title) for title in comparison.titles]
    words = [_lane_words(lane, story) for lane, story in zip(lanes, comparison.stories, strict=True)]
    client = _telling_client(comparison)
    own = [[exchange for exchange in story.exchanges if exchange.client == client] for story in comparison.stories]
    frame = Frame.for_names(names, [*words, *map(pause_words, own)], look)
    axis = Axis(comparison.axis, frame.glyphs)
    labels, ruler = axis_lines(axis, look)
    page.line(" " * (frame.names + 3), (labels, styled("quiet")))
    page.line(" " * (frame.names + 3), (ruler, styled("quiet")))
    used: set[str] = set()

    def add(title: str, paint: Callable[[int, Axis], list[Paint]], said: Sequence[str]) -> None:
        page.line((title, styled("quiet")))
        for index, name in enumerate(names):
            row = Row(name, paint(index, Axis(comparison.window(index), frame.glyphs)), said[index])
            used.update(glyph for glyph, _ in row.glyphs)
            page.line(f"  {fit(row.name, frame.names, look.glyphs.ellipsis)} ", *padded(row, frame, look))

    def server(index: int, axis: Axis) -> list[Paint]:
        lane = lanes[index]
        return paint_lane(lane, axis, look, comparison.stories[index].end_ns) if lane else [(" ", "")] * axis.columns

    def asking(index: int, axis: Axis) -> list[Paint]:
        story = comparison.stories[index]
        return paint_client(own[index], axis, look, story.closings, story.end_ns) if own[index] else [(" ", "")] * axis.columns

    add(say("each server's busiest thread"), server, words)
    if client is not None:
        add(say("what {client} saw of each", client=brief(client)), asking, [pause_words(each) for each in own])
    return used


def _busiest(story: Story) -> Lane | None:
    return max(_own(story), key=lambda lane: sum(lane.ns), default=None)


def _own(story: Story) -> list[Lane]:
    """Return the lanes of the program's threads: what a ring did is the kernel's."""
    return [lane for lane in story.threads if not lane.name.startswith(REQUESTS_THREAD)]


def _lane_words(lane: Lane | None, story: Story) -> str:
    threads = len(_own(story)) + story.more_threads
    several = say(", {n} threads", n=threads) if threads > 1 else ""
    return (say("no call") if lane is None else share_words(lane, story.window)) + several


def _telling_client(comparison: Comparison) -> str | None:
    """Return the client for whom the runs differ most: left without an answer by some, or in how long it waited at worst."""
    if not any(story.measured_by == "client" for story in comparison.stories):
        return None

    def difference(client: str) -> tuple[int, float]:
        latencies = next(each for name, each in comparison.latencies if name == client)
        worst = [latency.max_ns for latency in latencies if latency.max_ns]
        missing = sum(latency.answers < latency.asked for latency in latencies)
        return missing, max(worst) / min(worst) if worst else 0.0

    return max((client for client, _ in comparison.latencies), key=difference, default=None)


def draw_rows(page: Page, comparison: Comparison, look: Look) -> None:
    """Write the table with a row for each run; columns that do not fit go into a second table below."""
    figures = {figure.key: figure for figure in comparison.figures}
    asked = [sum(each[index].asked for _, each in comparison.latencies) for index in range(len(comparison.titles))]
    whole = all((value or 0) == count for value, count in zip(figures["answers"].values, asked, strict=True))
    columns = []
    for key, above, below in _COLUMNS:
        figure = figures[key]
        if not any(figure.values) or (key == "answers" and whole):
            continue
        cells = [_answers(figure, asked, index) if key == "answers" else _cell(figure, index) for index in range(len(asked))]
        columns.append((say(above), say(below), cells, max(cell_len(text) for text in (say(above), say(below), *cells))))
    names = [brief(title) for title in comparison.titles]
    wide = max(map(cell_len, names))
    gap = " " if sum(each[3] + 2 for each in columns) > look.width - wide >= sum(each[3] + 1 for each in columns) else "  "
    while columns:
        ends = accumulate(column[3] + len(gap) for column in columns)
        taken = [column for column, end in zip(columns, ends, strict=True) if end <= look.width - wide] or columns[:1]
        for line in (0, 1) if any(column[0] for column in taken) else (1,):
            heads = [str(column[line]) for column in taken]
            page.line(" " * wide, *[(gap + " " * (column[3] - cell_len(head)) + head, styled("title"))
                                    for column, head in zip(taken, heads, strict=True)])
        for index, name in enumerate(names):
            page.line(fit(name, wide), *[gap + " " * (column[3] - cell_len(column[2][index])) + column[2][index] for column in taken])
        columns = columns[len(taken):]
        if columns:
            page.line("")
    if whole and any(asked):
        each = say("its {exchanges}", exchanges=counted(max(asked), "exchange")) if len(set(asked) - {0}) == 1 else say("its exchanges")
        who, rightly = say("Each" if all(asked) else "Each that was asked"), say(" rightly") if _right(comparison) else ""
        page.line((say("{who} answered all of {each}{rightly}.", who=who, each=each, rightly=rightly), styled("quiet")))


def _right(comparison: Comparison) -> bool:
    return all(exchange.result == "ok" for story in comparison.stories for exchange in story.exchanges)


def _answers(figure: Figure, asked: Sequence[int], index: int) -> str:
    return say("{n} of {all}", n=f"{figure.values[index] or 0:.0f}", all=asked[index]) if asked[index] else "-"


def _cell(figure: Figure, index: int) -> str:
    return figure_text(figure, index, short_count)


def figure_text(figure: Figure, index: int, count: Callable[[int], str]) -> str:
    """Return a figure of one run as text.

    Args:
        index: of the run.
        count: how a bare number is written.
    """
    value = figure.values[index]
    if value is None:
        return "-"
    if figure.unit == "ns":
        return duration(value) if value else "0"
    if figure.unit == "share":
        return percent(value)
    return size(int(value)) if figure.unit == "bytes" else count(round(value))


def moved_words(comparison: Comparison) -> str:
    """Return how far runs were moved to begin together."""
    most_ns = max(-offset_ns for offset_ns in comparison.offsets_ns)
    return say(": runs are moved to the right by up to {time}", time=duration(most_ns)) if most_ns else ""

