"""What is counted while recording is what a plain count of the calls gives, by the rules of traces/schema.sql."""

from __future__ import annotations

import json
import signal
import struct
from collections import defaultdict
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from sockreel.recorder.agent import layout
from sockreel.recorder.agent.layout import OPERATIONS, OUTCOMES
from sockreel.recorder.counting.tally import Tally, class_of
from sockreel.tests.synthetic import Call, level_rows
from sockreel.traces import histogram_bin

OPERATION_NAMES = {code: name for name, code in OPERATIONS.items()}
OUTCOME_NAMES = {code: name for name, code in OUTCOMES.items()}
MS = 1_000_000

durations = st.one_of(
    st.integers(0, 5_000), st.integers(90_000, 110_000), st.integers(0, 9 * MS), st.integers(7 * MS, 9 * MS), st.just(8 * MS)
)


@st.composite
def runs(draw: st.DrawFn) -> list[Call]:
    """Calls of a few threads: dense spins, single calls, long pauses, calls across borders."""
    calls: list[Call] = []
    at_ns = 0
    for _ in range(draw(st.integers(0, 8))):
        at_ns += draw(st.one_of(st.integers(0, 2 * MS), st.integers(0, 100 * MS), st.integers(0, 5_000 * MS)))
        thread, socket = draw(st.integers(1, 3)), draw(st.integers(0, 3))
        operation, outcome = draw(st.sampled_from(sorted(OPERATIONS))), draw(st.sampled_from(sorted(OUTCOMES)))
        timeout_ns, moved = draw(st.sampled_from([None, 0, 5 * MS])), draw(st.one_of(st.none(), st.integers(0, 10_000)))
        gap_ns = draw(st.integers(0, 200_000))
        for duration_ns in draw(st.lists(durations, min_size=1, max_size=3)) * draw(st.sampled_from([1, 1, 20, 63, 64, 65, 130])):
            calls.append(made(len(calls) + 1, thread, socket or None, operation, outcome, at_ns, duration_ns, moved, timeout_ns))
            at_ns += gap_ns
    return calls


def made(id_: int, thread: int, socket: int | None, operation: str, outcome: str, at_ns: int, duration_ns: int, moved: int | None,
         timeout_ns: int | None) -> Call:  # fmt: skip
    """Return a call as there can be one: only a wait times out at once, with none ready; what failed has no result.

    Of the waits for signals one only may have a limit, and a signal's number is never 0.
    """
    is_wait = operation in ("select", "poll", "epoll_wait")
    if operation in ("sigwait", "sigwaitinfo", "pause"):
        timeout_ns = None
    elif operation == "sigtimedwait":
        moved = moved or signal.SIGIO
    layer = "wait" if is_wait or operation.startswith(("sig", "pause")) else "socket"
    if is_wait and outcome in ("ok", "timeout", "would_block"):
        outcome = "ok" if moved else "timeout"
        return Call(id_, thread, socket, operation, "wait", outcome, at_ns, duration_ns, moved or 0, timeout_ns)
    if outcome == "timeout" and timeout_ns == 0:
        timeout_ns = 5 * MS
    return Call(id_, thread, socket, operation, layer, outcome, at_ns, duration_ns,
                moved if outcome == "ok" else None, timeout_ns)  # fmt: skip


START_NS = 7_000_000_000_123
SLOT = struct.Struct("<" + layout.SLOT_FIELDS)


def count(tally: Tally, calls: list[Call], as_slots: bool) -> None:
    """Hand calls over as the drain does: as slots of the tape (which C may count), or column by column."""
    if as_slots:
        data = b"".join(
            SLOT.pack(
                call.thread, call.socket or 0, call.at_ns + START_NS, layout.NOTHING, -1 if call.timeout_ns is None else call.timeout_ns,
                0, 0, 0, 0, OPERATIONS[call.operation], call.duration_ns, layout.NOTHING if call.result is None else call.result,
                0, 0, OUTCOMES[str(call.outcome)], 0, layout.COMPLETE,
            )
            for call in calls
        )  # fmt: skip
        tally.add_slots(1, data, calls[0].id, 0, 0, START_NS)
        return
    columns = {
        "id": [call.id for call in calls],
        "thread": [call.thread for call in calls],
        "socket": [call.socket or 0 for call in calls],
        "operation": [OPERATIONS[call.operation] for call in calls],
        "outcome": [OUTCOMES[str(call.outcome)] for call in calls],
        "started_ns": [call.at_ns + START_NS for call in calls],
        "duration_ns": [call.duration_ns or 0 for call in calls],
        "timeout_ns": [-1 if call.timeout_ns is None else call.timeout_ns for call in calls],
        "result": [layout.NOTHING if call.result is None else call.result for call in calls],
        "parent": [0] * len(calls),
    }
    tally.add(1, columns, START_NS)


Level = tuple[int, int, int, int, str]


def merged(rows: list[tuple[Any, ...]]) -> dict[Level, tuple[int, ...]]:
    """Add rows of one key, as the trace's own upsert does."""
    found: dict[Level, tuple[int, ...]] = {}
    for thread, socket, level, bucket, kind, calls, ns, moved, first, last in rows:
        key = (thread, socket, level, bucket, kind)
        old = found.get(key, (0, 0, 0, first, last))
        found[key] = (old[0] + calls, old[1] + ns, old[2] + moved, min(old[3], first), max(old[4], last))
    return found


@settings(max_examples=60)
@given(calls=runs(), as_slots=st.booleans(), pieces=st.integers(1, 7))
def test_levels_depend_neither_on_the_pieces_calls_come_in_nor_on_who_counts(calls: list[Call], as_slots: bool, pieces: int) -> None:
    whole, parts = Tally(), Tally()
    if calls:
        count(whole, calls, not as_slots)
    rows: list[tuple[Any, ...]] = []
    step = max(1, len(calls) // pieces)
    for start in range(0, len(calls), step):
        count(parts, calls[start : start + step], as_slots)
        rows += parts.settled_levels()
    rows += parts.settled_levels(finish=True)
    assert merged(rows) == merged(list(whole.settled_levels(finish=True)))


@settings(max_examples=60)
@given(calls=runs(), as_slots=st.booleans())
def test_levels_hold_what_a_plain_count_gives(calls: list[Call], as_slots: bool) -> None:
    tally = Tally()
    if calls:
        count(tally, calls, as_slots)
    found, plain = merged(list(tally.settled_levels(finish=True))), merged(list(level_rows(calls)))
    top = {key: row for key, row in plain.items() if key[2] == 7}
    assert {key: row for key, row in found.items() if key[2] == 7} == top
    for key, row in found.items():
        if key in plain:
            assert row == plain[key], key
    exact: dict[Level, int] = defaultdict(int)
    for key, row in plain.items():
        exact[key] += row[0]
    for thread, socket, level, bucket, kind in found:
        if level < 7:  # rows below a bucket exist only if it holds 64 calls
            assert (thread, socket, level + 1, bucket // 8, kind) in found


@settings(max_examples=60)
@given(calls=runs(), as_slots=st.booleans())
def test_the_rows_of_a_thread_are_the_sums_over_its_sockets(calls: list[Call], as_slots: bool) -> None:
    tally = Tally()
    if calls:
        count(tally, calls, as_slots)
    rows = [row for row in merged(list(tally.settled_levels(finish=True))).items() if row[0][2] == 7]
    lanes: dict[tuple[int, int, str], list[int]] = defaultdict(lambda: [0, 0, 0])
    for (thread, socket, _, bucket, kind), row in rows:
        if socket:
            lanes[thread, bucket, kind] = [a + b for a, b in zip(lanes[thread, bucket, kind], row, strict=False)]
    without: dict[tuple[int, int, str], list[int]] = defaultdict(lambda: [0, 0, 0])
    plain = merged(list(level_rows([call for call in calls if not call.socket])))
    for (thread, socket, level, bucket, kind), row in plain.items():
        if level == 7 and not socket:
            without[thread, bucket, kind] = list(row[:3])
    for (thread, socket, _, bucket, kind), row in rows:
        if not socket:
            both = [a + b for a, b in zip(lanes[thread, bucket, kind], without[thread, bucket, kind], strict=True)]
            assert list(row[:3]) == both


@settings(max_examples=60)
@given(calls=runs(), as_slots=st.booleans(), unfinished=st.integers(0, 3))
def test_summaries_count_every_call_once(calls: list[Call], as_slots: bool, unfinished: int) -> None:
    tally = Tally()
    if calls:
        count(tally, calls, as_slots)
    for _ in range(unfinished):
        tally.add_unfinished(1, OPERATIONS["accept"])
    expected: dict[tuple[str, str | None], list[Call]] = defaultdict(list)
    for call in calls:
        expected[call.operation, call.outcome].append(call)
    rows = {(OPERATION_NAMES[row[1]], OUTCOME_NAMES[row[2]] if row[2] else None): row[3:] for row in tally.summary_rows()}
    waiting = rows.pop(("accept", None), None)
    assert waiting == ((unfinished, 0, None, None, 0, "{}") if unfinished else None)
    assert rows.keys() == expected.keys()
    for key, group in expected.items():
        times = [call.duration_ns or 0 for call in group]
        number, total_ns, least, most, moved, histogram = rows[key]
        assert (number, total_ns, least, most) == (len(group), sum(times), min(times), max(times))
        assert moved == sum(call.bytes for call in group)
        bins: dict[str, int] = defaultdict(int)
        for duration_ns in times:
            bins[str(histogram_bin(duration_ns))] += 1
        assert json.loads(histogram) == bins


@given(operation=st.sampled_from(sorted(OPERATIONS)), outcome=st.sampled_from(sorted(OUTCOMES)), duration_ns=durations,
       timeout_ns=st.sampled_from([None, 0, 5 * MS]), moved=st.integers(0, 10))  # fmt: skip
def test_each_call_is_of_the_first_class_that_fits(
    operation: str, outcome: str, duration_ns: int, timeout_ns: int | None, moved: int
) -> None:
    call = made(1, 1, 1, operation, outcome, 0, duration_ns, moved, timeout_ns)
    wait_ns = -1 if call.timeout_ns is None else call.timeout_ns
    assert class_of(OPERATIONS[operation], OUTCOMES[str(call.outcome)], duration_ns, wait_ns, call.bytes) == call.kind
