"""CPython's own tests: which there are, one run of a module bare or recorded, the result of every test.

Owns the command line of `python -m test` and what it leaves behind (JUnit XML, and what it prints for people). Judges
nothing. Never `--fast-ci`: that executes Python anew with -E, and nothing would be recorded.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .house import House, Interpreter
from .namespace import TIME_IS_OVER

# Module -> seconds that it may take, in the order of what it costs.
MODULES = {
    "test_select": 120, "test_poll": 120, "test_epoll": 120, "test_selectors": 180, "test_httplib": 180, "test_asyncore": 180,
    "test_fork1": 120, "test_smtplib": 180, "test_httpservers": 180, "test_ftplib": 240, "test_socketserver": 180, "test_signal": 300,
    "test_ssl": 400, "test_socket": 400, "test_subprocess": 600, "test_asyncio": 900, "test_multiprocessing_fork": 900,
}  # fmt: skip
# Its tests wait for children and make no socket call of their own.
WITHOUT_CALLS = ("test_fork1",)
# Module -> tests left out, and why. A vsock server waits for ever for its own client under some hypervisors, bare as well.
LEFT_OUT = {"test_socket": ("*ThreadedVSOCK*", "waits for ever for itself under some hypervisors, bare as well")}
_FAILED = re.compile(r"^(FAIL|ERROR): (.+?) \(([\w.]+)\)", re.MULTILINE)


@dataclass(frozen=True)
class Suite:
    """How one module went once.

    Args:
        results: id of a test -> passed, failed, error or skipped.
        reasons: id of a skipped test -> why.
        status: of the process; TIME_IS_OVER: it was ended.
        seconds: that its tests took by their own account.
    """

    results: dict[str, str]
    reasons: dict[str, str]
    status: int
    seconds: float


@dataclass(frozen=True)
class Witness:
    """What the trace of a recorded module holds.

    Args:
        calls, lost: recorded, and counted but not recorded.
        processes: recorded ones.
        unrecorded: why a process was not, each reason once.
        blind_spots: how many the run names: children that could not be recorded, most of them ended before they began.
        flaws: what `sockreel check` found.
    """

    calls: int
    lost: int
    processes: int
    unrecorded: tuple[str, ...]
    blind_spots: int
    flaws: str


def exists(interpreter: Interpreter, module: str) -> bool:
    """Say whether an interpreter has a test module, as a file or as a package."""
    ask = "import sys; from importlib.util import find_spec; sys.exit(find_spec('test.' + sys.argv[1]) is None)"
    return subprocess.run([interpreter.path, "-c", ask, module], capture_output=True).returncode == 0


def read_results(xml: Path, text: str) -> tuple[dict[str, str], dict[str, str], float]:
    """Return results, reasons of skips and seconds from what a run left behind.

    Args:
        xml: its JUnit file; need not be there.
        text: what it printed, where failed subtests are that the file does not know.
    """
    results: dict[str, str] = {}
    reasons: dict[str, str] = {}
    seconds = 0.0
    if xml.exists():
        for case in ET.parse(xml).iter("testcase"):
            name = case.get("name", "")
            kinds = {part.tag: part for part in case}
            result = next((word for tag, word in _WORDS.items() if tag in kinds), "passed")
            results[name] = result
            seconds += float(case.get("time", 0))
            if result == "skipped":
                reasons[name] = (kinds["skipped"].text or "").strip()
    for word, method, where in _FAILED.findall(text):
        results.setdefault(where if where.endswith(f".{method}") else f"{where}.{method}", "failed" if word == "FAIL" else "error")
    return results, reasons, seconds


_WORDS = {"failure": "failed", "error": "error", "skipped": "skipped"}


def _pattern(name: str) -> str:
    """Return what `--matchfile` finds a test by: its id, or the class for what a class does before its tests."""
    inside = re.search(r"\(([\w.]+)\)", name)
    return inside[1].split(".")[-1] if inside else name


def run(folder: Path, interpreter: Interpreter, module: str, only: Sequence[str] = (), recorder: Sequence[str] = ()) -> Suite:
    """Run one module once.

    Args:
        folder: for its files; what it printed is left in `out.txt`.
        interpreter: that runs it.
        module: of the package `test`.
        only: ids of tests; none: all.
        recorder: the beginning of a `sockreel record` up to --python; none: bare.
    """
    folder.mkdir(parents=True)
    # As short as it may be, and of one length: a test skips where a UNIX socket's path in it would be too long.
    place = tempfile.mkdtemp(prefix="j")
    xml = folder / "results.xml"
    arguments = ["-m", "test", "-v", "-u", "network", "--junit-xml", str(xml), "--tempdir", place, module]
    if only:
        (folder / "only.txt").write_text("\n".join(sorted({_pattern(name) for name in only})) + "\n")
        arguments[-1:-1] = ["--matchfile", str(folder / "only.txt")]
    if module in LEFT_OUT:
        arguments[-1:-1] = ["--ignore", LEFT_OUT[module][0]]
    program = [*recorder, "--python", interpreter.path, *arguments] if recorder else [interpreter.path, *arguments]
    supervised = [sys.executable, str(Path(__file__).with_name("namespace.py")), str(MODULES[module]), *program]
    env = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "SOCKREEL"))}
    with open(folder / "out.txt", "wb") as out:
        status = subprocess.run(
            supervised, cwd=folder, env={**env, "TMPDIR": place}, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT
        ).returncode
    shutil.rmtree(place, ignore_errors=True)
    results, reasons, seconds = read_results(xml, (folder / "out.txt").read_text(errors="replace"))
    return Suite(results, reasons, status, seconds)


def run_recorded(
    folder: Path, house: House, core: str, interpreter: Interpreter, module: str, only: Sequence[str] = ()
) -> tuple[Suite, Witness]:
    """Run one module once under the recorder, and look at the trace, which is removed."""
    trace = folder.with_suffix(".db")
    suite = run(folder, interpreter, module, only, [*house.command, "record", "-q", "-f", "-o", str(trace), "--core", core])
    if not trace.exists():
        return suite, Witness(0, 0, 0, (), 0, "there is no trace")
    checked = subprocess.run([*house.command, "check", str(trace)], capture_output=True, text=True)
    with contextlib.closing(sqlite3.connect(trace)) as connection:
        calls, lost, blind_spots = connection.execute("SELECT calls_recorded, calls_lost, blind_spots FROM runs").fetchone()
        processes = connection.execute("SELECT count(*) FROM processes WHERE recorded").fetchone()[0]
        whys = connection.execute("SELECT DISTINCT why_not FROM processes WHERE NOT recorded AND why_not <> '' ORDER BY 1").fetchall()
    witness = Witness(
        calls, lost or 0, processes, tuple(why for (why,) in whys), len(json.loads(blind_spots or "[]")),
        "" if checked.returncode == 0 else (checked.stdout + checked.stderr).strip(),
    )  # fmt: skip
    trace.unlink()
    return suite, witness


def ran_out(suite: Suite) -> bool:
    """Say whether a module was ended because its time was over."""
    return suite.status == TIME_IS_OVER
