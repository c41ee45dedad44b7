"""Comparisons: aligned by client and exchange, who waited for whom, and sentences with the runs' numbers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from sockreel.replay import Comparison, Story, compare_stories, load_story, sentences
from sockreel.tests.synthetic import MS, US, Recording, S, Site
from sockreel.traces import open_trace

Tell = Callable[..., Story]
SITE: Site = ("/srv/app.py", 7, "serve", "connection.recv(1024)")


def lecture(tell: Tell, **options: str) -> Comparison:
    """Return the comparison of both runs of the lecture."""
    return compare_stories([tell("blocking"), tell("nonblocking")], **options)  # type: ignore[arg-type]


def figure(comparison: Comparison, key: str) -> tuple[float | None, ...]:
    """Return one row of the table."""
    (found,) = [figure.values for figure in comparison.figures if figure.key == key]
    return found


def all_runs(path: Path) -> list[Story]:
    """Return the stories of all runs of a file, requests taken from the server where no client was watched."""
    with open_trace(path) as trace:
        return [load_story(trace, run, requests=True) for run in trace.runs()]


def test_runs_are_aligned_at_the_first_exchange_they_share(tell: Tell) -> None:
    """ben's question, at 150 ms in one run and 159 ms in the other, falls together."""
    comparison = lecture(tell)
    assert comparison.anchor == ("ben", 1)
    assert comparison.offsets_ns == (-9 * MS, 0)
    asked = [next(exchange.sent_ns for exchange in story.exchanges if exchange.client == "ben") for story in comparison.stories]
    assert [at_ns - offset_ns for at_ns, offset_ns in zip(asked, comparison.offsets_ns, strict=True) if at_ns] == [159 * MS] * 2
    assert comparison.axis.end_ns == 2 * S + 9 * MS


def test_by_the_clock_every_run_begins_at_zero(tell: Tell) -> None:
    """Nothing is moved."""
    comparison = lecture(tell, align="clock")
    assert (comparison.offsets_ns, comparison.anchor, comparison.align) == ((0, 0), None, "clock")


def test_exchanges_are_paired_by_client_and_number(tell: Tell) -> None:
    """Not by their place in time: in one run ben is answered after ada's second exchange."""
    pairs = {(pair.client, pair.n): pair.exchanges for pair in lecture(tell).pairs}
    assert set(pairs) == {("ada", 1), ("ada", 2), ("ben", 1), ("cyd", 1)}
    assert [exchange.latency_ns for exchange in pairs["ben", 1] if exchange] == [1353 * MS, 3 * MS + 40 * US]
    assert [exchange.result for exchange in pairs["cyd", 1] if exchange] == ["reset", "reset"]


def test_the_table_holds_what_was_recorded(tell: Tell) -> None:
    """Figures of both runs, in their order."""
    comparison = lecture(tell)
    polls = len([call for call in comparison.stories[1].calls if call.outcome == "would_block"])
    assert figure(comparison, "calls") == (18, polls + 18)
    assert figure(comparison, "fruitless") == (0, polls) and polls > 10_000
    assert figure(comparison, "blocked") == (50 * MS + 99 * MS + 1199 * MS + 99 * MS + 16 * MS + 474 * MS, 0)
    assert figure(comparison, "answers") == (3, 3)
    assert figure(comparison, "resets") == (1, 1)
    assert figure(comparison, "eofs") == (2, 2)
    assert figure(comparison, "unfinished") == (1, 0)
    cpu, each = figure(comparison, "cpu"), figure(comparison, "cpu_per_answer")
    assert [value * 3 for value in each if value] == [value for value in cpu if value]


def test_who_waited_for_whom_names_the_call_its_place_and_how_long(tell: Tell) -> None:
    """ben asked at 150 ms; until 1.5 s the only thread was in recv on ada's socket, but for its answers."""
    blocking, nonblocking = lecture(tell).waits
    ben, cyd = sorted(blocking, key=lambda wait: wait.client)
    assert (ben.client, ben.culprit, ben.operation, ben.how) == ("ben", "ada", "recv", "blocked")
    assert ben.held_ns == (200 - 150 + 1199 + 99) * MS
    assert ben.site is not None and ben.site.short == "server.py:18"
    assert ben.waited_ns == 1353 * MS
    assert (cyd.client, cyd.culprit, cyd.answered) == ("cyd", "ada", False)
    assert all(wait.how == "busy" for wait in nonblocking)


def test_a_thread_for_each_client_makes_nobody_wait(tmp_path: Path) -> None:
    """Two threads blocked at once, each on its own client: neither is the other's fault."""
    with Recording(tmp_path / "t.db") as recording:
        run = recording.run("threads")
        main, one, two = run.thread("main"), run.thread("one"), run.thread("two")
        listener = run.socket(3, "listener")
        a, b = run.socket(4, peer="127.0.0.1:1"), run.socket(5, peer="127.0.0.1:2")
        run.call(main, "accept", listener, at_ns=0, duration_ns=None)
        first = run.call(one, "recv", a, at_ns=10 * MS, duration_ns=800 * MS, result=5, site=SITE)
        second = run.call(two, "recv", b, at_ns=10 * MS, duration_ns=300 * MS, result=5, site=SITE)
        run.exchange("a", 1, a, sent_ns=809 * MS, answered_ns=811 * MS, first_call_id=first)
        run.exchange("b", 1, b, sent_ns=309 * MS, answered_ns=500 * MS, first_call_id=second)
        run.finish(S)
    (story,) = all_runs(tmp_path / "t.db")
    assert compare_stories([story]).waits == ((),)


def test_a_server_that_sleeps_between_calls_is_named_as_busy(tmp_path: Path) -> None:
    """400 ms outside of any call, after a receive on another connection."""
    with Recording(tmp_path / "t.db") as recording:
        run = recording.run("sleepy")
        thread = run.thread()
        a, b = run.socket(4, peer="127.0.0.1:1"), run.socket(5, peer="127.0.0.1:2")
        run.call(thread, "recv", a, at_ns=10 * MS, result=5, site=SITE)
        run.call(thread, "sendall", a, at_ns=410 * MS, result=5)
        taken = run.call(thread, "recv", b, at_ns=411 * MS, result=5)
        run.call(thread, "sendall", b, at_ns=412 * MS, result=5)
        run.exchange("b", 1, b, sent_ns=20 * MS, answered_ns=413 * MS, first_call_id=taken)
        run.finish(S)
    (story,) = all_runs(tmp_path / "t.db")
    ((wait,),) = compare_stories([story]).waits
    assert (wait.how, wait.socket_id, wait.site and wait.site.line) == ("busy", 1, 7)
    assert 389 * MS <= wait.held_ns <= 390 * MS


def test_with_many_calls_a_density_blames_nobody_it_did_not_see(tmp_path: Path) -> None:
    """Two threads pause, each after its own client: from levels it is not known who was on which socket, so no name is given."""
    with Recording(tmp_path / "t.db") as recording:
        run = recording.run("two")
        one, two = run.thread("one"), run.thread("two")
        a, b = run.socket(4, peer="127.0.0.1:1"), run.socket(5, peer="127.0.0.1:2")
        for thread, socket in ((one, a), (two, b)):
            run.spin(thread, "recv", socket, at_ns=0, until_ns=64 * MS, every_ns=100 * US)
            run.call(thread, "sendall", socket, at_ns=600 * MS, result=5)
        run.exchange("a", 1, a, sent_ns=70 * MS, answered_ns=601 * MS)
        run.finish(S)
    with open_trace(tmp_path / "t.db") as trace:
        story = load_story(trace, trace.runs()[0], source="levels")
    assert len(story.gaps) >= 2
    assert compare_stories([story]).waits == ((),)


def test_standstills_count_every_long_call_though_few_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 50 blocked receives the ten longest are kept one by one; the sentence counts all, and says what was left out."""
    with Recording(tmp_path / "t.db") as recording:
        run = recording.run("slow")
        thread, socket = run.thread(), run.socket(4, peer="127.0.0.1:1")
        for number in range(50):
            run.call(thread, "recv", socket, at_ns=number * 100 * MS, duration_ns=(9 + number) * MS, result=5, site=SITE)
        run.finish(5 * S)
    monkeypatch.setattr("sockreel.replay.story.LONG_KEPT", 10)
    with open_trace(tmp_path / "t.db") as trace:
        story = load_story(trace, trace.runs()[0], source="levels")
    assert [call.duration_ns for call in story.calls] == [(9 + number) * MS for number in range(40, 50)]
    (found,) = story.standstills
    assert (found.calls, found.ns, story.more_calls) == (50, sum(9 + number for number in range(50)) * MS, 40)
    said = " ".join(sentences(compare_stories([story])))
    assert "1.68 s in 50 recv calls of 8 ms or more (app.py:7), the longest 58.0 ms on fd 4 127.0.0.1:1" in said
    assert "among its 10 longest calls only" in said


def test_without_a_workload_requests_are_numbered_by_connection(tmp_path: Path) -> None:
    """The second connection is the second in both runs, whatever its port; and it is said who measured."""
    with Recording(tmp_path / "t.db") as recording:
        for label, pause_ns in (("slow", 100 * MS), ("fast", MS)):
            run = recording.run(label)
            thread = run.thread()
            for number in (0, 1):
                socket = run.socket(4, peer=f"127.0.0.1:{pause_ns + number}", opened_ns=number * 300 * MS)
                for turn in (0, 1):
                    at_ns = (number * 300 + turn * 120 + 10) * MS
                    run.call(thread, "recv", socket, at_ns=at_ns, result=5)
                    run.call(thread, "sendall", socket, at_ns=at_ns + pause_ns, result=5)
            run.finish(S)
    comparison = compare_stories(all_runs(tmp_path / "t.db"))
    assert [(pair.client, pair.n) for pair in comparison.pairs] == [
        ("connection 1", 1), ("connection 1", 2), ("connection 2", 1), ("connection 2", 2)]
    assert [exchange.latency_ns for exchange in comparison.pairs[3].exchanges if exchange] == [100 * MS, MS]
    assert any("No client was watched" in sentence for sentence in sentences(comparison))


def test_the_sentences_say_who_blocked_where_and_how_much_was_for_nothing(tell: Tell) -> None:
    """In words, with numbers of these runs."""
    said = " ".join(sentences(lecture(tell)))
    assert "blocking stood still in calls for 1.94 s, 96.9 % of its time" in said
    assert "1.41 s in 4 recv calls (server.py:18), the longest 1.20 s on fd 4 ada" in said
    assert "In blocking, the 1st request of ben waited 1.35 s for its answer" in said
    assert "for 1.35 s of it the server was blocked in recv on fd 4 ada (server.py:18)" in said
    assert "of them (99.9 %) did nothing" in said
    assert "ben waited 1.35 s for an answer in blocking, 3.04 ms in nonblocking: 445 times as long." in said
    assert "the interpreter's start is not in it" in said


def test_a_nonblocking_listener_with_blocking_connections_is_named(tmp_path: Path, tell: Tell) -> None:
    """The tutorials' server: only its listener was made nonblocking."""
    with Recording(tmp_path / "t.db") as recording:
        run = recording.run("tutorial")
        thread, listener = run.thread(), run.socket(3, "listener")
        connection = run.socket(4, peer="127.0.0.1:1", parent_id=listener)
        run.spin(thread, "accept", listener, at_ns=0, until_ns=5 * MS, every_ns=50 * US)
        run.call(thread, "accept", listener, at_ns=6 * MS, result=connection, timeout_ns=0)
        run.call(thread, "recv", connection, at_ns=7 * MS, duration_ns=700 * MS, result=5)
        run.finish(S)
    said = sentences(compare_stories(all_runs(tmp_path / "t.db")))
    (named,) = [sentence for sentence in said if "its connections are not" in sentence]
    assert "100 times" in named and "recv on fd 4 connection 1 blocked for 700 ms" in named
    assert not any("its connections are not" in sentence for sentence in sentences(lecture(tell)))


def test_runs_of_one_name_are_told_apart(tell: Tell) -> None:
    """A run compared with itself."""
    comparison = compare_stories([tell("blocking"), tell("blocking"), tell("blocking")])
    assert comparison.titles == ("blocking", "blocking (2)", "blocking (3)")


def test_a_run_without_calls_compares_with_anything(tmp_path: Path, tell: Tell) -> None:
    """Nothing is known of it, and that is said."""
    with Recording(tmp_path / "t.db") as recording:
        recording.run("empty").finish(0)
    comparison = compare_stories([*all_runs(tmp_path / "t.db"), tell("nonblocking")])
    assert figure(comparison, "fruitless_share")[0] is None
    assert "empty made no socket call." in sentences(comparison)
