"""Nothing is lost, and what cannot be kept is counted: programs killed at any moment, tapes that fill up, live reading."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import time
from pathlib import Path

import pytest
from sockreel.recorder.agent import layout

from .losing import CORES, COUNTING, SHAPES, Counters, has_c_core, small_disk
from .recording import Recorder, Running, flaws, until


@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("moment", range(2))
def test_every_call_that_returned_before_a_kill_is_in_the_trace(record: Recorder, core: str, shape: str, moment: int) -> None:
    threads, processes, size = SHAPES[shape]
    counters = Counters(record.folder / "counters", threads * processes)
    wanted = random.Random(f"{shape} {core} {moment}").randrange(1, 60_000)
    with record.running(COUNTING, str(counters.path), str(threads), str(processes), str(size), "0", options=["--core", core]) as running:
        pid = running.line()
        if not pid:
            has_c_core(running.ended(whole=False), core)
        until(lambda: counters.total() >= wanted and min(counters.each()), "that many calls")
        pids = [int(pid), *map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())]
        for each in pids:
            os.kill(each, signal.SIGKILL)
        done = running.ended()
    assert done.status == 137 and done.run["calls_lost"] == 0
    finished, unfinished = done.rows("SELECT count(duration_ns) AS n, count(*) - count(duration_ns) AS m FROM calls")[0].values()
    made = counters.total()
    # A thread may have returned from a call, and been killed before it counted it.
    assert made <= finished <= made + threads * processes
    assert unfinished <= threads * processes
    assert done.run["calls_recorded"] == finished + unfinished
    if size:
        kept = done.rows("SELECT count(*) AS n FROM payloads WHERE size = ? AND length(data) = min(256, size)", size)[0]["n"]
        moved = len(done.rows("SELECT id FROM calls WHERE result > 0"))
        # The bytes are noted before the call is marked as complete.
        assert moved <= kept <= moved + threads * processes


@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize(("size", "payload"), [("2m", 0), ("1800k", 500), ("64k", 0)])
def test_a_full_tape_costs_calls_that_are_counted_and_nothing_else(record: Recorder, core: str, size: str, payload: int) -> None:
    counters = Counters(record.folder / "counters", 2)
    with small_disk(record.folder / "disk", size) as disk:
        options = ["--tape", str(disk), "--core", core]
        done = record(COUNTING, counters.path, "2", "1", str(payload), "150000", options=options, whole=False)
        assert list(disk.iterdir()) == []
    has_c_core(done, core)
    assert done.status == 0, done
    made = counters.total()
    assert made >= 300_000
    run = done.run
    assert run["calls_recorded"] + run["calls_lost"] == made
    assert len(done.rows("SELECT id FROM calls")) == run["calls_recorded"]
    if size == "64k":
        assert run["calls_lost"] > 0
    if run["calls_lost"]:
        assert "calls not recorded" in done.lines[-1]


@pytest.mark.parametrize("core", CORES)
def test_a_disk_without_room_for_even_a_head_leaves_the_program_alone(record: Recorder, core: str) -> None:
    counters = Counters(record.folder / "counters", 1)
    with small_disk(record.folder / "disk", "8k") as disk:
        done = record(COUNTING, counters.path, "1", "1", "0", "1000", options=["--tape", disk, "--core", core], whole=False)
    has_c_core(done, core)
    assert done.status == 0 and counters.total() == 1000
    assert any("nothing was recorded" in line for line in done.lines), done


def newest_lag_s(running: Running) -> float | None:
    """Return how far the newest visible call is behind the clock; None before there is one."""
    rows = running.rows(
        "SELECT c.started_ns + k.monotonic_ns - k.at_ns AS at FROM calls c, clocks k WHERE c.id = (SELECT max(id) FROM calls) LIMIT 1"
    )
    return (time.monotonic_ns() - rows[0]["at"]) / 1e9 if rows else None


def lags(record: Recorder, seconds: float, core: str, rate: int) -> tuple[list[float], int]:
    """Record a program that makes so many calls a second; return the lags seen from a second connection, and how many calls it made."""
    counters = Counters(record.folder / f"counters-{len(list(record.folder.iterdir()))}", 1)
    found = []
    with record.running(COUNTING, str(counters.path), "1", "1", "0", "0", str(rate), options=["--core", core]) as running:
        pid = running.line()
        if not pid:
            has_c_core(running.ended(whole=False), core)
        until(lambda: newest_lag_s(running) is not None, "the first call")
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            lag = newest_lag_s(running)
            assert lag is not None
            found.append(lag)
            time.sleep(0.02)  # looking takes time from those who are looked at
        assert running.process.poll() is None
        os.kill(int(pid), signal.SIGKILL)
        done = running.ended()
    assert done.run["calls_lost"] == 0
    return found, counters.total()


def test_calls_are_visible_while_the_program_runs(record: Recorder) -> None:
    found, calls = lags(record, 2, "python", 50_000)
    assert len(found) > 20 and calls > 0
    # Not a measurement: rows come while the program runs, and not at its end.
    assert sorted(found)[len(found) // 2] < 1.5


@pytest.mark.alone
@pytest.mark.slow
@pytest.mark.parametrize("core", CORES)
def test_calls_are_visible_within_half_a_second_for_twenty_seconds(record: Recorder, core: str) -> None:
    rate = 100_000
    found, calls = lags(record, 20, core, rate)
    assert calls > 20 * rate * 0.8
    assert sorted(found)[len(found) * 9 // 10] < 0.5, (max(found), calls)


def test_an_accept_that_nobody_answers_is_on_the_timeline_as_unfinished(record: Recorder) -> None:
    with record.running(record.script("""
        import socket
        server = socket.create_server(("127.0.0.1", 0))
        print("listening", flush=True)
        server.accept()
    """)) as running:  # fmt: skip
        assert running.line() == "listening"
        row = until(lambda: running.rows("SELECT * FROM calls WHERE operation_id = 1"), "the accept, while it lasts")[0]
        assert row["duration_ns"] is None and row["outcome_id"] is None
        pid = running.rows("SELECT pid FROM processes")[0]["pid"]
        os.kill(pid, signal.SIGKILL)
        done = running.ended()
    (accept,) = done.calls(operation="accept")
    assert (accept["outcome"], accept["duration_ns"], accept["result"]) == ("unfinished", None, None)
    assert done.rows("SELECT calls, min_ns, bytes FROM summary WHERE operation = 'accept'") == [{"calls": 1, "min_ns": None, "bytes": 0}]
    assert [row["outcome"] for row in done.calls()][-1] == "unfinished"


def test_a_call_that_blocked_long_is_complete_once_it_returns(record: Recorder) -> None:
    with record.running(record.script("""
        import socket, sys
        a, b = socket.socketpair()
        print("waiting", flush=True)
        import threading
        threading.Thread(target=lambda: (sys.stdin.readline(), a.send(b"at last"))).start()
        b.recv(100)
    """)) as running:  # fmt: skip
        assert running.line() == "waiting"
        assert until(lambda: running.rows("SELECT duration_ns FROM calls"), "the recv, while it lasts") == [{"duration_ns": None}]
        running.tell("go\n")
        done = running.ended()
    (recv,) = done.calls(operation="recv")
    assert (recv["outcome"], recv["result"], recv["payload"]) == ("ok", 7, b"at last") and recv["duration_ns"] > 100_000_000


def test_the_program_outlives_a_recorder_that_is_killed(record: Recorder) -> None:
    counters = Counters(record.folder / "counters", 1)
    with record.running(COUNTING, str(counters.path), "1", "1", "0", "200000") as running:
        pid = int(running.line())
        until(lambda: running.rows("SELECT id FROM calls LIMIT 1"), "the first call")
        os.kill(running.process.pid, signal.SIGKILL)
        running.process.wait()
        until(lambda: not Path(f"/proc/{pid}").exists() or "Z" in Path(f"/proc/{pid}/stat").read_text().split(")")[1][:3], "its end")
    assert counters.total() == 200_000
    for folder in Path("/dev/shm").glob("sockreel-*"):
        if list(folder.glob(f"{pid}-*")):
            shutil.rmtree(folder)




def test_calls_on_a_tape_that_somebody_removed_are_counted_and_what_comes_later_is_recorded(record: Recorder) -> None:
    """As systemd-logind does with RemoveIPC=yes when a user logs out."""
    program = record.script("""
        import socket, sys
        a, b = socket.socketpair()
        for line in sys.stdin:
            for _ in range(int(line) // 2):
                a.send(b"x")
                b.recv(1)
            print("made", flush=True)
    """)  # fmt: skip
    each = 6 * layout.SLOTS
    with record.running(program) as running:
        running.tell("10\n")
        assert running.line() == "made"
        until(lambda: [row["n"] for row in running.rows("SELECT count(*) AS n FROM calls")] == [10], "the first calls")
        folder = Path(json.loads(running.rows("SELECT settings FROM runs")[0]["settings"])["tapes"][0])
        os.kill(running.process.pid, signal.SIGSTOP)
        running.tell(f"{each}\n")
        assert running.line() == "made"
        shutil.rmtree(folder)
        running.tell(f"{each}\n")
        assert running.line() == "made"
        os.kill(running.process.pid, signal.SIGCONT)
        assert running.process.stdin is not None
        running.process.stdin.close()
        running.process.stdin = None
        done = running.ended(whole=False)
    assert flaws(done.path) == [f"{done.run['calls_lost']:,} calls happened and were not recorded"]
    assert done.run["calls_recorded"] + done.run["calls_lost"] == 10 + 2 * each
    assert done.run["calls_recorded"] > each and done.run["calls_lost"] > 4 * layout.SLOTS
    (spot,) = done.blind_spots
    assert spot.endswith("were removed while it ran: calls may be missing")
    assert not list(done.path.parent.glob(".*-tape-*"))
