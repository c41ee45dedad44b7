"""Questions about servers whose clients nobody watched: what their calls alone prove, and no more."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sockreel.replay.language import language
from sockreel.replay.quiz import Question, make_quiz
from sockreel.tests.synthetic import MS, US, Recording, RunBuilder
from sockreel.tests.test_replay.quiz_answers import right_by_sql
from sockreel.traces import open_trace


def _asked(path: Path, *kinds: str) -> tuple[Question, ...]:
    """Return questions of some kinds, each answered once more by SQL."""
    with open_trace(path) as trace:
        questions = make_quiz([(trace, trace.find_run())], language("en"), 1, 60, kinds).questions
    with closing(sqlite3.connect(path)) as connection:
        for question in questions:
            assert right_by_sql(connection, question) == question.right.key, question
    return questions


def _connection(run: RunBuilder, thread: int, listener: int, fd: int, at_ns: int, *steps: str) -> int:
    """Add a connection: its accept, and so many steps, 1 ms apart; return the socket."""
    socket = run.socket(fd, peer=f"127.0.0.1:5{fd:04}", parent_id=listener, opened_ns=at_ns)
    run.call(thread, "accept", listener, at_ns=at_ns, duration_ns=40 * US, result=socket)
    for number, step in enumerate(steps, 1):
        moved = 8 if step in ("recv_into", "sendall") else None
        run.call(thread, step, socket, at_ns=at_ns + number * MS, asked=moved, result=moved)
    return socket


def _poll_server(path: Path, *lives: tuple[str, ...], named: bool = True) -> None:
    """Make a trace as of `python -m http.server`: poll names the blocking listener, accept takes up, one connection after the other."""
    with Recording(path) as recording:
        run = recording.run("http")
        thread = run.thread()
        listener = run.socket(3, "listener", local="127.0.0.1:8000")
        poller = run.socket(4, "poller", kind="other")
        for number, life in enumerate(lives):
            wait = run.call(thread, "poll", poller, at_ns=(10 + 100 * number) * MS, duration_ns=50 * MS, result=1, timeout_ns=500 * MS)
            if named:
                recording.insert("readiness", call_id=wait, socket_id=listener, events=1)
            _connection(run, thread, listener, 5 + number, (61 + 100 * number) * MS, *life)
        run.finish(500 * MS)


HTTP = ("recv_into", "sendall", "shutdown", "close")


def test_accept_on_a_listener_that_a_wait_named_is_known_not_to_wait(tmp_path: Path) -> None:
    _poll_server(tmp_path / "t.db", HTTP, HTTP)
    questions = _asked(tmp_path / "t.db", "readable")
    assert questions and all(question.right.key == "accepted" for question in questions)
    assert "A listener is readable when a connection stands in its queue." in questions[0].because


def test_accept_that_no_wait_named_may_have_waited_and_is_not_asked(tmp_path: Path) -> None:
    _poll_server(tmp_path / "t.db", HTTP, HTTP, named=False)
    assert not [question for question in _asked(tmp_path / "t.db", "readable", "call") if "accept" in question.ask]


def test_the_life_of_connections_is_asked_where_all_were_alike(tmp_path: Path) -> None:
    _poll_server(tmp_path / "t.db", HTTP, HTTP, HTTP)
    (question,) = _asked(tmp_path / "t.db", "life")
    assert question.right.words == "accept → receive → send → shutdown → close"
    _poll_server(tmp_path / "other.db", HTTP, HTTP, ("recv_into", "close"))
    assert not _asked(tmp_path / "other.db", "life")


def test_each_accepted_connection_is_a_socket_besides_the_listener(tmp_path: Path) -> None:
    _poll_server(tmp_path / "t.db", HTTP, HTTP, HTTP)
    (question,) = _asked(tmp_path / "t.db", "sockets")
    assert question.right.words == "4: one that takes them up, and one for each of them"


def test_a_send_that_fits_is_asked_and_one_that_stood_still_or_was_large_is_not(tmp_path: Path) -> None:
    with Recording(tmp_path / "t.db") as recording:
        run = recording.run("sends")
        thread = run.thread()
        client = run.socket(4)
        fits = run.call(thread, "sendall", client, at_ns=10 * MS, duration_ns=30 * US, asked=100, result=100)
        run.call(thread, "sendall", client, at_ns=20 * MS, duration_ns=150 * US, asked=100, result=100)
        run.call(thread, "sendall", client, at_ns=30 * MS, duration_ns=30 * US, asked=1_000_000, result=1_000_000)
        run.call(thread, "send", client, at_ns=40 * MS, duration_ns=30 * US, asked=100, result=60, timeout_ns=0)
        run.finish(50 * MS)
    (question,) = _asked(tmp_path / "t.db", "sent")
    assert question.calls == (fits,) and question.right.words == "it hands over all the bytes at once"


def _datagrams(path: Path, *senders: str) -> None:
    with Recording(path) as recording:
        run = recording.run("udp")
        thread = run.thread()
        socket = run.socket(3, "datagram", kind="udp", type="SOCK_DGRAM", local="127.0.0.1:9000")
        for number, sender in enumerate(senders):
            at_ns = (10 + 60 * number) * MS
            run.call(thread, "recvfrom", socket, at_ns=at_ns, duration_ns=50 * MS, asked=2048, result=5 + number, peer=sender)
            run.call(thread, "sendto", socket, at_ns=at_ns + 51 * MS, asked=5, result=5, peer=sender)
        run.finish(500 * MS)


def test_a_udp_server_is_asked_for_its_datagrams_and_its_one_socket(tmp_path: Path) -> None:
    _datagrams(tmp_path / "t.db", "127.0.0.1:50001", "127.0.0.1:50002", "127.0.0.1:50001")
    (sockets,) = _asked(tmp_path / "t.db", "sockets")
    assert sockets.scene == ("Datagrams came to it over UDP, from 2 addresses.",) and sockets.right.key == "sockets:one"
    many = _asked(tmp_path / "t.db", "how_many")
    assert many and all(question.right.words.endswith("bytes as soon as they are there") for question in many)
    assert all("UDP keeps messages apart" in question.because for question in many)


def test_one_sender_alone_does_not_tell_with_how_many_sockets_others_are_served(tmp_path: Path) -> None:
    _datagrams(tmp_path / "t.db", "127.0.0.1:50001", "127.0.0.1:50001")
    assert not _asked(tmp_path / "t.db", "sockets")


@pytest.mark.parametrize(("other_at_ms", "other_ms", "asked"), [
    (20, 40, True), (40, 0, True), (5, 30, True), (20, 200, True), (150, 40, False),
])
def test_who_receives_while_a_thread_blocks_is_asked_where_another_did(
    tmp_path: Path, other_at_ms: int, other_ms: int, asked: bool,
) -> None:
    with Recording(tmp_path / "t.db") as recording:
        run = recording.run("threads")
        first, second = run.thread(), run.thread("Thread-1", native_id=4243)
        listener = run.socket(3, "listener", local="127.0.0.1:8000")
        ada = run.socket(4, peer="127.0.0.1:50001", parent_id=listener)
        ben = run.socket(5, peer="127.0.0.1:50002", parent_id=listener)
        duration_ns = other_ms * MS or 5 * US
        calls = [(first, ada, 10 * MS, 100 * MS), (second, ben, other_at_ms * MS, duration_ns)]
        for thread, socket, at_ns, took_ns in sorted(calls, key=lambda call: call[2] + call[3]):
            run.call(thread, "recv", socket, at_ns=at_ns, duration_ns=took_ns, asked=10, payload=b"hello")
        run.finish(300 * MS)
    questions = _asked(tmp_path / "t.db", "beside")
    assert bool(questions) is asked
    assert all(question.right.words == "another thread, in a call of its own" for question in questions)


def test_one_thread_alone_is_not_asked_who_receives_meanwhile(tmp_path: Path) -> None:
    _poll_server(tmp_path / "t.db", HTTP, HTTP)
    assert not _asked(tmp_path / "t.db", "beside")
