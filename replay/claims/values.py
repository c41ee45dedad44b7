"""The values of a judged claim: frozen, with figures already in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Verdict = Literal["holds", "holds in part", "does not hold", "undecided"]


@dataclass(frozen=True, slots=True)
class Grid:
    """A table of the page: its first column holds names, the others figures."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Claim:
    """One claim.

    Args:
        name: a key in texts.py.
        verdict: what the rules made of the figures.
        reasons: sentences with the figures that decided.
        rules: how it was decided, a sentence each.
        grids: tables of what was measured.
        look: commands that show the runs, without `sockreel`; {trace} stands for the file.
        again: commands that measure it anew.
    """

    name: str
    verdict: Verdict
    reasons: tuple[str, ...]
    rules: tuple[str, ...] = ()
    grids: tuple[Grid, ...] = ()
    look: tuple[str, ...] = ()
    again: tuple[str, ...] = ()
