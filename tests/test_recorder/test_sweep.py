"""What a sweep plans: points, clients, limits; and that messages can be said for a time."""

from __future__ import annotations

import resource

import pytest
from sockreel.recorder import sweep
from sockreel.recorder.sweep import LONG_S, REPEATS, Active, SweepError, is_enough, raise_limits, read_active, read_clients, workload_of


def test_talking_clients_are_a_number_or_a_share_of_at_least_one_and_at_most_all() -> None:
    assert [read_active("3").of(count) for count in (1, 10)] == [1, 3]
    assert [read_active("10%").of(count) for count in (1, 10, 1000)] == [1, 1, 100]
    assert read_active("1") == Active()
    for wrong in ("0", "-1", "0%", "101%", "many", "nan%"):
        with pytest.raises(SweepError, match="--active"):
            read_active(wrong)


def test_a_point_is_repeated_as_often_as_asked_else_three_times_or_till_it_took_long() -> None:
    assert [is_enough(runs, 0.0, None) for runs in (0, 1, REPEATS)] == [False, False, True]
    assert [is_enough(runs, LONG_S, None) for runs in (0, 1, 2)] == [False, False, True]  # one alone shows no spread
    assert [is_enough(runs, 10 * LONG_S, 2) for runs in (0, 1, 2)] == [False, False, True]


def test_clients_come_in_rising_order_each_once() -> None:
    assert read_clients("100, 1,10,10") == (1, 10, 100)
    for wrong in ("", "0", "1,x", "20001"):
        with pytest.raises(SweepError, match="--clients"):
            read_clients(wrong)


def test_who_talks_connects_after_all_who_do_not() -> None:
    idle, talking = workload_of(1000, 10, 1_000_000).groups
    assert (idle.count, idle.messages, idle.leave, talking.count, talking.leave) == (990, (), "stay", 10, "close")
    assert talking.connect_ns > idle.stagger_ns * 990
    assert len(workload_of(5, 5, 1_000_000).groups) == 1


def test_points_beyond_the_limits_of_the_machine_are_left_out_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    raised: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _which: (256, 1024))
    monkeypatch.setattr(resource, "setrlimit", lambda _which, limits: raised.append(limits))
    possible, lines = raise_limits([1, 100, 1000])
    assert (possible, raised) == ((1, 100), [(1024, 1024)])
    assert lines == ["left out: 1,000 clients: a process may open 1,024 files here (ulimit -Hn 1024)"]
    with pytest.raises(SweepError, match="left out: 5,000 clients"):
        raise_limits([5000])
    monkeypatch.setattr(resource, "getrlimit", lambda _which: (99_999, 99_999))
    few_ports = sweep._PORTS.__class__("/proc/self/no-such-file")
    monkeypatch.setattr(sweep, "_PORTS", few_ports)
    assert raise_limits([19_000]) == ((19_000,), [])
