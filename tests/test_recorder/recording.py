"""Records programs the way a user does: `python -m sockreel record`, real processes, a trace at the end.

Owns how a recording is started, watched and read in tests. Nothing here waits by sleeping: a wait
looks at a condition until it holds or `PATIENCE_S` is over.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sockreel.traces import open_trace
from sockreel.traces.checking import check_trace

PATIENCE_S = 60.0
PROGRAMS = Path(__file__).parent / "programs"
SOCKREEL = (sys.executable, "-m", "sockreel")

_CALLS = """
SELECT c.id, o.name AS operation, coalesce(u.name, 'unfinished') AS outcome, c.result, c.asked, c.flags, c.errno, c.timeout_ns,
  c.started_ns, c.duration_ns, c.socket_id, c.thread_id, c.parent_id, t.process_id, p.pid, s.fd, s.role, a.text AS peer,
  f.function, f.file, f.line, f.code, y.data AS payload, y.size
FROM calls c JOIN operations o ON o.id = c.operation_id
LEFT JOIN outcomes u ON u.id = c.outcome_id
JOIN threads t ON t.id = c.thread_id JOIN processes p ON p.id = t.process_id
LEFT JOIN sockets s ON s.id = c.socket_id LEFT JOIN addresses a ON a.id = c.peer_id
LEFT JOIN sites f ON f.id = c.site_id LEFT JOIN payloads y ON y.call_id = c.id
ORDER BY c.id
"""


@dataclass(frozen=True)
class Recorded:
    """How a recorded program ended, and its trace."""

    status: int
    out: str
    err: str
    path: Path

    @property
    def lines(self) -> list[str]:
        """What sockreel itself said, a line each."""
        return [line for line in self.err.splitlines() if line.startswith("sockreel: ")]

    @property
    def said(self) -> Any:
        """What the program printed last, as JSON."""
        return json.loads(self.out.splitlines()[-1])

    def rows(self, sql: str, *parameters: Any) -> list[dict[str, Any]]:
        """Run one query on the trace."""
        return query(self.path, sql, *parameters)

    def calls(self, **wanted: Any) -> list[dict[str, Any]]:
        """Return the calls in words, those only whose columns have the values wanted."""
        return [row for row in self.rows(_CALLS) if all(row[name] == value for name, value in wanted.items())]

    def outcomes(self, **wanted: Any) -> list[tuple[str, str]]:
        """Return operation and outcome of the calls wanted."""
        return [(row["operation"], row["outcome"]) for row in self.calls(**wanted)]

    @property
    def run(self) -> dict[str, Any]:
        """The row of the last run."""
        return self.rows("SELECT * FROM runs ORDER BY id DESC LIMIT 1")[0]

    @property
    def blind_spots(self) -> list[str]:
        """What the run says that it could not see."""
        return list(json.loads(self.run["blind_spots"]))


def query(path: Path, sql: str, *parameters: Any) -> list[dict[str, Any]]:
    """Run one query on a trace, through a connection of its own."""
    with contextlib.closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=PATIENCE_S)) as connection:
        connection.row_factory = sqlite3.Row
        return [dict(row) for row in connection.execute(sql, parameters)]


def flaws(path: Path) -> list[str]:
    """Return what `sockreel check` finds wrong with a trace."""
    with open_trace(path) as trace:
        return [finding.text for finding in check_trace(trace).findings if finding.wrong]


def until(condition: Callable[[], Any], what: str) -> Any:
    """Look at a condition until it holds, and return what it gave."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < deadline, f"never came: {what}"
        time.sleep(0.002)


def environment(changes: Mapping[str, str | None] | None = None) -> dict[str, str]:
    """Return our environment with changes; None takes a name out."""
    env = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONDONTWRITEBYTECODE")}
    for name, value in (changes or {}).items():
        env.pop(name, None)
        if value is not None:
            env[name] = value
    return env


class Recorder:
    """Records programs in a folder of one test."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._made = 0

    def script(self, text: str, name: str = "program.py") -> Path:
        """Write a program."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))
        return path

    def _command(
        self, command: Sequence[str | Path], options: Sequence[str | Path], output: Path | None, python: str | None
    ) -> tuple[list[str], Path]:
        self._made += 1
        path = output or self.folder / f"trace-{self._made}.db"
        named = ["--python", python or sys.executable] if not {"--", "--python"} & set(map(str, [*options, command[0]])) else []
        return [*SOCKREEL, "record", "-o", str(path), *named, *map(str, options), *map(str, command)], path

    def __call__(
        self,
        *command: str | Path,
        options: Sequence[str | Path] = (),
        env: Mapping[str, str | None] | None = None,
        output: Path | None = None,
        python: str | None = None,
        stdin: str | None = None,
        whole: bool = True,
        cwd: Path | None = None,
    ) -> Recorded:
        """Record a program to its end; the trace must be whole unless told otherwise.

        Args:
            command: as after the options of `sockreel record`.
            env: changes of the environment; None takes a name out.
            python: interpreter; a command is recorded by giving `--` first.
        """
        arguments, path = self._command(command, options, output, python)
        done = subprocess.run(
            arguments, capture_output=True, text=True, env=environment(env), cwd=cwd or self.folder, input=stdin or "",
            timeout=PATIENCE_S * 2, errors="surrogateescape",
        )  # fmt: skip
        recorded = Recorded(done.returncode, done.stdout, done.stderr, path)
        if whole:
            assert "Traceback" not in "".join(recorded.lines) and path.exists(), recorded
            assert flaws(path) == [], recorded
        return recorded

    @contextlib.contextmanager
    def running(
        self,
        *command: str | Path,
        options: Sequence[str | Path] = (),
        env: Mapping[str, str | None] | None = None,
        python: str | None = None,
    ) -> Iterator[Running]:
        """Record a program and look at it while it runs, in a session of its own, as a terminal's foreground job."""
        arguments, path = self._command(command, options, None, python)
        process = subprocess.Popen(
            arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment(env),
            cwd=self.folder, start_new_session=True,
        )  # fmt: skip
        with process:
            running = Running(process, path)
            try:
                yield running
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)


@dataclass
class Running:
    """A recording that goes on: sockreel's process and the trace that grows."""

    process: subprocess.Popen[str]
    path: Path

    def line(self) -> str:
        """Return the program's next line."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().rstrip("\n")

    def tell(self, text: str) -> None:
        """Write to the program's standard input."""
        assert self.process.stdin is not None
        self.process.stdin.write(text)
        self.process.stdin.flush()

    def rows(self, sql: str, *parameters: Any) -> list[dict[str, Any]]:
        """Run one query on the trace as it is now."""
        try:
            return query(self.path, sql, *parameters)
        except sqlite3.OperationalError as error:
            if "no such table" in str(error) or "unable to open" in str(error):
                return []  # it has hardly begun
            raise

    def interrupt(self) -> None:
        """Do what Ctrl-C does: SIGINT to everybody in the foreground."""
        os.killpg(self.process.pid, signal.SIGINT)

    def said_on_stderr(self) -> str:
        """Return the next line of standard error."""
        assert self.process.stderr is not None
        return self.process.stderr.readline().rstrip("\n")

    def ended(self, whole: bool = True) -> Recorded:
        """Wait for the end."""
        out, err = self.process.communicate(timeout=PATIENCE_S)
        recorded = Recorded(self.process.returncode, out, err, self.path)
        if whole:
            assert flaws(self.path) == [], recorded
        return recorded


def bare(
    *command: str | Path, env: Mapping[str, str | None] | None = None, stdin: str | None = None, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a program without us, to know how it behaves then."""
    return subprocess.run(
        [sys.executable, *map(str, command)] if str(command[0]).endswith(".py") or command[0] in ("-m", "-c") else [*map(str, command)],
        capture_output=True, text=True, env=environment(env), cwd=cwd, input=stdin or "", timeout=PATIENCE_S, errors="surrogateescape",
    )  # fmt: skip
