"""What the runs of a sweep hold that others do not: folds over all sockets, last words, more looks at the CPU time."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from sockreel.recorder.counting.folding import Folding
from sockreel.recorder.launching import launch
from sockreel.recorder.launching.launch import Command
from sockreel.recorder.models import SERVERS
from sockreel.recorder.session import Result, Settings, record
from sockreel.recorder.sweep import Point, run_point

from .recording import PATIENCE_S, SOCKREEL, environment, flaws, query
from .taped import START_NS, Taped, spin


def parts_of(calls: Sequence[Taped], by_socket: bool) -> dict[tuple[int, int, int], list[int]]:
    """Return what the folds of some calls hold, in one sum for each part."""
    folding = Folding(START_NS, by_socket)
    folding.take(0, b"".join(call.slot() for call in calls))
    sums: dict[tuple[int, int, int], list[int]] = {}
    for fold in folding.changes().folds:
        for key, part in fold.parts.items():
            assert key not in sums
            sums[key] = part
    return sums


def test_a_round_over_many_sockets_is_one_part_with_the_same_sums() -> None:
    calls = [Taped(1, 1 + n % 300, n * 5_000, 1_000 + n) for n in range(3_000)]
    apart, together = parts_of(calls, True), parts_of(calls, False)
    assert len(apart) == 300
    assert list(together) == [(0, *next(iter(apart))[1:])]
    (part,) = together.values()
    assert part[0] == sum(each[0] for each in apart.values()) == 3_000 - 32
    assert part[1] == sum(each[1] for each in apart.values())
    assert part[2:] == [min(each[2] for each in apart.values()), max(each[3] for each in apart.values())] == [1_016, 1_000 + 2_983]


def test_operations_and_sites_stay_apart_where_sockets_do_not() -> None:
    calls = spin(0, 100, sockets=7)
    calls += [Taped(1, 3, 600_000 + n * 5_000, operation="send", site=2) for n in range(100)]
    together = parts_of(calls, False)
    assert sorted(part[0] for part in together.values()) == [84, 84]
    assert {key[0] for key in together} == {0}


def test_a_point_of_a_sweep_counts_its_polling_for_all_sockets_together(tmp_path: Path) -> None:
    path = tmp_path / "t.db"
    result = run_point(Point(SERVERS["nonblocking"], 30, 1, 1), 100_000_000, Settings(output=path))
    assert result.ended_by == "workload"
    assert flaws(path) == []
    parts = query(path, "SELECT socket_id, calls FROM fold_parts")
    assert parts and {part["socket_id"] for part in parts} == {None}
    rows = query(path, "SELECT count(*) AS calls FROM calls")[0]["calls"]
    assert rows + sum(part["calls"] for part in parts) == result.calls
    assert {row["socket_id"] for row in query(path, "SELECT DISTINCT socket_id FROM levels")} == {0}
    idle = query(path, "SELECT result, socket_id FROM exchanges WHERE client LIKE 'idle-%'")
    assert len(idle) == 29 and all(row["result"] == "ok" and row["socket_id"] for row in idle)


# --- what a program wrote to stderr


def run_script(folder: Path, text: str, **settings: Any) -> tuple[Result, Path]:
    """Record a script in this process."""
    script = folder / "program.py"
    script.write_text(text)
    path = folder / "t.db"
    return record(Command((sys.executable, str(script)), "program.py"), Settings(output=path, **settings), lambda line: None), path


DYING = "import socket, sys\nsocket.socket().close()\nprint('one', file=sys.stderr)\nraise ValueError('two')\n"


def test_the_last_line_on_stderr_is_in_the_trace_and_not_in_the_terminal(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tapes := tmp_path / "tapes").mkdir()
    result, path = run_script(tmp_path, DYING, keep_last_words=True, tape=tapes)
    assert list(tapes.iterdir()) == []
    assert result.exit_status == 1
    assert capfd.readouterr().err == ""
    assert json.loads(query(path, "SELECT settings FROM runs")[0]["settings"])["last_words"] == "ValueError: two"
    assert [path.name for path in tmp_path.iterdir() if path.name not in ("t.db", "tapes")] == ["program.py"]


def test_without_being_asked_stderr_is_left_alone(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    _, path = run_script(tmp_path, DYING)
    assert capfd.readouterr().err.splitlines()[-1] == "ValueError: two"
    assert "last_words" not in json.loads(query(path, "SELECT settings FROM runs")[0]["settings"])


@pytest.mark.parametrize(("written", "told"), [
    ("b''", None),
    ("b' \\n\\n'", None),
    ("b'a\\nb\\n\\n  \\n'", "b"),
    ("b'no end of line'", "no end of line"),
    ("b'\\xff\\x1b[31m\\n'", "\ufffd\x1b[31m"),
    ("b'x' * 300_000 + b'\\nlast\\n'", "last"),
], ids=range(6))
def test_last_words_are_one_line_whatever_was_written(tmp_path: Path, written: str, told: str | None) -> None:
    code = f"import sys; sys.stderr.buffer.write({written})"
    program = launch.start(Command((sys.executable, "-I", "-S", "-c", code), "program"), tmp_path, aside=True)
    assert program.wait(PATIENCE_S) == 0
    assert launch.last_words(tmp_path) == ({} if told is None else {"last_words": told})


def test_a_line_without_end_is_kept_in_part(tmp_path: Path) -> None:
    code = "import sys; sys.stderr.write('x' * 300_000)"
    assert launch.start(Command((sys.executable, "-I", "-S", "-c", code), "program"), tmp_path, aside=True).wait(PATIENCE_S) == 0
    words = launch.last_words(tmp_path)["last_words"]
    assert set(words) == {"x"} and len(words) < 100_000
    assert launch.last_words(tmp_path / "nowhere") == {}


# --- CPU time

BURNING = """
import socket, time
sock = socket.create_server(("127.0.0.1", 0))
until = time.process_time() + 0.5
while time.process_time() < until:
    pass
sock.close()
"""
ONLY_CPU = "SELECT run_ns FROM samples WHERE thread_id IS NULL AND coalesce(rss_bytes, voluntary_switches, children_ns) IS NULL"


def test_cpu_time_is_looked_at_more_often_where_asked(tmp_path: Path) -> None:
    _, path = run_script(tmp_path, BURNING, sample_s=0.02)
    assert flaws(path) == []
    extra = query(path, ONLY_CPU + " ORDER BY at_ns")
    assert len(extra) >= 5
    whole = query(path, "SELECT at_ns, run_ns FROM samples WHERE thread_id IS NULL ORDER BY at_ns")
    assert len(whole) > len(extra)
    run_ns = [row["run_ns"] for row in whole]
    assert run_ns == sorted(run_ns) and run_ns[-1] >= 500_000_000


def test_it_is_not_where_nobody_asked(tmp_path: Path) -> None:
    _, path = run_script(tmp_path, BURNING)
    assert query(path, ONLY_CPU) == []
    assert query(path, "SELECT count(*) AS samples FROM samples")[0]["samples"] > 2


# --- Ctrl-C


def test_an_interrupted_sweep_shows_the_points_that_were_whole(tmp_path: Path) -> None:
    path = tmp_path / "t.db"
    points = ("--models", "nonblocking,epoll_level", "--clients", "1,7", "--repeat", "1", "--for", "100ms")
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [*SOCKREEL, "sweep", *points, "-o", str(path)], stdout=pipe, stderr=pipe, text=True, env=environment(), start_new_session=True,
    ) as sweep:
        assert sweep.stderr is not None
        assert "nonblocking" in sweep.stderr.readline()
        assert "epoll_level" in sweep.stderr.readline()
        # A run goes on, or the next one is about to begin.
        os.killpg(sweep.pid, signal.SIGINT)
        out, err = sweep.communicate(timeout=PATIENCE_S)
    assert sweep.returncode == 130
    assert "Traceback" not in err and "interrupted" in err
    assert "ends at" not in out + err and "nonblocking" in out and "epoll_level" in out
    assert flaws(path) == []
    again = subprocess.run([*SOCKREEL, "sweep", "--read", str(path)], capture_output=True, text=True, env=environment(), timeout=PATIENCE_S)
    assert (again.returncode, again.stdout) == (0, out)
