"""Stories: what is told of a run, and that it is what the trace holds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from sockreel.replay import Lane, Story, Window, load_listing, load_story
from sockreel.tests.synthetic import MS, US, Recording, S
from sockreel.traces import Trace, TraceError, open_trace

Tell = Callable[..., Story]


def lane(lanes: tuple[Lane, ...], name: str) -> Lane:
    """Return the only lane of a name."""
    (found,) = [lane for lane in lanes if lane.name == name]
    return found


def only_story(path: Path, **options: object) -> Story:
    """Return the story of the only run of a file."""
    with open_trace(path) as trace:
        return load_story(trace, trace.find_run(), **options)  # type: ignore[arg-type]


def test_a_socket_lane_knows_when_it_was_open_and_whose_it_was(tell: Tell) -> None:
    """The client's name comes from the workload, the listener has none."""
    story = tell("blocking")
    assert [lane.name for lane in story.sockets] == ["fd 3 listener", "fd 4 ada", "fd 4 ben", "fd 4 cyd"]
    ben = lane(story.sockets, "fd 4 ben")
    assert (ben.opened_ns, ben.closed_ns, ben.closed_by) == (1501 * MS, 1520 * MS, "close")


def test_time_in_a_lane_is_the_time_of_its_calls_by_class(tell: Tell) -> None:
    """ada's connection was in recv for 99 + 1199 + 99 ms, and moved data in two short sends."""
    ada = lane(tell("blocking").sockets, "fd 4 ada")
    assert ada.ns == (1397 * MS, 0, 60 * US, 2 * US)
    assert ada.calls == (3, 0, 2, 1)
    assert ada.bytes == 5 + 5 + 9 + 9


def test_an_unfinished_call_lasts_to_the_end_of_its_run(tell: Tell) -> None:
    """The accept that nobody answered began at 1.526 s of 2 s."""
    story = tell("blocking")
    (accept,) = [call for call in story.calls if call.unfinished]
    assert (accept.operation, accept.started_ns, accept.ended_ns, accept.kind) == ("accept", 1526 * MS, 2 * S, "blocked")


def test_an_unfinished_call_of_a_child_ends_with_the_child(tmp_path: Path) -> None:
    """It cannot have gone on when its process was gone."""
    with Recording(tmp_path / "t.db") as recording:
        run = recording.run()
        run.process(pid=77, ended_ns=300 * MS)
        thread = run.thread("worker")
        run.call(thread, "accept", run.socket(3, "listener"), at_ns=100 * MS, duration_ns=None)
        run.finish(S)
    (accept,) = only_story(tmp_path / "t.db").calls
    assert accept.ended_ns == 300 * MS


def test_a_run_without_an_end_reaches_as_far_as_the_trace_knows(tmp_path: Path) -> None:
    """The clocks written every second are the last sign of life."""
    with Recording(tmp_path / "t.db") as recording:
        run = recording.run()
        run.call(run.thread(), "accept", run.socket(3, "listener"), at_ns=100 * MS, duration_ns=None)
        recording.insert("clocks", run_id=run.id, at_ns=3 * S, monotonic_ns=1, realtime_ns=1)
        run.finish(None, None, None, levels=False)
    story = only_story(tmp_path / "t.db")
    assert (story.end_ns, story.calls[0].ended_ns) == (3 * S, 3 * S)


@pytest.mark.parametrize("source", ["calls", "levels"])
def test_fruitless_calls_in_a_row_are_one_spin_with_their_count(tmp_path: Path, source: str) -> None:
    """Two spins of one thread with a receive between them; another thread's calls do not part them."""
    with Recording(tmp_path / "t.db") as recording:
        run = recording.run()
        main, other = run.thread("main"), run.thread("other")
        socket, elsewhere = run.socket(4), run.socket(5)
        first = run.spin(main, "recv", socket, at_ns=0, until_ns=64 * MS)
        run.call(other, "recv", elsewhere, at_ns=20 * MS, result=3)
        run.call(main, "recv", socket, at_ns=65 * MS, result=3)
        second = run.spin(main, "recv", socket, at_ns=128 * MS, until_ns=192 * MS)
        run.finish(S)
    spins = only_story(tmp_path / "t.db", source=source).spins
    assert [spin.calls for spin in spins] == [first, second] == [6400, 6400]
    assert [spin.in_calls_ns for spin in spins] == [6400 * 3 * US] * 2
    assert [spin.exact for spin in spins] == [source == "calls"] * 2


def test_calls_that_were_counted_only_are_part_of_their_spin(tmp_path: Path) -> None:
    """A fold lies between the first and the last calls of a spin."""
    with Recording(tmp_path / "t.db") as recording:
        run = recording.run()
        thread, socket = run.thread(), run.socket(4)
        run.spin(thread, "recv", socket, at_ns=0, until_ns=160 * US)
        run.fold(thread, 200 * US, 9 * MS, (socket, "recv", 800, 2_400 * US))
        run.spin(thread, "recv", socket, at_ns=10 * MS, until_ns=10 * MS + 160 * US)
        run.finish(20 * MS)
    story = only_story(tmp_path / "t.db")
    (spin,) = story.spins
    assert (spin.calls, spin.in_calls_ns) == (832, 32 * 3 * US + 2_400 * US)
    assert story.threads[0].calls == (0, 832, 0, 0)
    assert story.facts.fruitless == story.facts.calls == 832


def test_a_wait_with_timeout_zero_that_found_none_is_fruitless(tmp_path: Path) -> None:
    """One that found a socket ready is not, nor one that waited in vain for a while."""
    with Recording(tmp_path / "t.db") as recording:
        run = recording.run()
        thread = run.thread()
        run.call(thread, "epoll_wait", at_ns=0, timeout_ns=0, result=0, outcome="timeout")
        run.call(thread, "epoll_wait", at_ns=MS, timeout_ns=0, result=1)
        run.call(thread, "epoll_wait", at_ns=2 * MS, duration_ns=5 * MS, timeout_ns=5 * MS, result=0, outcome="timeout")
        run.finish(10 * MS)
    story = only_story(tmp_path / "t.db")
    assert [call.kind for call in story.calls] == ["fruitless", "other", "blocked"]
    assert story.facts.fruitless == 1
    assert not any(call.failed for call in story.calls if call.kind == "fruitless")


def test_the_phases_of_a_call_are_told_where_the_kernel_said_when_it_was_ready(tmp_path: Path) -> None:
    """Waited 3 ms for data, then woke up and copied for 40 us; data that lay ready made it wait 0."""
    with Recording(tmp_path / "t.db") as recording:
        run = recording.run()
        thread, socket = run.thread(), run.socket(4)
        run.call(thread, "recv", socket, at_ns=MS, duration_ns=3 * MS + 40 * US, result=1, ready_ns=4 * MS, ready_source="kernel")
        run.call(thread, "recv", socket, at_ns=9 * MS, duration_ns=40 * US, result=1, ready_ns=5 * MS, ready_source="kernel")
        run.call(thread, "recv", socket, at_ns=10 * MS, result=1)
        run.finish(20 * MS)
    assert [(call.wait_ns, call.copy_ns) for call in only_story(tmp_path / "t.db").calls] == [(3 * MS, 40 * US), (0, 40 * US), (None, None)]


def test_cpu_time_counts_from_the_first_listen(tell: Tell) -> None:
    """30 ms were used at 10 ms and 950 at 1 s: of the time before the listen at 42 ms, its part is left out."""
    cpu = tell("nonblocking").cpu
    assert cpu is not None and cpu.from_listen and cpu.exact
    before = 30 * MS + 920 * MS * (42 - 10) // (1000 - 10)
    assert cpu.ns == 1900 * MS - before
    assert (cpu.from_ns, cpu.to_ns) == (42 * MS, 2 * S)


def test_of_many_sockets_the_most_active_are_kept_in_the_order_of_their_opening(tmp_path: Path) -> None:
    """The listener stays, those that moved most stay, the others are counted."""
    with Recording(tmp_path / "t.db") as recording:
        run = recording.run()
        thread = run.thread()
        run.socket(3, "listener")
        for number in range(50):
            socket = run.socket(10 + number, peer=f"127.0.0.1:{number}", opened_ns=number * MS)
            for turn in range(number % 7):
                run.call(thread, "recv", socket, at_ns=(number * 10 + turn) * MS, result=1)
        run.finish(S)
    story = only_story(tmp_path / "t.db", max_sockets=8)
    assert [lane.fd for lane in story.sockets] == [3, *(10 + number for number in range(50) if number % 7 == 6)]
    assert story.more_sockets == 51 - 8


def test_a_narrow_window_of_a_long_run_tells_every_call_in_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By way of the levels, the same calls are found as by reading all; also rare ones of another thread."""
    with Recording(tmp_path / "t.db") as recording:
        run = recording.run()
        main, rare = run.thread("main"), run.thread("rare")
        socket, other = run.socket(4), run.socket(5)
        run.call(rare, "recv", other, at_ns=50 * MS, result=1)
        run.spin(main, "recv", socket, at_ns=0, until_ns=200 * MS)
        run.call(rare, "accept", other, at_ns=90 * MS, duration_ns=60 * MS)
        run.call(rare, "recv", other, at_ns=170 * MS, result=1)
        run.finish(S)
    window = Window(49 * MS + 995 * US, 51 * MS)
    exact = only_story(tmp_path / "t.db", window=window, source="calls")
    monkeypatch.setattr("sockreel.replay.story.TELL_ALL", 1_000)
    found = only_story(tmp_path / "t.db", window=window)
    assert found.complete and found.calls == exact.calls and len(found.calls) == 101
    assert not only_story(tmp_path / "t.db").complete


def test_a_listing_folds_fruitless_calls_and_filters(trace: Trace) -> None:
    """All calls of a stretch, then only accepts, then only failures."""
    run = trace.find_run("nonblocking")
    stretch = Window(105 * MS, 112 * MS)
    entries = load_listing(trace, run, stretch).entries
    assert [(entry.first.operation, entry.calls) for entry in entries] == [("accept", 50), ("accept", 1), ("recv", 10)]
    assert [entry.first.outcome for entry in load_listing(trace, run, stretch, operations=["accept"]).entries] == ["would_block", "ok"]
    (reset,) = load_listing(trace, run, failed=True).entries
    assert reset.first.outcome == "reset"
    assert load_listing(trace, run, lines=2).more


def test_a_row_that_cannot_be_is_one_clear_line(tmp_path: Path) -> None:
    """A start that is text, in a table that should hold numbers."""
    with Recording(tmp_path / "t.db") as recording:
        run = recording.run()
        thread = run.thread()
        run.call(thread, "recv", run.socket(4), at_ns=5 * MS, result=1)
        run.finish(10 * MS)
        recording.connection.execute("UPDATE calls SET operation_id = x'00ff', started_ns = 'soon', socket_id = 'x', thread_id = 99")
        recording.connection.execute("UPDATE runs SET duration_ns = 'long'")
    with pytest.raises(TraceError, match=r"damaged"):
        only_story(tmp_path / "t.db")
