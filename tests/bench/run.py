"""`make bench`: measure, and write the pages that say what was measured.

Owns the command line. `python -m sockreel.tests.bench.run --help`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from .campaign import QUICK, Plan, measure, print_progress
from .execution import BenchError
from .install import install
from .loads import LOADS
from .report import page, readme_section, replace_section
from .tools import TOOLS

ROOT = Path(__file__).resolve().parents[2]
JSON, PAGE, README = ROOT / "docs" / "measure.json", ROOT / "docs" / "measure.md", ROOT / "README.md"


def one_list_a_line(results: dict[str, Any]) -> str:
    """Return the results as JSON that a person can read, and compare with an older one."""
    text = json.dumps(results, indent=1, ensure_ascii=False)
    return re.sub(r"\[[^][{}]*\]", lambda found: " ".join(found[0].split()), text) + "\n"


def write_pages(root: Path) -> None:
    """Write the page and the README's section from the stored results."""
    results = json.loads((root / "docs" / "measure.json").read_text(encoding="utf-8"))
    (root / "docs" / "measure.md").write_text(page(results), encoding="utf-8")
    readme = root / "README.md"
    readme.write_text(replace_section(readme.read_text(encoding="utf-8"), readme_section(results)), encoding="utf-8")


@click.command()
@click.option("--pairs", type=click.IntRange(1), help="Rounds of bare and sockreel.  [default: 21]")
@click.option("--only", metavar="LIST", help=f"Some of {', '.join(LOADS)}, growth; prints, and writes no page.")
@click.option("--tools", metavar="LIST", help=f"Some of {', '.join(TOOLS)}; prints, and writes no page.")
@click.option("--quick", is_flag=True, help="Small loads, few rounds; prints, and writes no page.")
@click.option("--pages", is_flag=True, help="Measure nothing; write the pages from docs/measure.json.")
@click.option("--install/--no-install", "wanted", default=True, help="Install the other tools, where root may.")
def main(pairs: int | None, only: str | None, tools: str | None, quick: bool, pages: bool, wanted: bool) -> None:
    """Measure what recording costs, and write docs/measure.json, docs/measure.md and the README's section.

    \b
    Example:
      make bench                                # about ten minutes
      make bench ARGS=--quick                   # under two
      make bench ARGS="--only recv --pairs 41"
      make bench ARGS="--tools c --only recv,echo"
    """
    if pages:
        write_pages(ROOT)
        return
    plan = make_plan(pairs, only, tools, quick)
    if wanted:
        install()
    try:
        results = measure(plan, print_progress)
    except BenchError as error:
        raise click.ClickException(str(error)) from error
    print_progress("")
    if quick or only or tools:
        click.echo(page(results))
        return
    JSON.write_text(one_list_a_line(results), encoding="utf-8")
    write_pages(ROOT)
    click.echo(readme_section(results))


def make_plan(pairs: int | None, only: str | None, tools: str | None, quick: bool) -> Plan:
    """Return the plan that options ask for. Raises click.UsageError where they name what is not there."""
    plan = QUICK if quick else Plan()
    if pairs is not None:
        plan = replace(plan, pairs=pairs, costly_rounds=min(plan.costly_rounds, pairs))
    if only is not None:
        names = _names(only, (*LOADS, "growth"), "load")
        plan = replace(plan, loads=[name for name in LOADS if name in names], growth=plan.growth if "growth" in names else ())
    if tools is not None:
        names = {"bare", *_names(tools, TOOLS, "tool")}
        if not any(TOOLS[name].core for name in names):
            raise click.UsageError("one of c and python must be among the tools: that is what the pages are about")
        plan = replace(plan, tools=[name for name in TOOLS if name in names])
    return plan


def _names(text: str, known: Iterable[str], what: str) -> set[str]:
    names = {name.strip() for name in text.split(",")}
    if unknown := sorted(names.difference(known)):
        raise click.UsageError(f"no {what} is called {unknown[0]!r}: there are {', '.join(known)}")
    return names


if __name__ == "__main__":
    main()
