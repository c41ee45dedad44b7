"""Which of several sockets sent a signal: told where the program shows it, left open where it does not."""

from __future__ import annotations

import json
from dataclasses import dataclass
from struct import Struct

import pytest
from sockreel.recorder.agent import layout
from sockreel.recorder.linking.deliveries import Deliveries

from .playing import interpreter
from .recording import PROGRAMS, Recorder, bare

PROGRAM = PROGRAMS / "armed.py"
SLOT = Struct("<" + layout.SLOT_FIELDS)
ARMED = frozenset((1, 2))
CASES = {
    "while_it_is_armed": ([["two", "soon"]], ["two"]),
    "while_its_signal_changes": ([["two", "changed"]], ["two"]),
    "arming_that_fails": (["OSError", "TypeError", "TypeError", ["two", "still"]], ["two"]),
    "armed_by_what_is_like_a_number": ([["two", "flags"]], ["two"]),
    # Whether the first signal was the first socket's cannot be told from what was done when the second had come.
    "one_inside_the_other": (["nothing", ["two", "inner"], ["one", "outer"]], [None, "two"]),
    "one_inside_the_other_that_was_answered": ([["one", "outer"], ["two", "inner"], "nothing"], ["one", "two"]),
    "of_one_that_is_gone": ([["two", "in time"], "nothing", ["one", "alone"]], ["two", None, "one"]),
    "taken_by_a_call": ([True, None, "nothing", ["two", "taken"]], ["two"]),
}


@pytest.mark.parametrize("core", ["c", "python"])
@pytest.mark.parametrize("case", CASES)
def test_the_socket_that_sent_a_signal_is_named_and_no_other(record: Recorder, case: str, core: str) -> None:
    heard, named = CASES[case]
    done = record(PROGRAM, case, options=["--core", core])
    assert done.status == 0 and done.out == bare(PROGRAM, case).stdout
    assert done.said == heard
    fds = {row["id"]: row["fd"] for row in done.rows("SELECT id, fd FROM sockets")}
    one, two = (row["socket_id"] for row in done.calls(operation="setblocking"))
    assert fds[one] < fds[two]
    rows = done.rows("SELECT socket_id FROM signals ORDER BY started_ns, id")
    assert [{one: "one", two: "two", None: None}[row["socket_id"]] for row in rows] == named


@pytest.mark.parametrize("version", ["3.8", "3.12", "3.13"])
def test_a_signal_that_comes_while_its_socket_is_armed_is_named_under_another_python(record: Recorder, version: str) -> None:
    done = record(PROGRAM, "while_it_is_armed", python=interpreter(version))
    (row,) = done.rows("SELECT s.fd, c.id FROM signals g JOIN calls c ON c.socket_id = g.socket_id JOIN sockets s ON s.id = g.socket_id"
                       " JOIN operations o ON o.id = c.operation_id WHERE o.name = 'recv'")
    assert row["fd"] > 0


@dataclass(frozen=True)
class Called:
    """A call as the tape has it: slot, socket, start, operation, outcome."""

    number: int
    socket: int
    started_ns: int
    outcome: str = "ok"

    def arrived(self) -> tuple[int, bytes]:
        """Return it as the drain takes it."""
        return self.number, SLOT.pack(1, self.socket, self.started_ns, 1, 0, 0, 0, 0, 0, layout.OPERATIONS["recv"], 5, layout.NOTHING, 0, 0,
                                      layout.OUTCOMES[self.outcome], 0, layout.COMPLETE)  # fmt: skip




def found(deliveries: Deliveries, *calls: Called) -> list[tuple[int, int]]:
    return list(deliveries.sockets([call.arrived() for call in calls]))


def test_a_call_that_another_signal_came_in_answers_the_signal_before_when_it_arrives_at_last() -> None:
    deliveries = Deliveries()
    deliveries.begins(1, 1, 1000, ARMED, -1)
    deliveries.begins(2, 1, 1200, ARMED, 7)  # while the call of slot 7 was made
    deliveries.ends(2, 1400)
    assert found(deliveries, Called(8, 2, 1300)) == [(2, 2)]
    again = Deliveries()
    again.restore(json.loads(json.dumps(deliveries.kept())))
    for each in (deliveries, again):
        each.ends(1, 1600)
        assert found(each, Called(9, 2, 1500)) == []  # the first one's handler goes on: it may be about either
        assert found(each, Called(7, 1, 1100), Called(10, 2, 1700)) == [(1, 1)]
        assert not each.unclear and not each.kept()


def test_a_call_that_began_when_a_signal_had_been_served_does_not_hide_what_answered_it() -> None:
    # Slot 3 was drawn before the signal came, and the call began after it.
    deliveries = Deliveries()
    deliveries.begins(1, 1, 1000, ARMED, -1)
    deliveries.ends(1, 1200)
    assert found(deliveries, Called(3, 1, 1300), Called(4, 2, 1100)) == [(1, 2)]


def test_a_signal_that_is_noted_after_one_that_came_while_it_was_has_no_answer_from_that_one() -> None:
    deliveries = Deliveries()
    deliveries.begins(2, 1, 1010, ARMED, -1)
    deliveries.ends(2, 1200)
    deliveries.begins(1, 1, 1000, ARMED, -1)
    deliveries.ends(1, 1400)
    assert found(deliveries, Called(0, 2, 1100), Called(1, 1, 1300)) == [(2, 2)]
    assert not deliveries.unclear


def test_signals_that_nothing_answers_are_forgotten_when_their_thread_goes_on() -> None:
    deliveries = Deliveries()
    for key in range(1, 10_001):
        deliveries.begins(key, 1, key * 100, ARMED, -1)
        deliveries.ends(key, key * 100 + 50)
    assert 0 < len(deliveries.kept()) <= 4096
    assert found(deliveries, Called(0, 1, 10_000 * 100 + 10, "would_block"), Called(1, 2, 10_000 * 100 + 70)) == []
    assert deliveries.kept() == [] and not deliveries.unclear
