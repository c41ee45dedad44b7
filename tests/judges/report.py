"""Turns what the judges found into docs/judges.md.

Owns wording and figures; judges nothing. The same results always give the same text.
"""

from __future__ import annotations

from typing import Any

from .suites import LEFT_OUT, MODULES, WITHOUT_CALLS

Results = dict[str, Any]
_HEAD = """\
# CPython's own tests, bare and recorded

A recorder may change nothing that a program can notice. Who would notice first are the tests of CPython itself: they try
every argument, error, flag and race of the socket modules that somebody once got wrong. `make judge` runs each module three
ways, without sockreel, under the C core and under the Python core, and compares the result of every single test.

- A module runs as `python -m test -v -u network MODULE`, in a network namespace that holds nothing but a loopback device.
- A test is *different* if it ends otherwise bare than recorded in three runs of three, and *unsteady* if it did so once and,
  run again alone, no longer: time and load decide about such tests, with and without us.
- A run is evidence only if its trace holds processes and calls of the tests, and `sockreel check` finds it whole.
- The C core is built for the interpreters that it can be built for, 3.10 on.

This page is written by `make judge` from docs/judges.json.
"""


def page(results: Results) -> str:
    """Return docs/judges.md."""
    parts = [_HEAD, _verdict(results), "## Every module\n\n" + _table(results)]
    for title, lines in (
        ("Different", _different(results)),
        ("Unsteady", _unsteady(results)),
        ("Not judged yet", _not_judged(results)),
        ("Not passed, bare as well as recorded", _not_passed(results)),
        ("Processes that were not recorded, and why", _unrecorded(results)),
        ("Skipped", _skipped(results)),
    ):
        parts.append(f"## {title}\n\n" + ("\n".join(lines) if lines else "None.") + "\n")
    return "\n".join(parts)


def _all(results: Results) -> list[tuple[str, str, Results]]:
    """Return interpreter, module and what was found, in the order of MODULES."""
    return [
        (version, module, kept["modules"][module])
        for module in MODULES
        for version, kept in sorted(results["interpreters"].items(), key=lambda item: tuple(map(int, item[0].split("."))))
        if module in kept["modules"]
    ]


def _verdict(results: Results) -> str:
    judged = [verdict for _, _, found in _all(results) for verdict in found.get("cores", {}).values()]
    different = sum(len(verdict["different"]) for verdict in judged)
    faults = sum(len(verdict["faults"]) for verdict in judged)
    tests, calls = sum(verdict["tests"] for verdict in judged), sum(verdict["calls"] for verdict in judged)
    versions = ", ".join(sorted(results["interpreters"], key=lambda text: tuple(map(int, text.split(".")))))
    told = f"{different:,} ended otherwise than bare" if different else "every one ended as it does bare"
    return (
        f"**{tests:,} recorded tests** under CPython {versions}, {calls:,} calls in their traces: **{told}**"
        + (f"; {faults} runs are no evidence, see below" if faults else "")
        + f". {results.get('system', '')}.\n"
    )


def _table(results: Results) -> str:
    figures = "tests | passed | skipped | not passed | different | unsteady | calls | lost | processes | seconds"
    rows = [f"| module | Python | core | {figures} |", "| --- | --- | --- |" + " ---: |" * 10]
    for version, module, found in _all(results):
        if found["absent"]:
            rows.append(f"| {module} | {version} | absent: this Python has no such module |" + " |" * 10)
            continue
        skipped, not_passed = len(found["skipped"]), len(found["not_passed"])
        for core, verdict in found["cores"].items():
            passed = found["bare"]["tests"] - skipped - not_passed
            counted = [
                verdict["tests"], passed, skipped, not_passed, len(verdict["different"]), len(verdict["unsteady"]), verdict["calls"],
                verdict["lost"], verdict["processes"],
            ]  # fmt: skip
            seconds = f"{found['bare']['seconds']:.0f} bare, {verdict['seconds']:.0f}"
            cells = [module, version, core, *(f"{figure:,}" for figure in counted), seconds]
            rows.append("| " + " | ".join(cells) + " |")
    note = f"\n\n{' and '.join(WITHOUT_CALLS)} only forks and waits: where its trace holds no call, there was none.\n"
    return "\n".join(rows) + note


def _cases(results: Results) -> list[tuple[str, Results]]:
    return [
        (f"{module}, {version}, {core} core", verdict)
        for version, module, found in _all(results)
        for core, verdict in found.get("cores", {}).items()
    ]


def _different(results: Results) -> list[str]:
    lines = []
    for where, verdict in _cases(results):
        lines += [f"- {where}: `{name}`: bare {one}, recorded {other}" for name, (one, other) in verdict["different"].items()]
        lines += [f"- {where}: no evidence: {fault}" for fault in verdict["faults"]]
    return lines


def _not_judged(results: Results) -> list[str]:
    lines = []
    for version, kept in results["interpreters"].items():
        if missing := [module for module in MODULES if module not in kept["modules"]]:
            lines.append(f"- {version}: {', '.join(missing)}")
    return lines


def _unsteady(results: Results) -> list[str]:
    return [f"- {where}: `{name}`" for where, verdict in _cases(results) for name in verdict["unsteady"]]


def _not_passed(results: Results) -> list[str]:
    lines = []
    for version, module, found in _all(results):
        lines += [f"- {module}, {version}: `{name}`: {how}" for name, how in found.get("not_passed", {}).items()]
    return lines


def _unrecorded(results: Results) -> list[str]:
    return [f"- {where}: {why}" for where, verdict in _cases(results) for why in verdict["unrecorded"]]


def _skipped(results: Results) -> list[str]:
    """Return a line for each reason: how many tests of which modules."""
    reasons: dict[str, dict[str, set[str]]] = {}
    for version, module, found in _all(results):
        for name, reason in found.get("skipped", {}).items():
            reasons.setdefault(reason or "(no reason given)", {}).setdefault(f"{module}, {version}", set()).add(name.rpartition(".")[2])
    lines = [f"- {module}: `{pattern}` is left out: it {why}" for module, (pattern, why) in LEFT_OUT.items()]
    for reason, places in sorted(reasons.items()):
        where = "; ".join(f"{place}: {len(names)}" for place, names in places.items())
        lines.append(f"- {reason.splitlines()[0]} ({where})")
    return lines
