"""`sockreel doctor`: what works on this machine, what recording costs, and what to do about the rest."""

from __future__ import annotations

import sys
import textwrap
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..recorder.doctor import Finding

_NAME, _STATE = 16, 9
_NARROW = 80
_STYLES = {"ok": "green", "limited": "yellow", "missing": "red"}


@click.command(name="doctor")
@click.option("--python", metavar="PATH", help="The interpreter that record is to use; default: the one on PATH.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object.")
def command(python: str | None, as_json: bool) -> int:
    """Say what works on this machine, and what to do about the rest.

    Tries everything for real: records four calls with the interpreter that `record` would use and with our
    own, measures what recording one call costs, makes a trace, reserves a tape, asks the kernel for timestamps,
    packets, namespaces and a ring. Exit status 0: recording works; 1: it does not.

    \b
    Example:
      sockreel doctor
      sockreel doctor --python /usr/bin/python3
      sockreel doctor --json
    """
    from ..recorder.doctor import examine

    findings = [*examine(python), terminal()]
    works = not [finding for finding in findings if finding.needed and finding.state == "missing"]
    if as_json:
        from ._screen import print_json

        print_json({"works": works, "findings": [vars(finding) for finding in findings]})
    else:
        _print(findings, works)
    return 0 if works else 1


def terminal() -> Finding:
    """Say what the terminal can show."""
    from ..recorder.doctor import Finding
    from ._options import screen_look

    look = screen_look()
    on_screen = sys.stdout.isatty()
    encoding = getattr(sys.stdout, "encoding", None) or "ascii"
    facts = {"terminal": on_screen, "encoding": encoding, "colours": look.colour, "width": look.width}
    where = f"{look.width} columns" if on_screen else "output is redirected"
    text = f"{where}, {encoding}, {'colours' if look.colour else 'no colours'}"
    if look.ascii:
        remedy = "PYTHONUTF8=1, or a locale such as LANG=C.UTF-8"
        return Finding("terminal", "limited", f"{text}: pictures are drawn in ASCII", remedy, facts=facts)
    if on_screen and look.width < _NARROW:
        return Finding("terminal", "limited", f"{text}: pictures want {_NARROW}", "make the window wider", facts=facts)
    return Finding("terminal", "ok", text, facts=facts)


def _print(findings: Sequence[Finding], works: bool) -> None:
    from ..replay.words import visible
    from ._screen import console, line, screen_width

    width = min(120, screen_width() or _NARROW)
    for finding in findings:
        first, *more = _wrapped(visible(finding.text), width)
        _put(finding.name.ljust(_NAME), finding.state.ljust(_STATE), first, _STYLES[finding.state])
        advice = _wrapped(f"to do: {visible(finding.remedy)}", width) if finding.remedy else []
        for text in more:
            line(" " * (_NAME + _STATE) + text)
        for text in advice:
            line(" " * (_NAME + _STATE) + text, "dim")
    failed = [finding.name for finding in findings if finding.needed and finding.state == "missing"]
    console().print()
    line("Recording works." if works else f"Recording does not work: see {', '.join(failed)}.", "bold green" if works else "bold red")


def _wrapped(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, max(20, width - _NAME - _STATE), break_on_hyphens=False) or [""]


def _put(name: str, state: str, text: str, style: str) -> None:
    from rich.text import Text

    from ._screen import console

    console().print(Text.assemble((name, "bold"), (state, style), text))
