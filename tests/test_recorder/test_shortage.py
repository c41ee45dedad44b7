"""What runs out, and who dies: full disks and limits cost calls that are counted, and never the program."""

from __future__ import annotations

import contextlib
import os
import resource
import sqlite3
from pathlib import Path

import pytest
from sockreel.tests.commandline import CommandLine

from .losing import CORES, COUNTING, Counters, has_c_core, small_disk
from .recording import Recorded, Recorder, flaws, until


def assert_every_call_is_told_of(done: Recorded, counters: Counters) -> None:
    """Compare what was recorded and what was not with the program's own count, and the trace with itself."""
    run = done.run
    assert run["calls_recorded"] + run["calls_lost"] == counters.total()
    assert len(done.rows("SELECT id FROM calls")) == run["calls_recorded"]
    assert run["duration_ns"] > 0 and run["ended_by"] == "exit"
    lost = [f"{run['calls_lost']:,} calls happened and were not recorded"] if run["calls_lost"] else []
    assert flaws(done.path) == lost
    assert "Traceback" not in done.err


@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize(("size", "payload"), [("3m", 0), ("3m", 300), ("900k", 0)])
@pytest.mark.parametrize("tape_too", [False, True])
def test_a_full_disk_ends_the_recording_and_not_the_program(
    record: Recorder, core: str, size: str, payload: int, tape_too: bool, sockreel: CommandLine
) -> None:
    counters = Counters(record.folder / "counters", 2)
    with small_disk(record.folder / "disk", size) as disk:
        options = ["--core", core, *(["--tape", str(disk)] if tape_too else [])]
        path = disk / "t.db"
        done = record(COUNTING, counters.path, "2", "1", str(payload), "60000", options=options, output=path, whole=False)
        if not path.exists():
            has_c_core(done, core)
        assert done.status == 0 and done.run["exit_status"] == 0, done
        assert done.run["calls_lost"] > 0
        assert_every_call_is_told_of(done, counters)
        assert [line for line in done.lines if "recording stopped after" in line and "the program ran on" in line], done
        assert f"{done.run['calls_lost']:,} calls not recorded" in done.lines[-1]
        names = {found.name for found in disk.iterdir()}
        # Where there was no room to take the log into the file, both are readable, and that is said.
        assert names == {"t.db"} or (f"stays in {path}-wal" in done.err and names == {"t.db", "t.db-wal", "t.db-shm"}), done
        for command in ("runs", "stats", "show"):
            said = sockreel(command, path)
            assert (said.status, said.err) == (0, ""), said
        assert sockreel("query", path, "failures").status == 0


@pytest.mark.parametrize("size_kb", [300, 785, 1000, *(pytest.param(size, marks=pytest.mark.slow) for size in range(350, 2800, 353))])
def test_a_disk_of_any_size_holds_a_trace_that_agrees_with_itself_or_none(record: Recorder, size_kb: int) -> None:
    counters = Counters(record.folder / "counters", 1)
    with small_disk(record.folder / "disk", f"{size_kb}k") as disk:
        done = record(COUNTING, counters.path, "1", "1", "200", "9000", output=disk / "t.db", whole=False)
        assert_whole_or_refused(done, counters, disk)


@pytest.mark.parametrize("limit_kb", [100, 300, 560, 900, *(pytest.param(kb, marks=pytest.mark.slow) for kb in range(350, 2800, 601))])
def test_a_limit_on_the_size_of_files_leaves_a_trace_that_agrees_with_itself_or_none(record: Recorder, limit_kb: int) -> None:
    counters = Counters(record.folder / "counters", 1)
    folder = record.folder / "traces"
    folder.mkdir()
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit_kb << 10, before[1]))
    try:
        done = record(COUNTING, counters.path, "1", "1", "200", "9000", output=folder / "t.db", whole=False)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert_whole_or_refused(done, counters, folder)


def assert_whole_or_refused(done: Recorded, counters: Counters, folder: Path) -> None:
    """Look for a trace that tells of every call, or for nothing at all where the program was not begun."""
    names = {found.name for found in folder.iterdir()}
    if done.status == 0:
        assert_every_call_is_told_of(done, counters)
        assert names == {"t.db"} or (f"stays in {done.path}-wal" in done.err and names <= {"t.db", "t.db-wal", "t.db-shm"}), done
    else:
        assert (done.status in (1, 125), counters.total(), names) == (True, 0, set()), done


@pytest.mark.parametrize("core", CORES)
def test_a_disk_that_others_fill_ends_the_recording_and_not_the_program(record: Recorder, core: str) -> None:
    counters = Counters(record.folder / "counters", 1)
    with small_disk(record.folder / "disk", "80m") as disk:
        trace = disk / "t.db"
        options = ["--core", core, "--output", str(trace)]
        with record.running(COUNTING, counters.path, "1", "1", "0", "400000", "100000", options=options) as running:
            running.path = trace
            if not running.line():
                pytest.skip("there is no C core here")
            until(lambda: running.rows("SELECT id FROM calls LIMIT 1"), "the first call")
            fill(disk / "filler")
            done = running.ended(whole=False)
        assert done.status == 0 and done.run["calls_recorded"] > 0 and done.run["calls_lost"] > 0, done
        assert_every_call_is_told_of(done, counters)


def fill(path: Path) -> None:
    """Take all the room that a disk has."""
    with path.open("wb", buffering=0) as file:
        for size in (1 << 20, 1 << 12, 1):
            with contextlib.suppress(OSError):
                while True:
                    file.write(bytes(size))
    assert path.stat().st_size > 1 << 20


def test_a_trace_for_which_there_is_no_room_at_all_is_refused_before_the_program_runs(record: Recorder) -> None:
    with small_disk(record.folder / "disk", "64k") as disk:
        done = record(record.script("print('ran')"), output=disk / "t.db", whole=False)
        assert done.status in (1, 125) and done.out == ""
        assert done.err.splitlines()[-1].startswith("sockreel: ") and "Traceback" not in done.err, done
        assert list(disk.iterdir()) == []


LIMITS = {
    "files": "resource.setrlimit(resource.RLIMIT_NOFILE, (len(os.listdir('/proc/self/fd')) - 1,) * 2)",
    "file size": "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))",
    "memory": "resource.setrlimit(resource.RLIMIT_AS, (int(open('/proc/self/statm').read().split()[0]) * 4096 + (1 << 18),) * 2)",
}


@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize("limit", LIMITS)
def test_a_limit_on_the_program_costs_calls_that_are_counted(record: Recorder, core: str, limit: str) -> None:
    done = record(record.script(f"""
        import os, resource, socket, sys
        one, other = socket.socketpair()
        one.setblocking(False)
        calls = 1
        {LIMITS[limit]}
        for _ in range(100000):
            try:
                one.recv(10)
            except BlockingIOError:
                calls += 1
        print(calls)
        sys.exit(5)
    """), options=["--core", core], whole=False)  # fmt: skip
    if not done.path.exists():
        has_c_core(done, core)
    assert done.status == 5, done
    run = done.run
    assert run["calls_recorded"] + run["calls_lost"] == done.said == 100_001
    assert run["calls_recorded"] >= 8_192
    assert len(done.rows("SELECT id FROM calls")) == run["calls_recorded"]


ENDINGS = {
    "os._exit": ("os._exit(3)", 3),
    "a crash": ("ctypes.string_at(0)", 139),
    "a thread's sys.exit": ("sys.exit(3)", 0),
    "an exception": ("raise ValueError", 0),
}


@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize("ending", ENDINGS)
def test_a_sudden_end_in_a_thread_costs_no_call(record: Recorder, core: str, ending: str) -> None:
    statement, status = ENDINGS[ending]
    counters = Counters(record.folder / "counters", 2)
    done = record(record.script(f"""
        import ctypes, mmap, os, socket, sys, threading
        with open(sys.argv[1], "r+b") as opened:
            counters = memoryview(mmap.mmap(opened.fileno(), 0)).cast("Q")
        sys.stderr = open(os.devnull, "w")

        def work(number):
            one, other = socket.socketpair()
            one.setblocking(False)
            counters[number] += 1
            while counters[number] < 10000:
                try:
                    one.recv(10)
                except BlockingIOError:
                    counters[number] += 1
            if number:
                os.close(one.detach())
                counters[number] += 1
                {statement}

        other = threading.Thread(target=work, args=(1,))
        other.start()
        work(0)
        other.join()
    """), counters.path, options=["--core", core], whole=False)  # fmt: skip
    if not done.path.exists():
        has_c_core(done, core)
    assert done.status == status, done
    finished = done.rows("SELECT count(*) AS n FROM calls WHERE duration_ns IS NOT NULL AND operation_id <> 18")[0]["n"]
    assert counters.total() <= finished <= counters.total() + 2
    assert done.run["calls_lost"] == 0 and flaws(done.path) == []


def test_a_trace_that_somebody_locks_is_written_when_it_is_free_again(record: Recorder) -> None:
    counters = Counters(record.folder / "counters", 1)
    with record.running(COUNTING, counters.path, "1", "1", "0", "60000", "50000") as running:
        assert running.line()
        until(lambda: running.rows("SELECT id FROM calls LIMIT 1"), "the first call")
        with contextlib.closing(sqlite3.connect(running.path, isolation_level=None, timeout=60)) as other:
            other.execute("BEGIN IMMEDIATE")
            seen = counters.total()
            until(lambda: counters.total() > seen + 10_000, "calls meanwhile")
            other.execute("ROLLBACK")
        done = running.ended()
    assert os.path.getsize(done.path) > 0
    assert done.run["calls_recorded"] == counters.total() and done.run["calls_lost"] == 0
