"""Every recorded method, with each thing that can come of it, on every Python that is here."""

from __future__ import annotations

import re
import subprocess
from typing import Any

import pytest

from .playing import interpreter
from .recording import PROGRAMS, Recorded, Recorder, environment, flaws

PROGRAM = PROGRAMS / "outcomes.py"
CASES = [
    case
    for part in ("moving", "meeting")
    for case in re.findall(r"^def (case_\w+)", (PROGRAMS / f"outcomes_{part}.py").read_text(), re.MULTILINE)
]
VERSIONS = ["3.8", "3.9", "3.10", "3.12", "3.13"]
# What a call inside the case's own nested functions is called where Python knows no qualified names.
NESTED = ("talk", "answer")


WAITS = {"select", "poll", "epoll_wait", "register", "modify", "unregister"}


@pytest.fixture(scope="module", params=["c", "python"])
def recorded(record_once: Recorder, request: pytest.FixtureRequest) -> Recorded:
    """All cases under this Python, once per core."""
    done = record_once(PROGRAM, options=["--core", request.param], whole=False)
    if request.param == "c" and done.status and not done.out:
        pytest.skip(f"there is no C core here: {done.err}")
    assert done.status == 0 and flaws(done.path) == [], done
    assert done.run["core"] == request.param
    return done


def told(row: dict[str, Any], recorded: Recorded) -> dict[str, Any]:
    """Return a call of the trace as the program describes its calls."""
    found = {name: row[name] for name in ("operation", "outcome", "result", "asked", "flags", "errno", "timeout_ns", "peer")}
    found["payload"] = row["payload"].decode("latin-1") if row["payload"] is not None else None
    found["flags"] = found["flags"] or 0
    if row["operation"] == "accept" and row["outcome"] == "ok":
        found["new_socket"] = recorded.rows("SELECT role FROM sockets WHERE id = ?", row["result"])[0]["role"]
        found["result"] = None
    if row["parent_id"] is not None:
        found["inside"] = recorded.calls(id=row["parent_id"])[0]["operation"]
    return found


def differences(recorded: Recorded, case: str) -> list[tuple[Any, Any]]:
    """Compare what a case says of its calls with the trace, in what the case speaks of."""
    expected = recorded.said[case]
    # Python's own waits inside sendfile are calls as well, but none that a case speaks of.
    rows = [told(row, recorded) for row in recorded.calls(function=case) if row["operation"] not in WAITS]
    assert [(row["operation"], row["outcome"]) for row in rows] == [(row["operation"], row["outcome"]) for row in expected]
    return [(want, row) for want, row in zip(expected, rows, strict=True) if {name: row.get(name) for name in want} != want]


@pytest.mark.parametrize("case", CASES)
def test_each_call_is_in_the_trace_as_the_program_saw_it(recorded: Recorded, case: str) -> None:
    assert case in recorded.said
    if case not in ("case_wrong_arguments", "case_ipv6"):
        assert recorded.said[case] != []
    assert differences(recorded, case) == []


def test_every_outcome_that_sockets_have_came_up(recorded: Recorded) -> None:
    came_up = {row["outcome"] for row in recorded.calls()}
    assert came_up == {"ok", "would_block", "in_progress", "eof", "timeout", "reset", "broken_pipe", "refused", "interrupted", "error"}
    words = {row["name"] for row in recorded.rows("SELECT name FROM operations WHERE layer = 'socket'")}
    assert {row["operation"] for row in recorded.calls()} - WAITS == {*words, "fcntl"} - WAITS  # one was made nonblocking by it


def test_wrong_arguments_raise_what_they_always_raised_and_are_no_lost_calls(recorded: Recorded) -> None:
    plain = subprocess.run(
        [*recorded.rows("SELECT command FROM runs")[0]["command"].strip('[]"').split('", "')], capture_output=True, text=True,
        env=environment(), check=True,
    )  # fmt: skip
    *said, _ = recorded.out.splitlines()
    *expected, _ = plain.stdout.splitlines()
    assert len(said) > 40
    assert said == expected
    assert recorded.run["calls_lost"] == 0


def test_the_agent_met_no_error_of_its_own(recorded: Recorded) -> None:
    assert recorded.blind_spots == []
    assert recorded.run["calls_lost"] == 0 and recorded.status == 0


def test_a_call_inside_a_signal_handler_stands_inside_the_call_it_interrupted(recorded: Recorded) -> None:
    (inner,) = [row for row in recorded.calls() if row["function"].endswith("answer")]
    (outer,) = recorded.calls(id=inner["parent_id"])
    assert (inner["operation"], outer["operation"], outer["function"]) == ("send", "recv", "case_interrupted")
    assert outer["started_ns"] < inner["started_ns"]
    assert inner["started_ns"] + inner["duration_ns"] <= outer["started_ns"] + outer["duration_ns"]


def test_a_thread_has_its_own_name_and_row(recorded: Recorded) -> None:
    (call,) = [row for row in recorded.calls() if row["function"].endswith("talk")]
    threads = recorded.rows("SELECT * FROM threads ORDER BY id")
    assert [row["name"] for row in threads] == ["MainThread", "talker"]
    assert call["thread_id"] == threads[1]["id"] and threads[0]["native_id"] != threads[1]["native_id"]


@pytest.mark.parametrize("version", VERSIONS)
def test_another_python_that_has_no_sockreel_is_recorded_the_same(record: Recorder, version: str) -> None:
    python = interpreter(version)
    assert subprocess.run([python, "-c", "import sockreel"], capture_output=True, cwd=record.folder).returncode != 0
    done = record(PROGRAM, python=python)
    assert done.status == 0, done
    assert done.run["python"].startswith(version + ".")
    assert done.blind_spots == [] and done.run["calls_lost"] == 0
    for case in CASES:
        assert differences(done, case) == [], case
    plain = subprocess.run([python, str(PROGRAM)], capture_output=True, text=True, env=environment(), check=True)
    assert done.out.splitlines()[:-1] == plain.stdout.splitlines()[:-1]
