"""Clients that come no faster than a server accepts them, and stay till it has ended."""

from __future__ import annotations

import select
import socket
import threading
from collections.abc import Iterator

import pytest
from sockreel.recorder.sweep import ACTIVE, IDLE, workload_of
from sockreel.recorder.workloads import _queue
from sockreel.recorder.workloads._queue import BLIND_NS, LOOK_NS, STUCK_NS, Queue
from sockreel.recorder.workloads.crowd import Crowd

from .playing import PATIENCE_S

HERE = "127.0.0.1"


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """A listener with a backlog of 8."""
    with socket.create_server((HERE, 0), backlog=8) as made:
        yield made


def connections(listener: socket.socket, count: int) -> list[socket.socket]:
    """Connect, and leave it to the server to accept."""
    return [socket.create_connection(listener.getsockname()) for _ in range(count)]


def close(socks: list[socket.socket]) -> None:
    """Close them all."""
    for sock in socks:
        sock.close()


def test_who_waits_to_be_accepted_is_counted_and_half_a_backlog_is_the_most(listener: socket.socket) -> None:
    queue = Queue(1000, socket.AF_INET, listener.getsockname())
    waiting = connections(listener, 3)
    assert (queue.look(), queue.most) == (3, 4)
    listener.accept()[0].close()
    assert queue.look() == 2
    close(waiting)
    listener.close()
    assert queue.look() is None


def test_a_listener_for_both_families_is_seen_from_either() -> None:
    try:
        both = socket.create_server(("", 0), family=socket.AF_INET6, backlog=8, dualstack_ipv6=True)
    except OSError as error:
        pytest.skip(f"no IPv6 here: {error}")
    with both, socket.create_connection((HERE, both.getsockname()[1])):
        for family, host in ((socket.AF_INET, HERE), (socket.AF_INET6, "::1")):
            assert Queue(1000, family, (host, both.getsockname()[1])).look() == 1


def test_who_comes_is_held_while_too_many_wait(listener: socket.socket) -> None:
    queue = Queue(2, socket.AF_INET, listener.getsockname())
    assert [queue.hold_ns(0), queue.hold_ns(0)] == [0, 0]
    waiting = connections(listener, 2)
    assert [queue.hold_ns(1), queue.hold_ns(STUCK_NS // 2)] == [LOOK_NS, LOOK_NS]
    listener.accept()[0].close()
    assert queue.hold_ns(STUCK_NS) == 0
    waiting += connections(listener, 1)
    assert [queue.hold_ns(STUCK_NS), queue.hold_ns(2 * STUCK_NS)] == [LOOK_NS, LOOK_NS]
    assert [queue.hold_ns(2 * STUCK_NS + at) for at in range(20)] == [0] * 20  # nobody serves it: they come all the same
    close(waiting)


def test_where_no_queue_can_be_seen_one_comes_and_the_next_is_held(monkeypatch: pytest.MonkeyPatch, listener: socket.socket) -> None:
    monkeypatch.setattr(_queue, "_SOCK_DIAG", 31)
    queue = Queue(2, socket.AF_INET, listener.getsockname())
    assert queue.look() is None
    assert [queue.hold_ns(0) for _ in range(4)] == [0, BLIND_NS, 0, BLIND_NS]
    assert [Queue(2, socket.AF_UNIX, b"/here").hold_ns(0) for _ in range(3)] == [0, 0, 0]


def serve(listener: socket.socket, clients: int, waited: list[int], over: threading.Event) -> None:
    """Accept one client at a time; answer the last one till it leaves."""
    conns = []
    queue = Queue(1000, socket.AF_INET, listener.getsockname())
    for _ in range(clients):
        select.select([listener], [], [], PATIENCE_S)
        waited.append(queue.look() or 0)
        conns.append(listener.accept()[0])
    while data := conns[-1].recv(100):
        conns[-1].sendall(data.upper())
    over.wait(PATIENCE_S)
    close(conns)


def test_a_server_that_accepts_one_at_a_time_gets_all_of_them_and_ends_before_who_stays(listener: socket.socket) -> None:
    waited: list[int] = []
    over = threading.Event()
    server = threading.Thread(target=serve, args=(listener, 300, waited, over))
    server.start()
    with Crowd(workload_of(300, 1, 1_000_000)) as crowd:
        crowd.connect("AF_INET", f"{HERE}:{listener.getsockname()[1]}")
        rows = crowd.poll()
        while not crowd.over and not crowd.finished:
            select.select([crowd], [], [], PATIENCE_S)
            rows += crowd.poll()
        assert crowd.over and not crowd.finished
        assert {row.client for row in rows} == {f"{ACTIVE}-1"}
        over.set()
        server.join()
        while not crowd.finished:
            select.select([crowd], [], [], PATIENCE_S)
            rows += crowd.poll()
    assert crowd.error is None
    assert {row.result for row in rows} == {"ok"}
    assert {row.client for row in rows} == {f"{ACTIVE}-1", *(f"{IDLE}-{number}" for number in range(1, 300))}
    assert len(waited) == 300
    assert max(waited) <= 5  # half of the backlog, and one that came between
