"""The claims as a page of Markdown.

Owns its order and marks. Draws judged claims, reads nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..words import started_words
from .measures import Measures
from .texts import PAGE, STATEMENTS
from .values import Claim, Grid


def claims_page(claims: Sequence[Claim], measures: Measures, trace: str = "claims.db") -> str:
    """Return the page.

    Args:
        claims: judged.
        measures: what they were judged by: when and where.
        trace: what the trace is called in the commands.
    """
    machine = PAGE["machine"].format(day=started_words(measures.started_at), version=measures.version, kernel=measures.kernel,
                                     python=measures.python)
    made = f"    sockreel claims -o {trace} --page docs/claims.md"
    lines = [PAGE["title"], "", PAGE["intro"], "", made, "", machine, "", PAGE["summary"]]
    lines += [f"| [{STATEMENTS[claim.name]}](#{claim.name}) | {PAGE[claim.verdict]} |" for claim in claims]
    for claim in claims:
        lines += ["", *_claim(claim, trace)]
    return "\n".join([*lines, "", PAGE["end"], ""])


def _claim(claim: Claim, trace: str) -> Iterator[str]:
    yield f'<a id="{claim.name}"></a>'
    yield f"## {STATEMENTS[claim.name]}"
    yield ""
    yield f"{PAGE['verdict'].format(verdict=PAGE[claim.verdict])}. " + " ".join(claim.reasons)
    for grid in claim.grids:
        yield ""
        yield from _grid(grid)
    yield ""
    yield from (PAGE["rule"].format(rule=rule) for rule in claim.rules)
    for title, commands in ((PAGE["look"], claim.look), (PAGE["again"], claim.again)):
        if commands:
            yield from ("", title, "")
            yield from (f"    sockreel {command.format(trace=trace)}" for command in commands)


def _grid(grid: Grid) -> Iterator[str]:
    yield "| " + " | ".join(grid.columns) + " |"
    yield "| --- |" + " ---: |" * (len(grid.columns) - 1)
    for row in grid.rows:
        yield "| " + " | ".join(row) + " |"
