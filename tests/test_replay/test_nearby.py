"""A narrow window of a long run: all of its calls are found, and little of the table is read for them."""

from __future__ import annotations

from pathlib import Path

import pytest
from sockreel.replay import Window, nearby
from sockreel.replay.density import few_calls, few_stretches
from sockreel.replay.page.cells import pack_view
from sockreel.replay.page.packing import unpack
from sockreel.replay.reading import Reader
from sockreel.tests.synthetic import MS, US, Recording
from sockreel.traces import Trace, open_trace

END_NS = 4_000 * MS
EVERY_NS = 400 * US


def record(path: Path, *, in_order: bool = True) -> None:
    """Make a trace of two threads that ask for nothing all the time, and now and then do something else.

    Args:
        in_order: whether ids grow with time, as the recorder gives them.
    """
    with Recording(path) as recording:
        run = recording.run()
        busy, calm = run.thread("busy"), run.thread("calm")
        sockets = [run.socket(4), run.socket(5)]
        moments = list(range(0, END_NS - MS, EVERY_NS))
        for n, at_ns in enumerate(moments if in_order else moments[::2] + moments[1::2]):
            run.call(busy, "recv", sockets[0], at_ns=at_ns, duration_ns=2 * US, outcome="would_block", timeout_ns=0)
            if n % 900 == 0:
                run.call(calm, "sendall", sockets[1], at_ns=at_ns + 10 * US, duration_ns=5 * US, result=3)
            if n % 2_000 == 7:
                run.call(calm, "recv", sockets[1], at_ns=at_ns + 50 * US, duration_ns=20 * MS, result=3)
        run.call(calm, "accept", None, at_ns=300 * MS, duration_ns=None, outcome=None)
        run.finish(END_NS)


def touching(trace: Trace, window: Window) -> set[int]:
    """Return the ids of the calls that touch a window, by looking at each."""
    return {row["id"] for row in trace.rows("SELECT id, started_ns AS s, duration_ns AS d FROM calls")
            if row["s"] < window.end_ns and (row["d"] is None or row["s"] + row["d"] > window.start_ns or row["s"] >= window.start_ns)}


@pytest.mark.parametrize("in_order", [True, False])
@pytest.mark.parametrize("start_ms", [0, 1, 290, 399, 1_000, 1_779, 2_500, 3_470, 3_990])
@pytest.mark.parametrize("long_ms", [1, 30, 200])
def test_every_call_of_a_window_is_found(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, in_order: bool, start_ms: int, long_ms: int,
) -> None:
    monkeypatch.setattr(nearby, "NEAR_IDS", 0)
    path = tmp_path_factory.getbasetemp() / f"nearby-{in_order}.db"
    if not path.exists():
        record(path, in_order=in_order)
    window = Window(start_ms * MS, min(END_NS, (start_ms + long_ms) * MS))
    with open_trace(path) as trace:
        run = trace.find_run()
        wanted = touching(trace, window)
        found = few_calls(Reader(trace, run), window, 5_000)
        assert found is not None
        assert {call.call_id for call in found} == wanted
        head, columns, _ = unpack(pack_view(trace, run, window, 100, payload=True, most=1_000))
        assert head["complete"] == (len(wanted) <= 1_000)
        if head["complete"]:
            assert set(columns["id"]) == wanted
            assert len(columns["id"]) == len(wanted)


def test_of_calls_that_are_rare_only_the_neighbourhood_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The few sends of the calm thread stand between the first and the last id of the run."""
    monkeypatch.setattr(nearby, "NEAR_IDS", 0)
    record(tmp_path / "t.db")
    with open_trace(tmp_path / "t.db") as trace:
        reader = Reader(trace, trace.find_run())
        stretches = few_stretches(reader, Window(2_000 * MS, 2_010 * MS), 5_000)
        assert stretches
        assert any(one.threads for one in stretches)
        ids = reader.extent.last_id - reader.extent.first_id
        assert ids > 9_000
        assert sum(one.last - one.first + 1 for one in stretches) < ids / 3


def test_ids_that_are_read_anyway_are_taken_out_of_stretches() -> None:
    one = nearby.Stretch(10, 100, (1,))
    cut = [(part.first, part.last) for part in nearby.without([one], [(0, 12), (20, 29), (99, 400)])]
    assert cut == [(13, 19), (30, 98)]
    assert nearby.without([one], [(5, 100)]) == []
    assert nearby.without([one], [(101, 400)]) == [one]
