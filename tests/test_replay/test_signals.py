"""Signals among the calls, and the sockets that an event loop has for itself."""

from __future__ import annotations

from pathlib import Path

from sockreel.replay import Look, load_listing, load_story, render_show, story_json
from sockreel.traces import open_trace
from sockreel.traces.checking import check_trace
from sockreel.traces.report import statistics

from ..synthetic import MS, US, Recording


def scene(path: Path) -> Path:
    """A receive that two signals interrupted, one of which has not come back; and an event loop's own socket."""
    with Recording(path) as recording:
        run = recording.run("signalled")
        main = run.thread("MainThread")
        sock, own = run.socket(fd=3, role="pair"), run.socket(fd=9, role="pair")
        recording.connection.execute("UPDATE sockets SET internal = 1 WHERE id = ?", [own])
        call = run.call(main, "recv", sock, at_ns=1 * MS, duration_ns=50 * MS, payload=b"at last")
        run.call(main, "send", own, at_ns=60 * MS, duration_ns=3 * US, payload=b"\0")
        common = {"run_id": run.id, "thread_id": main, "during_call_id": call}
        recording.insert("signals", signal="SIGIO", via="handler", started_ns=20 * MS, ended_ns=21 * MS, socket_id=sock, **common)
        recording.insert("signals", signal="SIGTERM", via="wakeup_fd", started_ns=30 * MS, ended_ns=None, socket_id=own, **common)
        run.finish(duration_ns=70 * MS)
    return path


def test_signals_are_listed_among_the_calls_at_their_time(tmp_path: Path) -> None:
    with open_trace(scene(tmp_path / "t.db")) as trace:
        run = trace.find_run()
        story, listing = load_story(trace, run), load_listing(trace, run)
        assert [signal.signal for signal in story.signals] == ["SIGIO", "SIGTERM"]
        text = render_show(story, listing, Look(120, False, False))
        assert check_trace(trace).whole
    told = [line.split("s  ", 1)[1].strip() for line in text.splitlines() if " recv(" in line or " SIG" in line]
    assert told[0].startswith("recv(fd 3 pair)")
    assert told[1:] == [
        "SIGIO in recv (fd 3 pair): handler ran 1.00 ms",
        "SIGTERM in recv (fd 9 pair): its handler never came back, number written to the wake-up descriptor",
    ]


def test_an_event_loops_own_sockets_are_hidden_until_asked_for(tmp_path: Path) -> None:
    with open_trace(scene(tmp_path / "t.db")) as trace:
        run = trace.find_run()
        shown, whole = load_story(trace, run), load_story(trace, run, internal=True)
        assert [lane.fd for lane in shown.sockets] == [3] and shown.hidden_sockets == 1
        assert [lane.fd for lane in whole.sockets] == [3, 9] and whole.hidden_sockets == 0
        assert "1 socket of an event loop's own" in render_show(shown, None, Look(120, False, False))
        assert [entry.first.operation for entry in load_listing(trace, run).entries] == ["recv"]
        assert [entry.first.operation for entry in load_listing(trace, run, internal=True).entries] == ["recv", "send"]
        assert story_json(shown)["sockets_hidden"] == 1


def test_signals_are_counted_and_left_out_where_only_some_operations_are_wanted(tmp_path: Path) -> None:
    with open_trace(scene(tmp_path / "t.db")) as trace:
        run = trace.find_run()
        assert list(statistics(trace, run).signals) == [("SIGIO", "handler", 1), ("SIGTERM", "wakeup_fd", 1)]
        assert load_listing(trace, run, operations=["recv"]).signals == () and load_listing(trace, run, failed=True).signals == ()
        assert len(load_listing(trace, run).signals) == 2


def test_a_signal_that_ends_before_it_begins_is_found(tmp_path: Path) -> None:
    path = scene(tmp_path / "t.db")
    with Recording(path, "append") as recording:
        recording.connection.execute("UPDATE signals SET ended_ns = 1 WHERE signal = 'SIGIO'")
    with open_trace(path) as trace:
        assert any("signals end before they begin" in finding.text for finding in check_trace(trace).findings)
