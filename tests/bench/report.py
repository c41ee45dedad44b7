"""Turns what campaign.py measured into Markdown: docs/measure.md, and the section of README.md.

Owns figures and wording; measures nothing. The same results always give the same text, so that a test can compare
the pages with docs/measure.json.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import median, quantiles
from typing import Any

from .loads import LOADS, Load
from .tools import COMMANDS_SHOWN, TOOLS

BEGIN = "<!-- What `make bench` measured: made from docs/measure.json by tests/bench/report.py. -->"
END = "<!-- End of what `make bench` measured. -->"
Results = dict[str, Any]
_KNOWN = {"fd": "fd", "peer": "peer", "bytes": "bytes", "errno": "errno", "line": "line of source"}


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table, the first column of names and the others of figures."""
    rule = ["---", *("---:" for _ in heads[1:])]
    return "\n".join("| " + " | ".join(row) + " |" for row in (heads, rule, *rows)) + "\n"


def _size(tool: str) -> str:
    return "small" if TOOLS[tool].costly else "full"


def ratios(results: Results, load: str, tool: str, figure: str) -> list[float]:
    """Return a tool's figure by that of the bare run of the same round, for every round."""
    size = results["loads"][load][_size(tool)]
    return [mine / bare for mine, bare in zip(size[tool][figure], size["bare"][figure], strict=True)]


def _spread(values: Sequence[float]) -> str:
    middle = median(values)
    digits = 2 if middle < 10 else 1 if middle < 100 else 0
    if len(values) < 2:
        return f"{middle:.{digits}f}"
    low, _, high = quantiles(values, n=4, method="inclusive")
    return f"{middle:.{digits}f} ({low:.{digits}f} – {high:.{digits}f})"


def per_call(results: Results, load: str, tool: str, figure: str, without: float = 0.0) -> float:
    """Return the median of a figure per call, less what the tool takes for a program that does nothing."""
    kept = results["loads"][load][_size(tool)][tool]
    return float(max(0.0, median(kept[figure]) - without) / kept["calls"])


def _time(ns: float) -> str:
    for unit, size, digits in (("s", 1e9, 2 if ns < 1e10 else 1), ("ms", 1e6, 0), ("µs", 1e3, 2)):
        if ns >= size:
            return f"{ns / size:.{digits}f} {unit}"
    return f"{ns:.0f} ns"


def _megabytes(size: float) -> str:
    return f"{size / 1e6:.{1 if size < 1e7 else 0}f} MB"


def _rows(results: Results, cell: Callable[[str], Sequence[str]]) -> list[list[str]]:
    """Return one row a tool; of one that does not work here, why."""
    rows = []
    for name, tried in results["tools"].items():
        why = tried["why_not"].replace("|", "\\|")
        rows.append([TOOLS[name].title, *([f"not available: {why}"] if why else cell(name))])
    return rows


def slowdown(results: Results, figure: str) -> str:
    """Return the table of slowdowns in one figure: a column a load."""
    measured = [load for load in LOADS if load in results["loads"]]

    def cell(tool: str) -> list[str]:
        if tool == "bare":
            return [f"{per_call(results, load, tool, figure) / 1e3:.2f} µs a call" for load in measured]
        return [_spread(ratios(results, load, tool, figure)) for load in measured]

    return table(["", *(LOADS[load].title for load in measured)], _rows(results, cell))


def lost_calls(results: Results, tool: str) -> tuple[int, int]:
    """Return calls lost and calls made, over all loads and rounds."""
    sizes = [load[_size(tool)][tool] for load in results["loads"].values()]
    return sum(sum(size["lost"]) for size in sizes), sum(size["calls"] * len(size["lost"]) for size in sizes)


def contents(results: Results) -> str:
    """Return the table of what each tool takes and gives."""
    load = next(iter(results["loads"]), "")
    if not load:
        return "Not measured.\n"

    def cell(tool: str) -> list[str]:
        tried = results["tools"][tool]
        lost, made = lost_calls(results, tool)
        killed = tried["killed"]
        return [
            f"{per_call(results, load, tool, 'recorder_cpu_ns', tried['start_cpu_ns']) / 1e3:.1f} µs",
            f"{per_call(results, load, tool, 'disk_bytes', tried['empty_bytes']):.0f}",
            f"{lost:,} of {made:,}",
            f"{killed['left']:,} of {killed['made']:,}",
            ", ".join(words for key, words in _KNOWN.items() if tried["known"][key]) or "name and times",
        ]

    heads = ["", "CPU beside the program, a call", "bytes a call on disk", "calls lost", "left after `kill -9`", "known of each call"]
    recorders = {**results, "tools": {name: tried for name, tried in results["tools"].items() if TOOLS[name].records}}
    return table(heads, _rows(recorders, cell))


def growth(results: Results) -> str:
    """Return the table of growth."""
    rows = [
        [
            f"{grown['calls']:,}",
            _time(grown["recording_ns"]),
            f"{_time(grown['finishing_ns'])}, {_megabytes(grown['record_peak_bytes'])}",
            f"{_time(grown['stats_ns'])}, {_megabytes(grown['stats_peak_bytes'])}",
            f"{_time(grown['show_ns'])}, {_megabytes(grown['show_peak_bytes'])}",
            f"{_megabytes(grown['trace_bytes'])}, {grown['trace_bytes'] / grown['calls']:.0f} bytes a call",
            f"{grown['lost']:,}",
        ]
        for grown in results["growth"]
    ]
    return table(["calls", "the program", "finishing, memory", "`stats`, memory", "`show`, memory", "trace", "lost"], rows)


def machine(results: Results) -> str:
    """Return one sentence: where and when."""
    here = results["machine"]
    busy = " (busy with other things: the quartiles tell how much that matters)" if here["load_average_before"] > 0.7 else ""
    return (
        f"{here['date']}, sockreel {here['sockreel']}, {here['kernel']}, CPython {here['python']}, "
        f"{here['processors']} × {here['processor']}, load average {here['load_average_before']} at the start{busy}."
    )


def _wall_words(results: Results) -> str:
    """Return one sentence on the wall time of the quickest tool of ours."""
    ours = results["growth_tool"]
    parts = [f"{LOADS[load].title} {_spread(ratios(results, load, ours, 'wall_ns'))}" for load in LOADS if load in results["loads"]]
    processors = results["machine"]["processors"]
    return (
        f"In wall time, the load and its clients on one of {processors} processors, {TOOLS[ours].title} takes, in the same order: "
        f"{'; '.join(parts)}."
    )


def readme_section(results: Results) -> str:
    """Return what stands between the two marker lines of README.md, with them."""
    ours = TOOLS[results["growth_tool"]].title
    return f"""{BEGIN}
Measured by `make bench` in one run, all tools in turn, {results["pairs"]} rounds ({results["costly_rounds"]} for viztracer, \
strace, perf trace and bpftrace, with fewer calls): {machine(results)} [docs/measure.md](docs/measure.md) says how, and has more.

**How many times the CPU time the program takes**, by its own clock; median and quartiles of the rounds. The first row is
the program alone.

{slowdown(results, "cpu_ns")}
{_wall_words(results)}

**What that buys.** Losses are over all loads; the last column is what is said of *each* call, beside its name and times.

{contents(results)}
**How it grows**: a loop of fruitless `recv` calls under {ours}. Finishing is what is left to do when the program
has ended; memory is the peak of the command.

{growth(results)}{END}"""


def replace_section(text: str, section: str) -> str:
    """Return a README with its section replaced.

    Raises:
        ValueError: it has no marker lines.
    """
    before, begun, rest = text.partition(BEGIN)
    _, ended, after = rest.partition(END)
    if not begun or not ended:
        raise ValueError("no marker lines for what was measured")
    return before + section + after


def _sizes(load: Load, results: Results) -> list[str]:
    sizes = results["loads"][load.name]
    return [load.title, *(f"{sizes[size]['bare']['calls']:,}" if "bare" in sizes[size] else "" for size in ("full", "small"))]


def page(results: Results) -> str:
    """Return docs/measure.md."""
    measured = [load for load in LOADS.values() if load.name in results["loads"]]
    commands = [f"- {TOOLS[tool].title}: {shown}" for tool, shown in COMMANDS_SHOWN.items() if tool in results["tools"]]
    ours = TOOLS[results["growth_tool"]].title
    load = next(iter(results["loads"]), "recv")
    processors, rounds, costly = results["machine"]["processors"], results["pairs"], results["costly_rounds"]
    return f"""# What recording costs

Made by `make bench`, which measures all of this anew and writes this page, [measure.json](measure.json) with every
single figure, and the section of the [README](../README.md). Do not edit it.

{machine(results)}

## How it is measured

Every program of `tests/bench/programs/load.py` takes its own times around its loop: CPU by `process_time`, wall by
`perf_counter`. Starting the interpreter is in neither. It keeps to one processor, and so do its clients; the tools are
free to use the others. (On two processors whether an exchange has to wake one of them up is luck, and that luck is
larger than anything measured here.) In each round every tool runs once, each time beginning with
another one, and a tool is compared with the bare run of its own round; a cell shows the median of the rounds and, in
brackets, the quartiles. Clients are a process of their own that no tool looks at. This machine has {processors} processors.

{chr(10).join(commands)}

What costs much gets fewer calls and rounds ({costly} instead of {rounds}), and bare runs of the same size to be compared with:

{table(["load", "calls a run", "calls a run, costly tools"], [_sizes(load, results) for load in measured])}
## CPU time of the program

{slowdown(results, "cpu_ns")}
## Wall time of the program

{slowdown(results, "wall_ns")}
## What the tools take and leave

`CPU beside the program` is everything that the tool's processes used beyond what they use for a program that does nothing,
for {LOADS[load].title}; `bytes a call` likewise, of the tool's default output. `calls lost` counts all loads and rounds:
calls that the program counted and that are not in the output. `left after kill -9`: a program that counts its calls in
shared memory is killed while it calls; so many of them are in the tool's output. One more than counted is the call whose
counting was cut off. `known` is tried, not believed: each tool watches two receives of which everything is known, and its
output is searched for it.

{contents(results)}
## Growth

A loop of fruitless `recv` calls, recorded with {ours}; then `sockreel stats` and `sockreel show` on the trace, each
a process of its own, from start to end.

{growth(results)}"""
