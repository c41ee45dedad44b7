"""Which call a wait made possible: the rule, on made slots."""

from __future__ import annotations

import struct

import pytest
from sockreel.recorder.agent import layout
from sockreel.recorder.linking.readiness import Readiness

SLOT = struct.Struct("<" + layout.SLOT_FIELDS)
IN, PRI, OUT, ERR, HUP, RDHUP, ET = 0x1, 0x2, 0x4, 0x8, 0x10, 0x2000, 1 << 31
Step = tuple[int, int, str, dict[int, int]]  # thread, socket, operation, socket -> events it reported


def call(socket: int, operation: str, thread: int = 1) -> Step:
    return thread, socket, operation, {}


def wait(events: dict[int, int], operation: str = "epoll_wait", thread: int = 1) -> Step:
    return thread, 0, operation, events


def linked(*steps: Step, pieces: int = 1) -> list[tuple[int, int]]:
    """Return the links among steps, which are numbered from 0 and come in so many pieces."""
    readiness, found = Readiness(), list[tuple[int, int]]()
    size = max(1, -(-len(steps) // pieces))
    for start in range(0, len(steps), size):
        slots = b""
        for number, (thread, socket, operation, reported) in enumerate(steps[start : start + size], start):
            if reported:
                readiness.note(number, [str(field) for watched, events in reported.items() for field in (watched, -1, events)])
            slots += SLOT.pack(
                thread, socket, 0, 0, 0, 0, 0, 0, 0, layout.OPERATIONS[operation], 1, layout.NOTHING, 0, 0, layout.OUTCOMES["ok"], 0,
                layout.COMPLETE)  # fmt: skip
        found += readiness.links([(start, slots)])
    return found


@pytest.mark.parametrize("pieces", [1, 2, 5])
def test_what_never_waits_is_passed_over_for_the_first_call_that_could_have_waited(pieces: int) -> None:
    passed = ("setblocking", "settimeout", "setsockopt", "fcntl", "modify", "unregister", "bind", "listen", "shutdown")
    steps = [wait({7: IN}), *(call(7, name) for name in passed), call(7, "recv"), call(7, "recv")]
    assert linked(*steps, pieces=pieces) == [(0, len(passed) + 1)]


@pytest.mark.parametrize("name", ["close", "detach", "setblocking", "register", "modify", "setsockopt", "fcntl", "shutdown"])
def test_a_socket_that_is_only_closed_or_set_up_links_to_no_wait(name: str) -> None:
    assert linked(wait({7: IN | OUT | HUP}), call(7, name)) == []


@pytest.mark.parametrize("name", ["accept", "recv", "recv_into", "recvfrom", "recvmsg", "read", "readv", "tls_recv", "do_handshake"])
def test_readable_makes_receives_and_accepts_possible(name: str) -> None:
    assert linked(wait({7: IN}), call(7, name)) == [(0, 1)]


@pytest.mark.parametrize("name", ["send", "sendall", "sendto", "sendmsg", "sendfile", "write", "writev", "connect", "connect_ex"])
def test_writable_makes_sends_and_connects_possible_and_readable_does_not(name: str) -> None:
    assert linked(wait({7: OUT}), call(7, name)) == [(0, 1)]
    assert linked(wait({7: IN}), call(7, name), call(7, "recv")) == [(0, 2)]


@pytest.mark.parametrize("events", [ERR, HUP, RDHUP, IN | OUT, PRI | OUT, ET | HUP])
def test_an_error_or_a_hang_up_answers_whatever_is_asked_first(events: int) -> None:
    assert linked(wait({7: events}), call(7, "send"), call(7, "recv")) == [(0, 1)]
    assert linked(wait({7: events}), call(7, "recv"), call(7, "send")) == [(0, 1)]


def test_a_wait_counts_until_the_same_threads_next_wait() -> None:
    others = [wait({7: IN}), wait({8: IN}, thread=2), call(7, "recv", thread=2), call(8, "recv", thread=2), call(7, "recv")]
    assert linked(*others) == [(1, 3), (0, 4)]
    assert linked(wait({7: IN}), wait({}), call(7, "recv")) == []
    assert linked(wait({7: IN, 8: OUT, 9: IN}, "select"), call(9, "accept"), call(8, "send"), call(7, "recv")) == [(0, 1), (0, 2), (0, 3)]
