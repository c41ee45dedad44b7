"""Where CPU time went: into calls that found nothing, into useful ones, elsewhere."""

from __future__ import annotations

from pathlib import Path

import pytest
from sockreel.replay import CpuSplit, cpu_words, load_cpu
from sockreel.replay.cputime import divide
from sockreel.replay.values import Cpu
from sockreel.tests.synthetic import MS, US, Recording, S
from sockreel.traces import open_trace


def split_of(path: Path) -> CpuSplit:
    """Read a trace of one run."""
    with open_trace(path) as trace:
        return load_cpu(trace, trace.find_run(None))


def cpu(ns: int) -> Cpu:
    """So much, from the first listen."""
    return Cpu(ns, 0, S, True, True)


def test_time_in_fruitless_calls_counts_as_cpu_and_the_rest_is_elsewhere() -> None:
    kinds = {(1, "fruitless"): (1000, 800 * MS), (1, "moved"): (10, 20 * MS), (1, "other"): (2, 5 * MS), (1, "blocked"): (3, 9 * S)}
    found = divide(cpu(S), kinds, {1: (S, 0)}, 1000)
    assert (found.fruitless_calls, found.fruitless_ns, found.useful_calls, found.useful_ns) == (1000, 800 * MS, 12, 25 * MS)
    assert (found.elsewhere_ns, found.recording_ns, found.waiting_calls, found.waiting_ns) == (175 * MS, 1_015_000, 3, 9 * S)
    assert found.fruitless_share == 0.8


def test_a_thread_that_had_no_processor_half_of_the_time_spent_half_of_its_calls_time_as_cpu() -> None:
    kinds = {(1, "fruitless"): (100, 800 * MS), (2, "fruitless"): (100, 300 * MS)}
    found = divide(cpu(S), kinds, {1: (500 * MS, 500 * MS), 2: (300 * MS, 0)}, None)
    assert found.fruitless_ns == 700 * MS
    assert found.fruitless_took_ns == 1_100 * MS
    assert found.delay_ns == 500 * MS


def test_parts_are_never_more_than_the_whole() -> None:
    found = divide(cpu(100 * MS), {(1, "fruitless"): (9, 90 * MS), (1, "moved"): (9, 90 * MS)}, {}, 10 * MS)
    assert (found.fruitless_ns, found.useful_ns, found.elsewhere_ns, found.recording_ns) == (90 * MS, 10 * MS, 0, 0)


def test_of_a_run_that_nobody_sampled_it_is_said_what_is_known(tmp_path: Path) -> None:
    with Recording(tmp_path / "t.db") as recording:
        run = recording.run()
        thread = run.thread()
        for n in range(50):
            run.call(thread, "accept", run.socket(3, "listener"), at_ns=n * MS, duration_ns=10 * US, outcome="would_block", timeout_ns=0)
        run.finish(60 * MS)
    found = split_of(tmp_path / "t.db")
    assert (found.total_ns, found.elsewhere_ns, found.fruitless_share) == (None, None, None)
    assert cpu_words(found)[0] == "500 µs passed in 50 fruitless calls, which never sleep"
    assert "is not known" in cpu_words(found)[1]


def test_threads_and_processes_are_summed_up_each_by_its_own_share(tmp_path: Path) -> None:
    with Recording(tmp_path / "t.db") as recording:
        run = recording.run()
        for pid in (11, 12):
            run.process(pid)
            listener = run.socket(3, "listener")
            for name in ("MainThread", "worker"):
                thread = run.thread(name)
                for n in range(10):
                    run.call(thread, "accept", listener, at_ns=n * MS, duration_ns=100 * US, outcome="would_block", timeout_ns=0)
                run.sample(50 * MS, 3 * MS, thread, delay_ns=MS if name == "worker" else 0)
            run.sample(0, 0)
            run.sample(50 * MS, 7 * MS)
        run.finish(60 * MS)
    found = split_of(tmp_path / "t.db")
    assert (found.total_ns, found.fruitless_calls, found.fruitless_took_ns) == (14 * MS, 40, 4 * MS)
    assert found.fruitless_ns == 3_500 * US
    assert found.delay_ns == 2 * MS


BEFORE = ((50 * MS, 155 * MS), 25 * MS), ((50 * MS, 57 * MS), 0)


@pytest.mark.parametrize(("waited_for", "unseen_ns"), [((0, 100 * MS), 40 * MS), ((0, 60 * MS), 0), ((0, 0), 0), *BEFORE])
def test_cpu_of_children_that_nobody_looked_at_is_what_the_program_waited_for_less_what_was_sampled(
    tmp_path: Path, waited_for: tuple[int, int], unseen_ns: int
) -> None:
    with Recording(tmp_path / "t.db") as recording:
        run = recording.run()
        run.process(11)
        run.call(run.thread(), "close", run.socket(3), at_ns=MS, duration_ns=US)
        run.sample(0, 0, children_ns=waited_for[0])  # what a script waited for that became the program is not its own
        run.sample(50 * MS, 7 * MS, children_ns=waited_for[1])
        run.process(12, started_ns=10 * MS)
        run.sample(10 * MS, 0)
        run.sample(40 * MS, 60 * MS)
        run.finish(60 * MS)
    found = split_of(tmp_path / "t.db")
    assert (found.total_ns, found.unsampled_ns) == (67 * MS + unseen_ns, unseen_ns)
    assert any("children" in words for words in cpu_words(found)) == (unseen_ns > 0)


def test_folded_calls_count_like_kept_ones() -> None:
    words = cpu_words(divide(cpu(1_930 * MS), {(1, "fruitless"): (1_204_331, 1_800 * MS)}, {1: (S, 0)}, None))
    assert words[0] == "of 1.93 s CPU, 1.80 s (93.3 %) went into 1,204,331 fruitless calls"


def test_where_the_first_look_came_too_late_cpu_is_counted_from_the_start(tmp_path: Path) -> None:
    for late in (True, False):
        path = tmp_path / f"{late}.db"
        with Recording(path) as recording:
            run = recording.run()
            thread, listener = run.thread(), run.socket(3, "listener")
            run.call(thread, "listen", listener, at_ns=10 * MS)
            for n in range(20):
                run.call(thread, "accept", listener, at_ns=(11 + n) * MS, duration_ns=MS, outcome="would_block", timeout_ns=0)
            if not late:
                run.sample(10 * MS, 30 * MS)
            run.sample(40 * MS, 60 * MS)
            run.finish(41 * MS)
        found = split_of(path)
        assert (found.total_ns, found.from_listen) == ((60 * MS, False) if late else (30 * MS, True))
        assert found.fruitless_ns == 20 * MS


def test_what_was_used_before_a_late_first_look_counts_where_there_is_no_listen_to_count_from(tmp_path: Path) -> None:
    with Recording(tmp_path / "t.db") as recording:
        run = recording.run()
        run.call(run.thread(), "send", run.socket(3, "connected"), at_ns=10 * MS, duration_ns=2 * MS, result=5, timeout_ns=0)
        run.sample(170 * MS, 128 * MS)
        run.sample(240 * MS, 128 * MS)
        run.finish(240 * MS)
    found = split_of(tmp_path / "t.db")
    assert (found.total_ns, found.useful_ns, found.elsewhere_ns) == (128 * MS, 2 * MS, 126 * MS)
