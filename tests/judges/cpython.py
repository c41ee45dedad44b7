"""`make judge`: CPython's own tests, bare and recorded, must give the same result for every single test.

Owns the verdict and the command line. Different means different in three runs of three: tests that differ once are run
again alone, bare and recorded. A module is no evidence, and fails, if its trace holds no calls of the test processes.
`python -m sockreel.tests.judges.cpython --help`.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click

from .house import House, Interpreter, set_up
from .report import page
from .suites import MODULES, WITHOUT_CALLS, Suite, Witness, exists, ran_out, run, run_recorded

ROOT = Path(__file__).resolve().parents[2]
JSON, PAGE = ROOT / "docs" / "judges.json", ROOT / "docs" / "judges.md"
TIMES = 3
Say = Callable[[str], None]


@dataclass(frozen=True)
class Case:
    """One module, one interpreter, one core."""

    house: House
    interpreter: Interpreter
    module: str
    core: str
    folder: Path


def differences(bare: Suite, recorded: Suite) -> dict[str, tuple[str, str]]:
    """Return id -> (bare, recorded) of the tests that did not end the same."""
    names = sorted({*bare.results, *recorded.results})
    pairs = {name: (bare.results.get(name, "not run"), recorded.results.get(name, "not run")) for name in names}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def judge(case: Case, bare: Suite) -> dict[str, Any]:
    """Return what was found of one case.

    Args:
        case: the module under one core.
        bare: how it went without us.
    """
    suite, witness = run_recorded(case.folder / "recorded-1", case.house, case.core, case.interpreter, case.module)
    different = differences(bare, suite)
    seen_once = sorted(different)
    for attempt in range(2, TIMES + 1):
        if not different:
            break
        only = sorted(different) if suite.results and bare.results else []
        again = run(case.folder / f"bare-{attempt}", case.interpreter, case.module, only)
        other, _ = run_recorded(case.folder / f"recorded-{attempt}", case.house, case.core, case.interpreter, case.module, only)
        still = differences(again, other)
        different = {name: still[name] for name in different if name in still}
    return {
        "tests": len(suite.results), "status": suite.status, "seconds": round(suite.seconds, 1),
        "different": {name: list(pair) for name, pair in different.items()},
        "unsteady": [name for name in seen_once if name not in different],
        **asdict(witness), "faults": faults(case.module, suite, witness),
    }  # fmt: skip


def faults(module: str, suite: Suite, witness: Witness) -> list[str]:
    """Return why a recorded module is no evidence, though no test differed."""
    found = []
    if ran_out(suite):
        found.append(f"its time of {MODULES[module]} s was over")
    if not suite.results:
        found.append("no test told its result")
    if not witness.processes:
        found.append("no process of it was recorded")
    elif not witness.calls and module not in WITHOUT_CALLS:
        found.append("its trace holds no call")
    if witness.flaws:
        found.append(f"sockreel check: {witness.flaws}")
    return found


def judge_module(house: House, interpreter: Interpreter, module: str, cores: Sequence[str], folder: Path, say: Say) -> dict[str, Any]:
    """Run one module bare and under each core, and return what was found."""
    if not exists(interpreter, module):
        return {"absent": True}
    bare = run(folder / "bare", interpreter, module)
    found: dict[str, Any] = {
        "absent": False,
        "at": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "bare": {"tests": len(bare.results), "status": bare.status, "seconds": round(bare.seconds, 1)},
        "not_passed": {name: result for name, result in sorted(bare.results.items()) if result in ("failed", "error")},
        "skipped": dict(sorted(bare.reasons.items())),
        "cores": {},
    }
    for core in cores:
        case = Case(house, interpreter, module, core, folder / core)
        verdict = found["cores"][core] = judge(case, bare)
        say(f"{interpreter.version} {module} {core}: {_in_short(verdict)}")
    return found


def _in_short(verdict: dict[str, Any]) -> str:
    words = [f"{verdict['tests']} tests, {verdict['calls']:,} calls"]
    words += [f"{name}: bare {one}, recorded {other}" for name, (one, other) in verdict["different"].items()]
    words += [f"unsteady: {name}" for name in verdict["unsteady"]] + verdict["faults"]
    return "; ".join(words)


def wrong(results: dict[str, Any]) -> list[str]:
    """Return every difference and every fault in the results, a line each."""
    lines = []
    for version, kept in results["interpreters"].items():
        for module, found in kept["modules"].items():
            for core, verdict in found.get("cores", {}).items():
                where = f"{version} {module} ({core} core)"
                lines += [f"{where}: {name}: bare {one}, recorded {other}" for name, (one, other) in verdict["different"].items()]
                lines += [f"{where}: {fault}" for fault in verdict["faults"]]
    return lines


def _kept(path: Path) -> dict[str, Any]:
    if path.exists():
        return dict(json.loads(path.read_text(encoding="utf-8")))
    return {"interpreters": {}}


@click.command()
@click.option("--python", "paths", multiple=True, metavar="PATH", help="An interpreter; may be given several times.  [default: our own]")
@click.option("--only", metavar="LIST", help=f"Some of {', '.join(MODULES)}.")
@click.option("--core", "wanted", type=click.Choice(["c", "python"]), help="One core only.  [default: every one that there is]")
@click.option("-o", "--output", type=click.Path(path_type=Path), default=JSON, help="Joined to what is there.  [default: docs/judges.json]")
@click.option("--keep", is_flag=True, help="Keep what the tests printed, and say where.")
@click.option("--page", "page_only", is_flag=True, help="Run nothing; write docs/judges.md from docs/judges.json.")
def main(paths: tuple[str, ...], only: str | None, wanted: str | None, output: Path, keep: bool, page_only: bool) -> None:
    """Run CPython's own tests bare and recorded, and compare every single test.

    \b
    Example:
      make judge                                                     # half an hour for one interpreter
      make judge ARGS="--python python3.8 --python python3.13"
      make judge ARGS="--only test_select,test_socket --core python -o found.json"
    """
    modules = [name.strip() for name in only.split(",")] if only else list(MODULES)
    if unknown := [name for name in modules if name not in MODULES]:
        raise click.UsageError(f"no module is called {unknown[0]}: there are {', '.join(MODULES)}")
    results = _kept(output)
    if not page_only:
        os.nice(10)
        folder = Path(tempfile.mkdtemp(prefix="sockreel-judge-"))
        try:
            house = set_up(folder / "house", list(paths) or [sys.executable])
            _sit(house, modules, wanted, folder, results, output)
        finally:
            if keep:
                click.echo(f"what the tests printed: {folder}", err=True)
            else:
                shutil.rmtree(folder, ignore_errors=True)
    if output == JSON:
        PAGE.write_text(page(results), encoding="utf-8")
    lines = wrong(results)
    click.echo("\n".join(lines) if lines else "every test had the same result bare and recorded")
    sys.exit(1 if lines else 0)


def _sit(house: House, modules: list[str], wanted: str | None, folder: Path, results: dict[str, Any], output: Path) -> None:
    """Judge all modules under all interpreters, short ones first; what is found is stored as it comes."""
    results["system"] = f"Linux {platform.release()}, {os.cpu_count()} processors"
    for module in modules:
        for interpreter in house.interpreters:
            kept = results["interpreters"].setdefault(interpreter.version, {"modules": {}})
            cores = [core for core in ("c", "python") if core == (wanted or core) and (core == "python" or interpreter.has_c_core)]
            if not interpreter.has_tests:
                raise click.ClickException(f"{interpreter.path} comes without the package `test`")
            place = folder / interpreter.version / module
            found = judge_module(house, interpreter, module, cores, place, lambda line: click.echo(line, err=True))
            if wanted and module in kept["modules"]:
                found["cores"] = {**kept["modules"][module].get("cores", {}), **found.get("cores", {})}
            kept["modules"][module] = found
            output.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
