"""Recorders killed at any moment: the program goes on, its tape stays, and `recover` finishes the trace."""

from __future__ import annotations

import json
import os
import random
import resource
import shutil
import signal
import sqlite3
import subprocess
from pathlib import Path

import pytest
from sockreel.tests.commandline import CommandLine
from sockreel.traces import open_trace

from .losing import CORES, COUNTING, SHAPES, Counters, has_c_core, kill_program, small_disk
from .recording import PATIENCE_S, SOCKREEL, Recorder, Running, environment, flaws, query, until


def recovering(path: Path, *options: str) -> subprocess.Popen[str]:
    """Start a recovery."""
    command = [*SOCKREEL, "recover", *options, str(path)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment())


def recover(path: Path, *options: str) -> str:
    """Recover a trace and return what was said on stdout."""
    process = recovering(path, *options)
    out, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, (out, err)
    assert flaws(path) == []
    return out


def tapes(path: Path) -> list[Path]:
    """Return the tape folders that the last run names."""
    with open_trace(path) as trace:
        return [Path(folder) for folder in json.loads(trace.find_run().settings)["tapes"]]


def kill_recorder(running: Running) -> None:
    """Kill the recorder alone, at once."""
    os.kill(running.process.pid, signal.SIGKILL)
    running.process.wait()


def assert_nothing_is_lost(path: Path, counters: Counters) -> None:
    """Compare a recovered trace with the program's own count."""
    run = query(path, "SELECT * FROM runs")[0]
    finished, unfinished = query(path, "SELECT count(duration_ns) AS n, count(*) - count(duration_ns) AS m FROM calls")[0].values()
    made = counters.total()
    # A thread may have returned from a call, and been killed before it counted it.
    assert made <= finished <= made + counters.threads
    assert unfinished <= counters.threads
    assert (run["calls_recorded"], run["calls_lost"], run["ended_by"]) == (finished + unfinished, 0, "recorder_lost")
    assert run["duration_ns"] > 0 and run["exit_status"] is None and run["python"]
    assert query(path, "SELECT count(*) AS n FROM recovery") == [{"n": 0}]
    assert query(path, "SELECT id FROM sockets WHERE closed_ns IS NULL") == []
    assert not any(folder.exists() for folder in tapes(path))
    assert sorted(found.name for found in path.parent.glob(f"{path.name}*")) == [path.name]


@pytest.mark.slow
@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("moment", range(2))
def test_what_a_killed_recorder_leaves_is_recovered_to_the_last_call(record: Recorder, core: str, shape: str, moment: int) -> None:
    threads, processes, size = SHAPES[shape]
    counters = Counters(record.folder / "counters", threads * processes)
    luck = random.Random(f"recorder {shape} {core} {moment}")
    numbers = map(str, (threads, processes, size, 0))
    with record.running(COUNTING, counters.path, *numbers, options=["--core", core]) as running:
        pid = running.line()
        if not pid:
            has_c_core(running.ended(whole=False), core)
        wanted = luck.randrange(1, 80_000)
        until(lambda: counters.total() >= wanted and min(counters.each()), "that many calls")
        kill_recorder(running)
        further = counters.total() + luck.randrange(1, 40_000)
        until(lambda: counters.total() >= further, "calls that nobody reads")
        kill_program(int(pid))
        recover(running.path)
    assert_nothing_is_lost(running.path, counters)
    if size:
        kept = query(running.path, "SELECT count(*) AS n FROM payloads WHERE size = ? AND length(data) = min(256, size)", size)[0]["n"]
        moved = len(query(running.path, "SELECT id FROM calls WHERE result > 0"))
        assert moved <= kept <= moved + threads * processes


def until_it_has_written(path: Path, recovery: subprocess.Popen[str]) -> None:
    """Wait until a recovery has committed something more, or has ended."""
    question = "SELECT state FROM recovery WHERE kind = 'tape'"
    before = query(path, question)
    until(lambda: recovery.poll() is not None or query(path, question) != before, "a commit of the recovery")


@pytest.mark.slow
@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize("fold", [False, True])
def test_a_recovery_that_is_killed_again_and_again_can_be_recovered(record: Recorder, core: str, fold: bool) -> None:
    counters = Counters(record.folder / "counters", 2)
    options = ["--core", core, *(["--fold"] if fold else [])]
    with record.running(COUNTING, str(counters.path), "2", "1", "0", "150000", options=options) as running:
        if not running.line():
            has_c_core(running.ended(whole=False), core)
        until(lambda: running.rows("SELECT id FROM calls LIMIT 1"), "the first call")
        kill_recorder(running)
        until(lambda: min(counters.each()) >= 150_000, "the last call")
        path = running.path
        for _ in range(5):
            with recovering(path) as recovery:
                until_it_has_written(path, recovery)
                recovery.kill()
                recovery.communicate()
        recover(path)
    run = query(path, "SELECT * FROM runs")[0]
    assert run["calls_recorded"] == counters.total() and run["calls_lost"] == 0
    assert run["ended_by"] == "recorder_lost" and not any(folder.exists() for folder in tapes(path))
    rows = query(path, "SELECT count(*) AS n FROM calls")[0]["n"]
    assert (rows < counters.total()) is fold
    assert "nothing to recover" in recover(path)


def spinning(record: Recorder) -> Path:
    """Return a program that makes calls until a line comes in, and then says how many.

    It takes breath: on a busy machine it would else make millions while it is waited for, and all are counted anew.
    """
    return record.script("""
        import socket, sys, threading, time

        told = []
        threading.Thread(target=lambda: told.append(sys.stdin.readline()), daemon=True).start()
        one, other = socket.socketpair()
        one.setblocking(False)
        print("here", flush=True)
        calls = 0
        while calls < 1000 or not told:
            try:
                one.recv(10)
            except BlockingIOError:
                calls += 1
            if calls % 100 == 0:
                time.sleep(0.005)
        print(calls, flush=True)
    """)


def test_recover_records_on_until_a_program_that_still_runs_has_ended(record: Recorder) -> None:
    with record.running(spinning(record)) as running:
        assert running.line() == "here"
        until(lambda: running.rows("SELECT id FROM calls LIMIT 1"), "the first call")
        kill_recorder(running)
        recovery = recovering(running.path)
        assert recovery.stderr is not None
        assert "still runs" in recovery.stderr.readline()
        seen = running.rows("SELECT count(*) AS n FROM calls")[0]["n"]
        until(lambda: running.rows("SELECT count(*) AS n FROM calls")[0]["n"] > seen, "rows while it waits")
        other = subprocess.run([*SOCKREEL, "recover", str(running.path)], capture_output=True, text=True, env=environment())
        assert other.returncode == 1 and f"process {recovery.pid}" in other.stderr, other
        running.tell("enough\n")
        made = int(running.line())
        out, _ = recovery.communicate(timeout=PATIENCE_S)
    assert recovery.returncode == 0 and f"{made + 1:,} calls" in out  # setblocking is one
    assert flaws(running.path) == []


def test_ctrl_c_leaves_a_recovery_to_be_continued(record: Recorder) -> None:
    with record.running(spinning(record)) as running:
        assert running.line() == "here"
        kill_recorder(running)
        recovery = recovering(running.path)
        assert recovery.stderr is not None
        assert "still runs" in recovery.stderr.readline()
        recovery.send_signal(signal.SIGINT)
        _, err = recovery.communicate(timeout=PATIENCE_S)
        assert recovery.returncode == 130 and err.startswith("sockreel: stopped") and err.count("\n") == 1, err
        running.tell("enough\n")
        made = int(running.line())
        assert f"{made + 1:,} calls" in recover(running.path)


def test_now_ends_the_recording_and_lets_the_program_run(record: Recorder) -> None:
    with record.running(spinning(record)) as running:
        assert running.line() == "here"
        until(lambda: running.rows("SELECT id FROM calls LIMIT 1"), "the first call")
        pid = running.rows("SELECT pid FROM processes")[0]["pid"]
        kill_recorder(running)
        out = recover(running.path, "--now")
        assert f"process {pid} still runs, unrecorded" in out
        assert not any(folder.exists() for folder in tapes(running.path))
        running.tell("enough\n")
        assert int(running.line()) >= 1000
    (spots,) = query(running.path, "SELECT blind_spots FROM runs")
    assert f"process {pid} ran on unrecorded" in spots["blind_spots"]


def test_commands_say_that_a_trace_waits_to_be_recovered(record: Recorder, sockreel: CommandLine) -> None:
    with record.running(spinning(record)) as running:
        assert running.line() == "here"
        until(lambda: running.rows("SELECT id FROM calls LIMIT 1"), "the first call")
        path = running.path
        assert sockreel("runs", path).err == ""
        assert "is being recorded by process" in sockreel("recover", path).failure
        kill_recorder(running)
        for command in (["runs"], ["stats"], ["show"], ["query", "--json"]):
            said = sockreel(*command, path, *(["SELECT 1 AS one"] if command[0] == "query" else []))
            assert said.status == 0, said
            assert said.err == f"sockreel: unfinished, its recorder died: sockreel recover {path}\n"
        assert sockreel("check", path).status == 1
        assert sockreel("recover", "--now", path).status == 0
        assert sockreel("check", path).err == ""
        assert "recovered" in sockreel("runs", path).out


def test_a_tape_that_is_gone_leaves_what_the_trace_holds(record: Recorder) -> None:
    with record.running(spinning(record)) as running:
        assert running.line() == "here"
        until(lambda: running.rows("SELECT id FROM calls LIMIT 1"), "the first call")
        kill_recorder(running)
        running.tell("enough\n")
        assert int(running.line()) > 0
        for folder in tapes(running.path):
            shutil.rmtree(folder)
        assert "its tape was gone" in recover(running.path)
    assert "the recorder died and its tape was gone" in query(running.path, "SELECT blind_spots FROM runs")[0]["blind_spots"]


def test_recover_removes_no_folder_that_is_not_the_runs_own(record: Recorder) -> None:
    precious = record.folder / "precious"
    precious.mkdir()
    (precious / "settings").write_text("key of somebody else\n")
    (precious / "1-2.head").write_text("mine\n")
    with record.running(spinning(record)) as running:
        assert running.line() == "here"
        kill_recorder(running)
        real = tapes(running.path)
        with sqlite3.connect(running.path) as connection:
            connection.execute("UPDATE runs SET settings = json_set(settings, '$.tapes', json_array(?))", [str(precious)])
        connection.close()
        assert "its tape was gone" in recover(running.path)
    assert sorted(found.name for found in precious.iterdir()) == ["1-2.head", "settings"]
    for folder in real:
        shutil.rmtree(folder)


@pytest.mark.slow
@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize("moment", range(2))
def test_a_kill_with_64_mb_of_tape_costs_nothing_either(record: Recorder, core: str, moment: int) -> None:
    counters = Counters(record.folder / "counters", 3)
    luck = random.Random(f"64 MB {core} {moment}")
    with small_disk(record.folder / "disk", "64m") as disk:
        with record.running(COUNTING, str(counters.path), "3", "1", "100", "0", options=["--core", core, "--tape", disk]) as running:
            pid = running.line()
            if not pid:
                has_c_core(running.ended(whole=False), core)
            wanted = luck.randrange(100_000, 200_000)  # a segment holds 8,192
            until(lambda: counters.total() >= wanted and min(counters.each()), "that many calls")
            kill_program(int(pid))
            done = running.ended()
        assert list(disk.iterdir()) == []
    made = counters.total()
    finished = done.rows("SELECT count(duration_ns) AS n FROM calls")[0]["n"]
    assert done.status == 137 and done.run["calls_lost"] == 0
    assert made <= finished <= made + 3


def test_a_recorder_that_has_no_descriptor_left_says_so_and_nothing_is_lost(record: Recorder) -> None:
    counters = Counters(record.folder / "counters", 2)
    with record.running(COUNTING, counters.path, "2", "1", "100", "20000") as running:
        assert running.line()
        resource.prlimit(running.process.pid, resource.RLIMIT_NOFILE, (3, 64))
        done = running.ended(whole=False)
        until(lambda: min(counters.each()) >= 20_000, "the program's end")
    if done.status:  # it needed none where it had looked at everything before
        assert done.status == 125 and done.lines[-1].endswith(f"sockreel recover {done.path}"), done
        assert "Traceback" not in done.err
        recover(done.path)
    assert (done.run["calls_recorded"], done.run["calls_lost"]) == (counters.total(), 0)
    assert flaws(done.path) == []
