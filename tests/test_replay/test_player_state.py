"""The state that the player shows: equal to what SQL says of the trace, the same by whichever way it is reached."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sockreel.replay.language import language
from sockreel.replay.player.state import Play
from sockreel.replay.player.timeline import Playhead, Signature
from sockreel.replay.reading import Reader
from sockreel.tests.synthetic import MS, US, Recording
from sockreel.traces import Trace, open_trace

# In the test's own words: what had come to an end by a moment, of all calls and per socket; what was open; what lay in queues.
ENDED = "started_ns + duration_ns <= :at"
RECEIVED = "sum(CASE WHEN o.name LIKE 'recv%' AND c.outcome_id = 2 THEN c.result ELSE 0 END)"
SENT = "sum(CASE WHEN o.name LIKE 'send%' AND c.outcome_id = 2 THEN c.result ELSE 0 END)"


def ask(path: Path, sql: str, **parameters: object) -> list[tuple[object, ...]]:
    """Ask the file itself."""
    connection = sqlite3.connect(path)
    try:
        return connection.execute(sql, parameters).fetchall()
    finally:
        connection.close()


@pytest.fixture(params=["blocking", "nonblocking"])
def label(request: pytest.FixtureRequest) -> str:
    """The label of a run of the lecture."""
    return str(request.param)


@pytest.fixture
def play(trace: Trace, label: str) -> Play:
    """That run, ready to be played."""
    return Play(Reader(trace, trace.find_run(label)), language("en"))


def test_after_any_step_the_state_is_what_sql_says(play: Play, lecture_file: Path) -> None:
    run = play.reader.run.id
    line = play.line
    places = sorted({*range(0, len(line), max(1, len(line) // 40)), *range(30), *range(len(line) - 30, len(line))} & set(range(len(line))))
    assert len(places) > 15
    for position in places:
        head = line.at_time(line.ends[position])
        state = play.state(head)
        if head.at_ns >= line.end_ns:
            continue  # the calls that never returned count here as ended
        (counted,) = ask(lecture_file, f"SELECT count(*), sum(outcome_id = 1), {RECEIVED}, {SENT} FROM calls c JOIN operations o "
                         f"ON o.id = operation_id WHERE run_id = :run AND {ENDED}", run=run, at=head.at_ns)
        assert (state.calls, state.fruitless, state.received_bytes, state.sent_bytes) == counted
        assert head.position == counted[0]
        opened = ask(lecture_file, "SELECT s.id FROM sockets s JOIN processes p ON p.id = process_id WHERE run_id = :run "
                     "AND opened_ns <= :at AND (closed_ns IS NULL OR closed_ns > :at) ORDER BY 1", run=run, at=head.at_ns)
        assert [(socket.id,) for socket in sorted(state.open_sockets, key=lambda socket: socket.id)] == opened
        for socket in state.open_sockets:
            (own,) = ask(lecture_file, f"SELECT count(*), ifnull({RECEIVED}, 0), ifnull({SENT}, 0) FROM calls c JOIN operations o "
                         f"ON o.id = operation_id WHERE socket_id = :socket AND {ENDED}", socket=socket.id, at=head.at_ns)
            assert (socket.calls, socket.received_bytes, socket.sent_bytes) == own
            ((asked,),) = ask(lecture_file, "SELECT sum(sent_bytes) FROM exchanges WHERE socket_id = :socket AND sent_ns <= :at",
                              socket=socket.id, at=head.at_ns)
            if socket.queued_bytes is not None:
                assert socket.queued_bytes == max(0, int(str(asked or 0)) - socket.received_bytes)
            if socket.backlog is not None:
                ((waiting,),) = ask(lecture_file, "SELECT count(DISTINCT client) FROM exchanges x JOIN sockets s ON s.id = socket_id "
                                    "WHERE x.run_id = :run AND connected_ns <= :at AND opened_ns > :at", run=run, at=head.at_ns)
                assert socket.backlog == waiting


def test_calls_in_progress_are_those_that_sql_finds(play: Play, lecture_file: Path) -> None:
    for at_ns in range(0, 2000 * MS, 7 * MS + 11 * US):
        found = [play.line.ids[place] for place in play.state(play.line.at_time(at_ns)).in_progress]
        wanted = ask(lecture_file, "SELECT id FROM calls WHERE run_id = :run AND started_ns <= :at AND "
                     "(duration_ns IS NULL OR started_ns + duration_ns > :at) ORDER BY id", run=play.reader.run.id, at=at_ns)
        assert [(id_,) for id_ in sorted(found)] == wanted


def test_while_the_blocking_server_listens_to_ada_the_others_wait_in_the_kernel(trace: Trace) -> None:
    play = Play(Reader(trace, trace.find_run("blocking")), language("en"))
    state = play.state(play.line.at_time(1000 * MS))
    listener, connection = state.open_sockets
    assert (listener.role, listener.backlog, listener.queued_bytes) == ("listener", 2, None)
    assert (connection.role, connection.backlog, connection.queued_bytes) == ("accepted", None, 0)
    ben = next(client for client in state.clients if client.name == "ben")
    assert (ben.connected, ben.accepted, ben.asked, ben.answered, ben.waiting_since_ns) == (True, False, 1, 0, 150 * MS)
    (place,) = state.in_progress
    assert play.span(place).operation == "recv"


@pytest.fixture
def fresh(trace: Trace, label: str) -> Play:
    """The same once more."""
    return Play(Reader(trace, trace.find_run(label)), language("en"))


STEPS = st.sampled_from(["call", "back", "half", "fruitful", "unfruitful"])
MOVES = st.lists(STEPS | st.integers(0, 2000 * MS), max_size=30)


@settings(max_examples=60)
@given(MOVES, st.integers(1, 40))
def test_stepping_both_ways_returns_to_the_same_state(play: Play, fresh: Play, moves: list[str | int], steps: int) -> None:
    line, head = play.line, Playhead(0, 0)
    for move in moves:
        if isinstance(move, int):
            head = line.at_time(move)
        elif move in ("fruitful", "unfruitful"):
            head = line.step_fruitful(head, move == "fruitful")
        elif move == "half":
            head = line.step_half(head)
        elif move in ("call", "back"):
            head = line.step(head, 1 if move == "call" else -1)
        assert 0 <= head.position <= len(line)
    # A player that has not walked shows the same there.
    assert play.state(head) == fresh.state(head)
    start = line.at_call(head.position)
    before = play.state(start)
    there = start
    for _ in range(steps):
        there = line.step(there, 1)
    for _ in range(there.position - start.position):
        there = line.step(there, -1)
    assert there == start
    assert play.state(there) == before
    on = line.step_fruitful(start, True)
    assert line.step_fruitful(line.step_fruitful(on, True), False) == on or on.position == len(line) or line.step_fruitful(
        on, True).position == len(line)


def test_a_spin_is_one_stretch_and_a_call_that_came_to_something_is_one_by_itself(trace: Trace) -> None:
    line = Play(Reader(trace, trace.find_run("nonblocking")), language("en")).line
    first = line.find(0, lambda signature: signature.fruitless)
    assert first is not None
    begin, behind = line.stretch(first + 77)
    assert (begin, behind) == (first, first + 600)
    assert line.stretch(behind) == (behind, behind + 1)
    assert all(line.stretch(place) == (begin, behind) for place in range(begin, behind))


def test_a_search_finds_the_next_and_the_last_step_of_a_kind(play: Play) -> None:
    recv = next(id_ for id_ in range(1, 30) if play.reader.operation(id_) == "recv")

    def received(signature: Signature) -> bool:
        return signature.operation_id == recv and not signature.fruitless

    places = [place for place in range(len(play.line)) if received(play.line.signature(place))]
    assert len(places) > 4
    assert play.line.find(places[1] + 1, received) == places[2]
    assert play.line.find(places[2], received, forwards=False) == places[1]
    assert play.line.find(places[1] + 1, received, stop=places[2]) is None
    assert play.line.find(places[-1] + 1, received) is None


def test_folded_calls_are_counted_where_their_fold_ends(tmp_path: Path) -> None:
    path = tmp_path / "fold.db"
    with Recording(path) as recording:
        run = recording.run("nonblocking")
        thread, socket = run.thread(), run.socket(4)
        run.spin(thread, "recv", socket, at_ns=MS, until_ns=MS + 160 * US)
        run.fold(thread, 2 * MS, 9 * MS, (socket, "recv", 1000, 3 * MS))
        run.call(thread, "recv", socket, at_ns=10 * MS, payload=b"hi", timeout_ns=0)
        run.finish(20 * MS)
    with open_trace(path) as trace:
        play = Play(Reader(trace, trace.find_run()), language("en"))
        assert [play.state(play.line.at_time(at_ns)).calls for at_ns in (MS, 8 * MS, 9 * MS, 11 * MS)] == [0, 16, 1016, 1017]
        state = play.state(play.line.at_call(len(play.line)))
        assert (state.calls, state.fruitless, state.sockets[0].calls, state.sockets[0].fruitless) == (1017, 1016, 1017, 1016)
        entry = play.entry(*play.line.stretch(3))
        assert (entry.calls, entry.what) == (1016, (("recv", socket, 1016),))


def test_threads_that_overlap_are_in_the_order_of_their_returns(tmp_path: Path) -> None:
    path = tmp_path / "threads.db"
    with Recording(path) as recording:
        run = recording.run("threads")
        one, two = run.thread("one"), run.thread("two")
        first, second = run.socket(4), run.socket(5)
        slow = run.call(one, "recv", first, at_ns=MS, duration_ns=9 * MS, payload=b"slow")
        quick = run.call(two, "recv", second, at_ns=2 * MS, duration_ns=MS, payload=b"quick")
        never = run.call(two, "recv", second, at_ns=4 * MS, duration_ns=None)
        run.finish(20 * MS)
    with open_trace(path) as trace:
        play = Play(Reader(trace, trace.find_run()), language("en"))
        assert list(play.line.ids) == [quick, slow, never]
        assert [play.line.ids[place] for place in play.state(play.line.at_time(5 * MS)).in_progress] == [slow, never]
        assert play.state(play.line.at_call(1)).received_bytes == 5


@pytest.fixture(scope="module")
def million(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A trace with a million fruitless calls and some that moved bytes."""
    path = tmp_path_factory.mktemp("million") / "million.db"
    with Recording(path) as recording:
        run = recording.run("nonblocking")
        thread = run.thread()
        sockets = [run.socket(fd) for fd in range(4, 24)]
        recv, wrong, ok = recording.operation("recv"), recording.outcome("would_block"), recording.outcome("ok")
        recording.connection.executemany(
            "INSERT INTO calls (run_id, thread_id, socket_id, operation_id, outcome_id, started_ns, duration_ns, result, timeout_ns) "
            "VALUES (?, ?, ?, ?, ?, ?, 800, ?, 0)",
            ((run.id, thread, sockets[n % 20], recv, wrong if n % 100 else ok, n * 1000, None if n % 100 else 7) for n in range(1_000_000)))
        run.finish(1_000_000_000)
    yield path


@pytest.mark.slow
def test_a_million_calls_are_played_like_ten(million: Path) -> None:
    with open_trace(million) as trace:
        play = Play(Reader(trace, trace.find_run()), language("en"))
        assert len(play.line) == 1_000_000
        for position in (0, 1, 99, 123_456, 999_999, 1_000_000):
            state = play.state(play.line.at_call(position))
            assert (state.calls, state.fruitless) == (position, position - (position + 99) // 100)
            assert state.received_bytes == 7 * ((position + 99) // 100)
            assert sum(socket.calls for socket in state.sockets) == position
        assert json.dumps(play.line.stretch(555_555)) == "[555501, 555600]"
