"""Runs of a trace -> what the page knows of them besides their calls: names, lanes, clients, signals, CPU, the comparison.

Owns the names of its keys, which the scripts of the page read. Draws nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, TypeVar

from ...traces import Run, Trace
from ..blindness import spot_words
from ..compare import Comparison, compare_stories
from ..language import LANGUAGES, speaking
from ..phases import Phases
from ..reading import Reader, damaged
from ..sentences import sentences
from ..story import clients_of, load_story, socket_name
from ..values import KINDS, Story, Window
from ..words import command_words, ending, started_words
from .buffered import buffers_of
from .packing import pack

DETAIL, DETAIL_OF_MANY = 400, 8
"""Columns that sentences about a run are drawn from: fewer where calls are millions, for finer ones take reading many of them."""
MANY_CALLS = 1_000_000
MOST_SOCKETS, MOST_THREADS = 8, 8
MOST_PACKETS = 200_000
REQUESTS_UP_TO = 2_000_000
"""Requests that no workload saw are gathered from all calls: of more calls than these that takes too long."""
REQUESTS_SERVED_UP_TO = 300_000
Told = TypeVar("Told")


@dataclass(frozen=True)
class Shown:
    """A run that a page shows, or a window of it."""

    trace: Trace
    run: Run
    window: Window
    title: str


def shown_runs(runs: Sequence[tuple[Trace, Run, Window | None]]) -> list[Shown]:
    """Return runs with the window and the name that the page gives each.

    Args:
        runs: with the window that is wanted; None is all of the run.
    """
    names = [run.name for _, run, _ in runs]
    shown = []
    for trace, run, window in runs:
        end_ns = Reader(trace, run).end_ns
        part = Window(0, end_ns) if window is None else Window(window.start_ns, max(window.start_ns + 1, min(window.end_ns, end_ns)))
        title = run.name if names.count(run.name) == 1 else f"{trace.path.name}#{run.label or run.id}"
        shown.append(Shown(trace, run, part, title))
    return shown


def document(runs: Sequence[Shown], *, served: bool) -> dict[str, Any]:
    """Return what the page knows of runs before it sees a call; all times are nanoseconds since each run's start.

    Args:
        runs: one or more.
        served: whether calls are to be asked for, window by window.

    Raises:
        TraceError: a trace is damaged.
    """
    stories = [
        load_story(shown.trace, shown.run, resolution=_detail(shown), max_sockets=MOST_SOCKETS, max_threads=MOST_THREADS,
                   requests=_are_requests_told(Reader(shown.trace, shown.run), served))
        for shown in runs]
    comparison = compare_stories(stories, [shown.title for shown in runs])
    return {
        "served": served,
        "title": ", ".join(dict.fromkeys(shown.trace.path.name for shown in runs)),
        "kinds": list(KINDS),
        "runs": [_run(*one) for one in zip(runs, comparison.stories, comparison.offsets_ns, strict=True)],
        "comparison": _comparison(comparison),
        "sources": {str(shown.trace.path): _sources(shown) for shown in runs},
    }


def pack_document(runs: Sequence[Shown], *, served: bool) -> bytes:
    """Return the document as a pack.

    Args, Raises: as `document`.
    """
    told = document(runs, served=served)
    try:
        return pack(told)
    except (TypeError, ValueError) as error:
        raise damaged(runs[0].trace, error) from error


def _detail(shown: Shown) -> int:
    return DETAIL if Reader(shown.trace, shown.run).extent.counted <= MANY_CALLS else DETAIL_OF_MANY


def _are_requests_told(reader: Reader, served: bool) -> bool:
    return reader.extent.counted <= (REQUESTS_SERVED_UP_TO if served else REQUESTS_UP_TO)


def socket_names(reader: Reader) -> dict[int, str]:
    """Return what a served page calls each socket of a run."""
    exchanges, _ = reader.exchanges(_are_requests_told(reader, served=True))
    clients = clients_of(exchanges)
    return {id_: socket_name(row, clients.get(id_)) for id_, row in reader.sockets.items()}


def _run(shown: Shown, story: Story, offset_ns: int) -> dict[str, Any]:
    try:
        reader = Reader(shown.trace, shown.run)
        facts = story.facts
        return {
            "id": shown.run.id, "name": shown.title, "from": shown.window.start_ns, "to": shown.window.end_ns, "offset": offset_ns,
            "running": shown.run.duration_ns is None,
            "facts": {
                "command": command_words(facts), "directory": shown.run.directory, "python": facts.python, "core": facts.core,
                "started": started_words(facts.started_at), "ended": _in_each_language(lambda: ending(facts)),
                "duration_ns": facts.duration_ns, "calls": facts.calls,
                "lost": facts.lost, "model": story.model.name if story.model else None, "fruitless": facts.fruitless,
                "kind_calls": list(facts.kind_calls), "kind_ns": list(facts.kind_ns),
                "blind_spots": [_in_each_language(partial(spot_words, spot)) for spot in facts.blind_spots],
                "cpu_ns": story.cpu.ns if story.cpu else None},
            "threads": [{"id": thread.id, "name": thread.name} for thread in reader.threads.values()],
            "sockets": [_socket(row, story.names.get(id_, str(id_))) for id_, row in reader.sockets.items()],
            "exchanges": [asdict(exchange) for exchange in story.exchanges], "measured_by": story.measured_by,
            "signals": [asdict(signal) for signal in story.signals],
            "counts": [asdict(count) for count in story.counts],
            "cpu": _cpu(shown),
            "packets": _packets(shown),
            "carried": [list(row) for row in shown.trace.named("page_carried", run=shown.run.id, most=2 * MOST_PACKETS)],
            "buffers": buffers_of(reader, shown.window),
            "trace": str(shown.trace.path),
        }
    except (TypeError, ValueError, OverflowError, KeyError, IndexError) as error:
        raise damaged(shown.trace, error) from error


def _socket(row: Any, name: str) -> dict[str, Any]:
    columns = ("id", "fd", "kind", "role", "local", "peer", "parent_id", "opened_ns", "closed_ns", "closed_by", "internal")
    return {"name": name, **{column: row[column] for column in columns}}


def _cpu(shown: Shown) -> list[list[list[int]]]:
    """Return, per process, (moment, CPU time so far)."""
    processes: dict[int, list[list[int]]] = {}
    for row in shown.trace.named("samples_of_run", run=shown.run.id):
        spent_ns = row["run_ns"] if row["run_ns"] is not None else (row["user_ns"] or 0) + (row["system_ns"] or 0)
        processes.setdefault(row["process_id"], []).append([row["at_ns"], spent_ns])
    return list(processes.values())


def _packets(shown: Shown) -> list[list[Any]]:
    """Return the packets of connections: id, moment, socket, bytes, flags, whether the program's side sent it."""
    window = shown.window
    rows = shown.trace.named("page_packets", run=shown.run.id, start=window.start_ns, end=window.end_ns, most=MOST_PACKETS)
    return [[row["id"], row["at_ns"], row["socket_id"], row["payload_bytes"], row["flags"], row["sent"]] for row in rows]


def _sources(shown: Shown) -> dict[str, str]:
    """Return the texts of the program's files; of one that changed while it ran, the last."""
    used = {row["file"] for row in shown.trace.named("words_of_sites")}
    return {row["file"]: row["text"] for row in shown.trace.named("page_sources") if row["file"] in used}


def _comparison(comparison: Comparison) -> dict[str, Any]:
    return {
        "titles": list(comparison.titles), "align": comparison.align,
        "anchor": None if comparison.anchor is None else list(comparison.anchor),
        "figures": [{"key": figure.key, "name": figure.name, "unit": figure.unit, "values": list(figure.values)}
                    for figure in comparison.figures],
        "latencies": [{"client": client, "runs": [asdict(latency) for latency in latencies]} for client, latencies in comparison.latencies],
        "phases": [_phases(phases) for phases in comparison.phases],
        "sentences": _in_each_language(lambda: list(sentences(comparison))),
    }


def _in_each_language(tell: Callable[[], Told]) -> dict[str, Told]:
    """Return what is told in each language that the page speaks; what a catalogue does not have is in English there, too."""
    told = {}
    for code in LANGUAGES:
        with speaking(code):
            told[code] = tell()
    return told


def _phases(phases: Phases) -> dict[str, int | None]:
    """Return where the time of a run's threads went, ns: the rows of UNP figure 6.6, as measured."""
    return {
        "threads": phases.threads_ns, "asleep": phases.waiting.ns + phases.blocked_wait_ns, "polling": phases.checking.ns,
        "both": phases.blocked_unknown_ns, "copying": phases.copy_ns, "by_kernel": phases.by_kernel.ns, "elsewhere": phases.program_ns}
