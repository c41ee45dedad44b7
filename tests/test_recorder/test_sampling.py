"""CPU time of the recorded processes: of all their threads, of children, up to their end."""

from __future__ import annotations

import os
import shlex
import sys
import threading

import pytest
from sockreel.recorder.sample import native_ids, process_sample, thread_sample
from sockreel.replay import load_cpu
from sockreel.traces import open_trace

from .recording import Recorder, until

# Uses so much CPU of its own, by its own clock.
BURN = """
    import socket, sys, threading, time

    def burn(ms, clock=time.thread_time):
        until = clock() + ms / 1000
        while clock() < until:
            pass
"""


def test_a_program_that_ends_before_anybody_looks_has_its_cpu_from_the_kernel_s_last_word(record: Recorder) -> None:
    recorded = record(record.script(BURN + "    socket.socket().close(); print(time.process_time_ns())"))
    ns = recorded.rows("SELECT max(run_ns) AS ns FROM samples WHERE thread_id IS NULL")[0]["ns"]
    assert ns >= recorded.said


def test_threads_that_come_and_go_between_two_looks_are_in_the_process_s_total(record: Recorder) -> None:
    script = record.script(BURN + """
    sock = socket.socket()
    for _ in range(20):
        thread = threading.Thread(target=burn, args=(10,)); thread.start(); thread.join()
    sock.close()
    print(time.process_time_ns())
    """)
    recorded = record(script)
    total = recorded.rows("SELECT max(run_ns) AS ns FROM samples WHERE thread_id IS NULL")[0]["ns"]
    seen = recorded.rows("SELECT max(run_ns) AS ns FROM samples WHERE thread_id IS NOT NULL GROUP BY thread_id")
    assert total >= recorded.said >= 200_000_000
    assert total - sum(row["ns"] for row in seen) >= 190_000_000


def test_cpu_of_a_child_that_nobody_could_look_at_is_known_once_it_was_waited_for(record: Recorder) -> None:
    script = record.script(BURN + """
    import subprocess
    socket.socket().close()
    code = "import time\\nwhile time.process_time() < 0.15: pass"
    subprocess.run([sys.executable, "-I", "-S", "-c", code], check=True)
    """)
    recorded = record(script)
    with open_trace(recorded.path) as trace:
        split = load_cpu(trace, trace.find_run(None))
    assert split.unsampled_ns >= 150_000_000
    assert split.total_ns is not None and split.total_ns >= split.unsampled_ns


def test_a_script_that_became_the_program_leaves_its_children_s_cpu_and_switches_out(record: Recorder) -> None:
    burn = f"{shlex.quote(sys.executable)} -I -S -c 'import time\nwhile time.process_time() < 0.2: pass'"
    shim = record.script(f'#!/bin/sh\n{burn}\nexec {shlex.quote(sys.executable)} "$@"\n', "shim")
    shim.chmod(0o755)
    script = record.script("import socket, time\nsock = socket.socket()\nwhile time.process_time() < 0.3: sock.setblocking(False)")
    recorded = record("--", shim, script)
    assert recorded.calls(operation="setblocking")
    with open_trace(recorded.path) as trace:
        split = load_cpu(trace, trace.find_run(None))
    assert split.total_ns is not None
    assert split.unsampled_ns < 100_000_000


def test_a_thread_that_spins_is_sampled_with_the_time_it_had_no_processor(record: Recorder) -> None:
    script = record.script("""
    import socket, time
    listener = socket.create_server(("127.0.0.1", 0)); listener.setblocking(False)
    until = time.thread_time() + 0.4
    while time.thread_time() < until:
        try:
            listener.accept()
        except BlockingIOError:
            pass
    """)
    for options in ((), ("--fold",)):
        recorded = record(script, options=options)
        rows = recorded.rows("SELECT run_ns, delay_ns FROM samples WHERE thread_id IS NOT NULL ORDER BY at_ns")
        assert rows and rows[-1]["run_ns"] >= 300_000_000 and rows[-1]["delay_ns"] is not None
        with open_trace(recorded.path) as trace:
            split = load_cpu(trace, trace.find_run(None))
        assert split.total_ns is not None and split.fruitless_calls > 1_000
        # As much of what the calls took as the thread had of a processor.
        run_ns, delay_ns = rows[-1]["run_ns"], rows[-1]["delay_ns"]
        expected_ns = min(split.fruitless_took_ns * run_ns / (run_ns + delay_ns), split.total_ns)
        assert split.fruitless_ns == pytest.approx(expected_ns, rel=1e-6)
        assert split.fruitless_share == split.fruitless_ns / split.total_ns > 0


def test_a_thread_that_did_not_run_gets_no_new_row(record: Recorder) -> None:
    script = record.script("""
    import select, socket, sys, threading
    one, other = socket.socketpair()
    thread = threading.Thread(target=one.recv, args=(1,)); thread.start()
    while not select.select([sys.stdin], [], [], 0)[0]:
        other.setblocking(True)
    other.send(b"x"); thread.join()
    """)
    looks = ("SELECT t.name, count(*) AS looks, count(DISTINCT s.run_ns) AS steps FROM samples s "
             "JOIN threads t ON t.id = s.thread_id GROUP BY t.id")
    with record.running(script) as running:
        until(lambda: any(row["name"] == "MainThread" and row["looks"] >= 3 for row in running.rows(looks)), "three looks at one that runs")
        running.tell("enough\n")
        done = running.ended()
    rows = done.rows(looks)
    assert len(rows) == 2 and all(row["looks"] == row["steps"] for row in rows)


def test_what_is_gone_gives_no_sample() -> None:
    assert process_sample(2**22 + 1) is None
    assert thread_sample(2**22 + 1, 1) is None
    assert native_ids(2**22 + 1) == []


def test_our_own_process_can_be_looked_at() -> None:
    sample = process_sample(os.getpid())
    assert sample is not None and sample.run_ns and sample.rss_bytes and sample.children_ns is not None
    thread = thread_sample(os.getpid(), threading.get_native_id())
    assert thread is not None and thread.run_ns and thread.delay_ns is not None
    assert threading.get_native_id() in native_ids(os.getpid())
