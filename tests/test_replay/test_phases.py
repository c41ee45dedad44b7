"""The two phases of input: what is measured, what is known of it, and how the figure and the page of many runs say so."""

from __future__ import annotations

from pathlib import Path

import pytest
from sockreel.replay import Comparison, Look, Story, compare_stories, comparison_json, load_story, render_compare, sentences
from sockreel.replay.phases import Phases, phases_of
from sockreel.tests.synthetic import MS, US, Recording, S
from sockreel.tests.test_replay.goldfiles import assert_like_gold
from sockreel.tests.test_replay.scenes import models
from sockreel.traces import open_trace


@pytest.fixture(scope="module")
def stories(tmp_path_factory: pytest.TempPathFactory) -> list[Story]:
    """Six servers of different models."""
    with open_trace(models(tmp_path_factory.mktemp("models") / "models.db")) as trace:
        return [load_story(trace, run, resolution=100) for run in trace.runs()]


@pytest.fixture(scope="module")
def phases(stories: list[Story]) -> dict[str, Phases]:
    """Their phases by name."""
    return dict(zip((story.facts.name for story in stories), compare_stories(stories).phases, strict=True))


def told(tmp_path: Path, source: str) -> Story:
    """Return the one story of a trace, told from its calls or from levels."""
    with open_trace(tmp_path / "t.db") as trace:
        return load_story(trace, trace.runs()[0], source=source)  # type: ignore[arg-type]


def test_a_blocked_call_holds_both_phases_and_they_are_not_told_apart_unless_measured(phases: dict[str, Phases]) -> None:
    bare, measured = phases["blocking"], phases["blocking_measured"]
    assert (bare.blocked_unknown_ns, bare.blocked_wait_ns, bare.known) == (160 * MS, 0, False)
    assert (measured.blocked_unknown_ns, measured.blocked_wait_ns, measured.blocked_copy_ns) == (0, 160 * MS - 40 * US, 40 * US)
    assert measured.known and measured.wait_ns == 160 * MS - 40 * US
    assert measured.copy_ns == 40 * US + 2 * 6 * US


def test_a_wait_for_readiness_is_the_first_phase_and_the_call_after_it_the_second(phases: dict[str, Phases]) -> None:
    for name, operation in (("select", "select"), ("signal_driven", "pause")):
        assert phases[name].waiting.operations == (operation,)
        assert (phases[name].waiting.calls, phases[name].wait_ns) == (2, 160 * MS)
        assert phases[name].copying.operations == ("recv", "sendall")
        assert (phases[name].copying.calls, phases[name].copy_ns) == (4, 2 * (4 + 6) * US)


def test_polling_is_the_first_phase_too(phases: dict[str, Phases], stories: list[Story]) -> None:
    polling = phases["nonblocking"]
    assert polling.checking.operations == ("recv",) and polling.checking.calls > 1_000
    assert polling.waiting.ns == polling.blocked.ns == 0
    assert polling.wait_ns == polling.checking.ns == sum(call.duration_ns for call in stories[3].calls if call.kind == "fruitless")


def test_the_rest_of_the_threads_time_is_spent_elsewhere(phases: dict[str, Phases]) -> None:
    found = phases["select"]
    assert found.threads_ns == 400 * MS + 16 * US - 100 * MS
    assert found.program_ns == found.threads_ns - found.wait_ns - found.copy_ns
    assert phases["silent"].threads_ns is None and phases["silent"].program_ns is None


def test_what_runs_inside_a_wait_is_not_waiting(tmp_path: Path) -> None:
    """A signal handler reads while the thread is in pause."""
    with Recording(tmp_path / "t.db") as recording:
        run = recording.run("handler")
        thread, socket = run.thread(), run.socket(4, peer="127.0.0.1:1")
        pause = run.call(thread, "pause", at_ns=0, duration_ns=50 * MS, layer="wait")
        run.call(thread, "recv", socket, at_ns=40 * MS, duration_ns=2 * MS, result=5, timeout_ns=0, parent_id=pause)
        run.finish(S)
    (found,) = compare_stories([told(tmp_path, "calls")]).phases
    assert (found.waiting.ns, found.copying.ns) == (48 * MS, 2 * MS)


def test_short_waits_that_are_only_counted_are_waiting_all_the_same(tmp_path: Path) -> None:
    """A busy epoll server: no wait is long enough to be told one by one."""
    with Recording(tmp_path / "t.db") as recording:
        run = recording.run("busy")
        thread, socket, poller = run.thread(), run.socket(4, peer="127.0.0.1:1"), run.socket(5, "poller")
        for number in range(300):
            run.call(thread, "epoll_wait", poller, at_ns=number * MS, duration_ns=800 * US, result=1)
            run.call(thread, "recv", socket, at_ns=number * MS + 810 * US, duration_ns=5 * US, result=5, timeout_ns=0)
        run.finish(S)
    for source in ("calls", "levels"):
        (found,) = compare_stories([told(tmp_path, source)]).phases
        assert found.waiting.ns == 300 * 800 * US
        assert (found.blocked.ns, found.copying.ns, found.copying.calls) == (0, 300 * 5 * US, 300)


def test_switches_and_memory_count_from_the_first_listen(stories: list[Story]) -> None:
    """What the kernel said at the end of the program is the last word, memory the most that was seen."""
    usage = stories[0].usage
    assert usage is not None
    assert (usage.voluntary_switches, usage.involuntary_switches, usage.peak_rss_bytes) == (21, 3, 14_000_000)


def test_nobody_is_blamed_for_a_wait_that_was_for_everybody(tmp_path: Path) -> None:
    """epoll took 5 ms to return: that is the machine, not another client."""
    with Recording(tmp_path / "t.db") as recording:
        run = recording.run("late")
        thread, socket, poller = run.thread(), run.socket(4, peer="127.0.0.1:1"), run.socket(5, "poller")
        run.call(thread, "epoll_wait", poller, at_ns=0, duration_ns=20 * MS, result=1)
        taken = run.call(thread, "recv", socket, at_ns=20 * MS + US, result=5, timeout_ns=0)
        run.exchange("ada", 1, socket, sent_ns=15 * MS, answered_ns=21 * MS, first_call_id=taken)
        run.finish(S)
    assert compare_stories([told(tmp_path, "calls")]).waits == ((),)


@pytest.fixture(scope="module")
def many(stories: list[Story]) -> Comparison:
    """All six compared."""
    return compare_stories(stories)


@pytest.mark.parametrize("width", [80, 100, 140])
def test_many_runs_draw_the_gold_page(many: Comparison, width: int) -> None:
    page = render_compare(many, Look(width))
    assert max(map(len, page.splitlines())) <= width
    assert_like_gold(f"compare-many-{width}.txt", page)


def test_many_runs_are_drawn_in_ascii_too(many: Comparison) -> None:
    page = render_compare(many, Look(100, ascii=True))
    assert page.isascii() and "not measured" in page


@pytest.mark.parametrize("width", [40, 61, 300])
def test_no_page_of_many_runs_is_wider_than_the_screen(many: Comparison, width: int) -> None:
    assert max(map(len, render_compare(many, Look(width)).splitlines())) <= width


def test_each_of_many_runs_has_one_sentence_of_its_own_figures(many: Comparison) -> None:
    said = sentences(many)
    assert [sentence.split()[0] for sentence in said[:6]] == list(many.titles)
    assert "blocking waited inside the calls that copy, 160 ms in 2 calls (recv); its slowest answer took 100 ms (ben)" in said[0]
    assert "160 ms in 2 calls (recv): 160 ms for data, 40.0 µs to copy it" in said[1]
    assert "select waited for all at once, 160 ms in 2 select calls" in said[2]
    assert "fruitless calls (99." in said[3]
    assert said[5] == "silent made no socket call."


def test_the_json_of_a_comparison_holds_the_phases(many: Comparison) -> None:
    said = comparison_json(many)["phases"]
    assert said["select"]["wait_ns"] == 160 * MS and said["select"]["waiting"]["operations"] == ("select",)
    assert said["blocking"]["blocked_unknown_ns"] == 160 * MS


def test_what_a_ring_was_asked_for_is_the_kernels_and_not_the_threads_time(tmp_path: Path) -> None:
    with Recording(tmp_path / "ring.db") as recording:
        run = recording.run("ring")
        thread, ring = run.thread(), run.thread("io_uring fd 4", native_id=0)
        client = run.socket(5)
        run.call(thread, "ring_submit", None, at_ns=0, duration_ns=10 * US, layer="ring")
        run.call(ring, "ring_recv", client, at_ns=0, duration_ns=90 * MS, payload=b"hello", layer="ring")
        run.call(ring, "ring_send", client, at_ns=91 * MS, duration_ns=1 * MS, result=5, layer="ring")
        run.call(thread, "ring_wait", None, at_ns=1 * MS, duration_ns=99 * MS, result=2, layer="ring")
        run.finish(100 * MS)
    with open_trace(tmp_path / "ring.db") as trace:
        phases = phases_of(load_story(trace, trace.find_run()))
    assert phases.threads_ns == 100 * MS
    assert (phases.waiting.ns, phases.waiting.operations) == (99 * MS, ("ring_wait",))
    assert (phases.by_kernel.calls, phases.by_kernel.operations) == (2, ("ring_recv", "ring_send"))
    assert phases.copying.calls == phases.blocked.calls == 0
    assert phases.program_ns == 1 * MS


def test_accepts_and_ends_of_streams_only_wait_and_a_short_send_does_not_hide_what_receives_did(tmp_path: Path) -> None:
    with Recording(tmp_path / "t.db") as recording:
        run = recording.run()
        thread, listener, socket = run.thread(), run.socket(3), run.socket(4)
        run.call(thread, "accept", listener, at_ns=0, duration_ns=100 * MS, result=socket)
        run.call(thread, "recv", socket, at_ns=100 * MS, duration_ns=50 * MS, result=5, ready_ns=149 * MS, ready_source="kernel")
        run.call(thread, "sendall", socket, at_ns=150 * MS, duration_ns=1 * MS, result=5)
        run.call(thread, "recv", socket, at_ns=151 * MS, duration_ns=20 * MS, outcome="eof", result=0)
        run.finish(1 * S)
    story = told(tmp_path, "calls")
    (found,) = compare_stories([story]).phases
    assert found.known
    assert (found.blocked_wait_ns, found.blocked_copy_ns, found.blocked_unknown_ns) == (169 * MS, 1 * MS, 1 * MS)
