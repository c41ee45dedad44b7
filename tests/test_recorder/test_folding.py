"""Folding: fewer rows, the same story."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sockreel.recorder.counting.folding import Folding
from sockreel.replay import Story, Window, load_listing, load_story
from sockreel.replay.density import shares
from sockreel.tests.test_recorder.recording import Recorder, flaws, query
from sockreel.tests.test_recorder.taped import MS, START_NS, US, S, Taped, spin, write_run
from sockreel.traces import open_trace

SPINNING = """
    import socket, sys
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    def spin(calls):
        for _ in range(calls):
            try:
                ours.recv(10)
            except BlockingIOError:
                pass
    spin(40_000)
    theirs.send(b"x")
    ours.recv(1)
    spin(20)
    spin(20)
"""
POLLING = """
    import select, socket
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    poller = select.epoll()
    poller.register(ours, select.EPOLLIN)
    for _ in range(2_000):
        select.select([ours], [], [], 0)
        poller.poll(0)
        try:
            ours.recv(10)
        except BlockingIOError:
            pass
    theirs.send(b"x")
    poller.poll()
    ours.recv(1)
"""
END_NS = 2_048 * MS

# What one thread does next: a spin, one call of another kind, or a call within another one.
STRETCH = st.tuples(
    st.sampled_from([0, 1, 15, 16, 31, 32, 33, 34, 100, 3_000]),  # fruitless calls
    st.sampled_from([1, 1, 2, 3]),  # over so many sockets
    st.sampled_from([3 * US, 10 * US, 30 * US]),  # from one to the next
    st.sampled_from(["moved", "blocked", "eof", "slow", "nested", "nothing"]),  # what follows
    st.sampled_from([0, 0, 8 * MS, 40 * MS]),  # and the pause behind it
)
Stretch = tuple[int, int, int, str, int]


def play(thread: int, at_ns: int, stretches: Sequence[Stretch]) -> list[Taped]:
    """Return what one thread does."""
    calls: list[Taped] = []
    for count, sockets, every_ns, then, pause_ns in stretches:
        calls += spin(at_ns, count, thread=thread, sockets=sockets, every_ns=every_ns)
        at_ns += count * every_ns
        if then == "moved":
            calls.append(Taped(thread, 1, at_ns, 9 * US, "recv", "ok", 5))
        elif then == "blocked":
            calls.append(Taped(thread, 2, at_ns, 3 * MS, "recv", "ok", 7, -1))
        elif then == "eof":
            calls.append(Taped(thread, 3, at_ns, 4 * US, "recv", "eof", 0))
        elif then == "slow":
            calls.append(Taped(thread, 1, at_ns, 11 * MS))
        elif then == "nested":
            calls.append(Taped(thread, 1, at_ns, 4 * US, parent=1))
        at_ns += (calls[-1].duration_ns if calls else 0) + 3 * US + pause_ns
    return calls


def both(folder: Path, calls: Sequence[Taped], step: int, end_ns: int = END_NS) -> tuple[Path, Path]:
    """Write a run unfolded and folded."""
    ordered = sorted(calls, key=lambda call: call.started_ns)
    return (write_run(folder / "all.db", ordered, end_ns, fold=False, step=step),
            write_run(folder / "folded.db", ordered, end_ns, fold=True, step=step))


def story(path: Path, window: Window | None = None, **options: Any) -> Story:
    """Load the story of a trace's only run."""
    with open_trace(path) as trace:
        return load_story(trace, trace.find_run(), window, **options)


def folded_calls(path: Path) -> int:
    """Return how many calls a trace counts in folds."""
    return int(query(path, "SELECT ifnull(sum(calls), 0) AS calls FROM fold_parts")[0]["calls"])


@settings(max_examples=40)
@given(st.lists(STRETCH, max_size=6), st.lists(STRETCH, max_size=4), st.sampled_from([7, 100, 1_000, 50_000]))
@example([], [(15, 1, 3000, "nothing", 0), (15, 2, 3000, "nothing", 0), (15, 1, 3000, "moved", 0)], 7)  # a socket with folded calls only
def test_a_folded_trace_tells_the_same(one: list[Stretch], two: list[Stretch], step: int) -> None:
    """Views, counts, lanes, spins and gaps are equal, whatever is folded and however the calls came in."""
    calls = [*play(1, 1 * MS, one), *play(2, 1 * MS + 1, two), Taped(1, 1, 1, outcome="ok", result=3)]
    with tempfile.TemporaryDirectory() as folder:
        whole, folded = both(Path(folder), calls, step)
        assert flaws(whole) == flaws(folded) == []
        kept = query(folded, "SELECT count(*) AS calls FROM calls")[0]["calls"]
        assert kept + folded_calls(folded) == len(calls)
        for question in ("SELECT * FROM spins ORDER BY first_call_id", "SELECT * FROM connections ORDER BY socket_id",
                         "SELECT * FROM summary ORDER BY 1, 2, 3, 4"):
            assert query(folded, question) == query(whole, question)
        plain, short = story(whole), story(folded)
        for part in ("facts", "counts", "spins", "gaps", "standstills", "window"):
            if part == "facts":
                assert (short.facts.calls, short.facts.fruitless) == (plain.facts.calls, plain.facts.fruitless)
            else:
                assert getattr(short, part) == getattr(plain, part), part
        for window, columns in ((None, 16), (None, 256), (Window(0, 64 * MS), 16), (Window(64 * MS, 128 * MS), 8)):
            plain, short = (story(path, window, resolution=columns, source="levels") for path in (whole, folded))
            assert [lane.cells for lane in short.threads] == [lane.cells for lane in plain.threads]
            assert [lane.cells for lane in short.sockets] == [lane.cells for lane in plain.sockets]


def test_the_first_and_the_last_sixteen_of_a_spin_stay_rows(tmp_path: Path) -> None:
    calls = [*spin(0, 33), Taped(1, 1, 1 * MS, outcome="ok", result=1), *spin(2 * MS, 32), Taped(1, 1, 3 * MS, outcome="ok", result=1)]
    path = write_run(tmp_path / "t.db", calls, S, fold=True, step=10)
    ids = [row["id"] for row in query(path, "SELECT id FROM calls ORDER BY id")]
    assert ids == [*range(1, 17), *range(18, 68)]
    part = query(path, "SELECT f.thread_id, f.first_ns, f.last_ns, p.* FROM folds f JOIN fold_parts p ON p.fold_id = f.id")
    assert [tuple(row.values()) for row in part] == [(11, 80 * US, 82 * US, 1, 21, 2, 31, 1, 2 * US, 2 * US, 2 * US)]


def test_a_spin_of_seconds_is_folded_second_by_second(tmp_path: Path) -> None:
    """So that a narrow window says where it is."""
    path = write_run(tmp_path / "t.db", spin(700 * MS, 20_000, every_ns=100 * US), 3 * S, fold=True, step=777)
    folds = query(path, "SELECT first_ns, last_ns FROM folds ORDER BY first_ns")
    assert [row["first_ns"] // S for row in folds] == [row["last_ns"] // S for row in folds] == [0, 1, 2]
    assert query(path, "SELECT calls FROM spins") == [{"calls": 20_000}]


def test_calls_around_a_pause_and_slow_ones_stay_rows(tmp_path: Path) -> None:
    """They are told one by one: a gap between two calls, a call of 8 ms."""
    calls = [*spin(0, 100), *spin(20 * MS, 100), Taped(1, 1, 21 * MS, 9 * MS), *spin(30 * MS + 5 * US, 100)]
    path = write_run(tmp_path / "t.db", calls, S, fold=True)
    kept = {row["started_ns"] for row in query(path, "SELECT started_ns FROM calls")}
    assert {call.started_ns for call in calls[84:116]} <= kept
    assert 21 * MS in kept
    assert folded_calls(path) == 3 * 68


def test_every_commit_shows_each_call_once(tmp_path: Path) -> None:
    """As a row or in a fold: a reader of a run that goes on sees all, and so does who takes over from a dead recorder."""
    for count in (1, 16, 17, 32, 33, 500):
        path = write_run(tmp_path / f"{count}.db", spin(0, count), S, fold=True, step=3)
        rows = query(path, "SELECT count(*) AS calls FROM calls")[0]["calls"]
        assert rows == min(count, 32)
        assert rows + folded_calls(path) == count


def test_waiting_calls_are_rows_before_they_are_folded() -> None:
    folding = Folding(START_NS)
    calls = spin(0, 60)
    rows: set[int] = set()
    for number, call in enumerate(calls):
        folding.take(number, call.slot())
        changes = folding.changes()
        rows -= set(changes.dropped)
        for numbers, slots in changes.kept:
            assert not rows & set(numbers)
            assert len(slots) == 96 * len(numbers)
            rows |= set(numbers)
        counted = sum(part[0] for fold in changes.folds for part in fold.parts.values())
        assert len(rows) + counted == number + 1


def test_a_narrow_window_inside_of_a_fold_is_told(tmp_path: Path) -> None:
    """No row lies in it: lanes, spin and listing come from the fold and the levels."""
    whole, folded = both(tmp_path, spin(100 * MS, 12_000, every_ns=50 * US), 1_000)
    window = Window(304 * MS, 336 * MS)
    plain, short = (story(path, window, resolution=32) for path in (whole, folded))
    assert short.calls == ()
    for lane, other in zip((*short.threads, *short.sockets), (*plain.threads, *plain.sockets), strict=True):
        for share, wanted in zip(shares(lane.cells, window, 32), shares(other.cells, window, 32), strict=True):
            assert share == pytest.approx(wanted)
    assert [(found.calls, found.exact) for found in plain.spins] == [(640, True)]
    assert [(found.exact, found.started_ns, found.ended_ns) for found in short.spins] == [(False, window.start_ns, window.end_ns)]
    assert short.spins[0].calls == pytest.approx(640, abs=2)
    with open_trace(folded) as trace:
        entries = load_listing(trace, trace.find_run(), window).entries
        assert [(entry.calls, entry.exact) for entry in entries] == [(short.spins[0].calls, False)]
        assert entries[0].what == (("recv", 21, short.spins[0].calls),)
        assert load_listing(trace, trace.find_run(), operations=["send"]).entries == ()
        whole_run = load_listing(trace, trace.find_run()).entries
    assert [(entry.calls, entry.what) for entry in whole_run] == [(12_000, (("recv", 21, 12_000),))]


def test_slow_polls_keep_their_sums(tmp_path: Path) -> None:
    """Polls of every 2 ms are too few for a bucket of 1 ms: nothing is lost where buckets hold enough of them."""
    whole, folded = both(tmp_path, spin(0, 900, every_ns=2 * MS), 100)
    assert folded_calls(folded) == 900 - 32
    assert [lane.calls for lane in story(folded).threads] == [lane.calls for lane in story(whole).threads] == [(0, 900, 0, 0)]
    for level in range(2, 8):
        rows = [query(path, "SELECT * FROM levels WHERE level = ? ORDER BY 1, 2, 3, 4, 5, 6", level) for path in (whole, folded)]
        assert rows[0] == [row for row in rows[1] if row in rows[0]]
    assert len(query(folded, "SELECT 1 FROM levels")) < 900


def test_calls_that_something_refers_to_stay_rows() -> None:
    folding = Folding(START_NS)
    slots = b"".join(call.slot() for call in spin(0, 100))
    folding.take(500, slots, {550})
    kept = {number for numbers, _ in folding.changes().kept for number in numbers}
    assert kept == {*range(500, 516), *range(534, 567), *range(584, 600)}


def test_waits_that_may_not_wait_and_find_nothing_are_folded(record: Recorder) -> None:
    done = record(record.script(POLLING), options=["--fold"])
    assert flaws(done.path) == []
    folded = {row["name"]: row["calls"] for row in done.rows(
        "SELECT o.name, sum(p.calls) AS calls FROM fold_parts p JOIN operations o ON o.id = p.operation_id GROUP BY 1")}
    assert folded.keys() == {"select", "epoll_wait", "recv"}
    assert sum(folded.values()) + len(done.calls()) == done.run["calls_recorded"]
    assert done.rows("SELECT calls FROM spins ORDER BY calls DESC LIMIT 1") == [{"calls": 6_000}]
    assert {(count.operation, count.outcome, count.calls) for count in story(done.path).counts} >= {
        ("select", "timeout", 2_000), ("epoll_wait", "timeout", 2_000), ("recv", "would_block", 2_000)}


def test_a_recorded_program_is_folded(record: Recorder) -> None:
    done = record(record.script(SPINNING), options=["--fold"])
    assert flaws(done.path) == []
    assert done.run["calls_recorded"] == len(done.calls()) + folded_calls(done.path)
    assert [row["calls"] for row in done.rows("SELECT calls FROM spins ORDER BY first_call_id")] == [40_000, 40]
    kept = [row for row in done.calls(operation="recv") if row["outcome"] == "would_block"]
    # Where the program had no processor for long, calls around that stay rows, too.
    pauses = sum(following["started_ns"] - row["started_ns"] >= 8 * MS and following["id"] == row["id"] + 1
                 for row, following in itertools.pairwise(kept))
    assert 32 <= len(kept) <= 32 + 40 + 34 * pauses
    assert folded_calls(done.path) == 40_040 - len(kept) > 0
    assert '"folded_from_ns": 0' in done.run["settings"]


def test_a_trace_that_grows_too_large_is_folded_from_then_on(record: Recorder) -> None:
    done = record(record.script(SPINNING), options=["--max-size", "400K"])
    assert flaws(done.path) == []
    assert [line for line in done.lines if "the trace reached" in line and "(--max-size)" in line] == done.lines[-2:-1]
    assert done.run["calls_recorded"] == len(done.calls()) + folded_calls(done.path)
    assert [row["calls"] for row in done.rows("SELECT calls FROM spins ORDER BY first_call_id")] == [40_000, 40]
