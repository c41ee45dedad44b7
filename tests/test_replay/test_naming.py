"""Which model a run is seen to follow."""

from __future__ import annotations

from pathlib import Path

import pytest
from sockreel.replay import load_model
from sockreel.replay.diagnosis import diagnose
from sockreel.replay.naming import Evidence, Peer, Use, Watch, name_run
from sockreel.tests.synthetic import MS, US, Recording
from sockreel.traces import open_trace

LISTENER, FIRST, SECOND = 1, 2, 3
SOCKETS = {LISTENER: Peer(LISTENER, "listener", 1), FIRST: Peer(FIRST, "accepted", 1), SECOND: Peer(SECOND, "accepted", 1)}
ONE, TWO, THREE = {1: 1}, {1: 1, 2: 1}, {1: 1, 2: 1, 3: 1}


def use(socket: int, operation: str = "recv", waits: str = "forever", thread: int = 1, **told: object) -> Use:
    values = {"layer": "socket", "fruitless": False, "calls": 5, "blocked_ns": 9, "call_id": 10 * socket + thread, **told}
    return Use(thread, socket, operation, waits=waits, **values)  # type: ignore[arg-type]


def test_one_thread_that_blocks_on_every_connection_serves_one_at_a_time() -> None:
    found = name_run(Evidence(SOCKETS, ONE, [use(LISTENER, "accept"), use(FIRST), use(SECOND)]))
    assert (found.name, found.listener, found.posix) == ("blocking (one connection at a time)", "", "synchronous")
    assert {21, 31} <= set(found.proof)


def test_threads_and_processes_of_their_own_are_told_apart() -> None:
    uses = [use(LISTENER, "accept"), use(FIRST, thread=2), use(SECOND, thread=3)]
    assert name_run(Evidence(SOCKETS, THREE, uses)).variant == "a thread per connection"
    assert name_run(Evidence(SOCKETS, {1: 1, 2: 2, 3: 3}, uses)).variant == "a process per connection"
    shared = [use(LISTENER, "accept"), *(use(id_, thread=2 + id_ % 2) for id_ in range(2, 12))]
    many = {id_: Peer(id_, "accepted", 1) for id_ in range(2, 12)} | {LISTENER: SOCKETS[LISTENER]}
    assert name_run(Evidence(many, THREE, shared)).variant == "2 threads shared by the connections"
    assert name_run(Evidence(SOCKETS, TWO, [use(LISTENER, "accept"), use(FIRST, thread=2), use(SECOND, thread=2)])).variant == (
        "one worker for the connections")


def test_polling_needs_a_call_that_found_nothing_and_sleeping_is_named() -> None:
    polls = [use(id_, waits="never", fruitless=True) for id_ in SOCKETS]
    assert name_run(Evidence(SOCKETS, ONE, polls)).name == "nonblocking (polling)"
    assert name_run(Evidence(SOCKETS, ONE, polls, slept={1: 77})).name == "nonblocking (polling with sleeps)"
    assert 77 in name_run(Evidence(SOCKETS, ONE, polls, slept={1: 77})).proof
    assert name_run(Evidence(SOCKETS, ONE, [use(FIRST, waits="never")])).variant == "never had to wait"


def test_a_polled_listener_with_connections_that_block_is_a_blocking_server_behind_a_polled_listener() -> None:
    found = name_run(Evidence(SOCKETS, ONE, [use(LISTENER, "accept", "never", fruitless=True), use(FIRST), use(SECOND)]))
    assert (found.model, found.listener) == ("blocking", "nonblocking (polling)")


@pytest.mark.parametrize(
    ("how", "edge", "oneshot", "name"),
    [("select", False, False, "select"), ("poll", False, False, "poll"), ("epoll", False, False, "epoll, level-triggered"),
     ("epoll", True, False, "epoll, edge-triggered"), ("epoll", True, True, "epoll, edge-triggered, one-shot")])
def test_what_watches_a_socket_is_named_with_its_trigger(how: str, edge: bool, oneshot: bool, name: str) -> None:
    watches = [Watch(id_, how, edge, oneshot, 90 + id_) for id_ in SOCKETS]
    found = name_run(Evidence(SOCKETS, ONE, [use(id_, waits="never", fruitless=True) for id_ in SOCKETS], watches))
    assert (found.model, found.variant) == ("multiplexing", name)
    assert found.popular.startswith("asynchronous")
    assert found.posix == "synchronous"
    blocking = name_run(Evidence(SOCKETS, ONE, [use(id_) for id_ in SOCKETS], watches))
    assert blocking.variant == f"{name}, blocking calls"


def test_signals_and_rings_win_over_plain_calls() -> None:
    polls = [use(id_, waits="never", fruitless=True) for id_ in SOCKETS]
    assert name_run(Evidence(SOCKETS, ONE, polls, armed={FIRST: 5, SECOND: 6})).model == "signal-driven"
    found = name_run(Evidence(SOCKETS, ONE, polls, submitted={FIRST: 5, SECOND: 6}))
    assert (found.model, found.posix) == ("asynchronous", "asynchronous")


def test_a_client_and_a_listener_that_nobody_came_to_have_a_model_too() -> None:
    assert name_run(Evidence({5: Peer(5, "connected", 1)}, ONE, [use(5, waits="limited")])).name == "blocking (with a timeout)"
    assert name_run(Evidence({1: SOCKETS[1]}, ONE, [use(1, "accept", "never", fruitless=True)])).name == "nonblocking (polling)"
    assert name_run(Evidence({}, ONE)).model == "unknown"
    assert name_run(Evidence(SOCKETS, ONE, [use(FIRST, "close")])).model == "unknown"


def test_what_an_event_loop_tells_itself_does_not_count() -> None:
    sockets = {**SOCKETS, 9: Peer(9, "pair", 1, internal=True)}
    watches = [Watch(FIRST, "epoll", False, False, 1), Watch(9, "epoll", True, False, 2)]
    found = name_run(Evidence(sockets, ONE, [use(FIRST, waits="never")], watches, asyncio=frozenset({1})))
    assert found.name == "multiplexing (asyncio: epoll, level-triggered)"
    assert 9 not in {one.socket_id for one in found.sockets}
    # The loop of another process, say of gunicorn's arbiter, says nothing of the workers.
    elsewhere = Evidence(sockets, ONE, [use(FIRST, waits="never")], watches, asyncio=frozenset({7}))
    assert name_run(elsewhere).variant == "epoll, level-triggered"


def _spinning(path: Path, pause_us: int, levels: bool) -> Path:
    with Recording(path) as recording:
        run = recording.run("polls")
        thread = run.thread()
        listener = run.socket(3, "listener")
        run.spin(thread, "accept", listener, at_ns=MS, until_ns=400 * MS, every_ns=pause_us * US)
        client = run.socket(4, parent_id=listener, opened_ns=400 * MS)
        run.call(thread, "accept", listener, at_ns=400 * MS, result=client, timeout_ns=0)
        run.spin(thread, "recv", client, at_ns=401 * MS, until_ns=600 * MS, every_ns=pause_us * US)
        run.call(thread, "recv", client, at_ns=601 * MS, payload=b"x", timeout_ns=0)
        run.finish(700 * MS, levels=levels)
    return path


@pytest.mark.parametrize("levels", [True, False])
@pytest.mark.parametrize(("pause_us", "variant"), [(10, "polling"), (2_000, "polling with sleeps")])
def test_the_pace_of_polls_is_read_from_the_trace(tmp_path: Path, pause_us: int, variant: str, levels: bool) -> None:
    with open_trace(_spinning(tmp_path / "t.db", pause_us, levels)) as trace:
        assert load_model(trace, trace.find_run()).variant == variant


@pytest.mark.parametrize(("sockets", "round_us", "variant"), [(1, 10, "polling"), (40, 400, "polling"), (1, 2_000, "polling with sleeps"),
                                                              (4, 2_000, "polling with sleeps")])
def test_calls_that_were_folded_are_no_pause_and_their_pace_is_told(tmp_path: Path, sockets: int, round_us: int, variant: str) -> None:
    """Between the ends of a spin that were kept time passes, in calls that were counted: their mean pace says whether it slept."""
    with Recording(tmp_path / "t.db") as recording:
        run = recording.run("polls")
        thread = run.thread()
        polled = [run.socket(3 + number) for number in range(sockets)]
        for start_ms in (0, 130):
            run.spin(thread, "recv", polled[0], at_ns=start_ms * MS, until_ns=start_ms * MS + 16 * round_us * US, every_ns=round_us * US)
            rounds = 90_000 // round_us
            parts = [(socket, "recv", rounds, rounds * 3 * US) for socket in polled]
            run.fold(thread, (start_ms + 35) * MS, (start_ms + 125) * MS, *parts)
        run.spin(thread, "recv", polled[0], at_ns=260 * MS, until_ns=260 * MS + 16 * round_us * US, every_ns=round_us * US)
        run.finish(300 * MS)
    with open_trace(tmp_path / "t.db") as trace:
        found = load_model(trace, trace.find_run())
        findings = {finding.rule for finding in diagnose(trace, trace.find_run()).findings}
    assert found.variant == variant
    assert ("busy-polling" in findings, "sleeping-poll" in findings) == (variant == "polling", variant != "polling")


def test_registrations_tell_how_epoll_was_asked_and_reports_tell_of_select(tmp_path: Path) -> None:
    with Recording(tmp_path / "t.db") as recording:
        for name, interest in (("edge", 0x80000001), ("level", 1), ("select", None)):
            run = recording.run(name)
            thread = run.thread()
            client = run.socket(4)
            poller = run.socket(3, "poller", kind="epoll") if interest else None
            how = "register" if interest else "select"
            call = run.call(thread, how, poller, at_ns=MS, result=1)
            recording.insert("readiness", call_id=call, socket_id=client, interest=interest, events=None if interest else 1)
            run.call(thread, "recv", client, at_ns=2 * MS, payload=b"x", timeout_ns=0)
            run.finish(10 * MS)
    with open_trace(tmp_path / "t.db") as trace:
        found = {run.name: load_model(trace, run).variant for run in trace.runs()}
    assert found == {"edge": "epoll, edge-triggered", "level": "epoll, level-triggered", "select": "select"}
