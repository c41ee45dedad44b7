"""Traces that many tests read, with the numbers that they must find in them.

Owns `write_lab`: a blocking and a nonblocking run with everything in it that a listing may have to show.
"""

from __future__ import annotations

import json
from pathlib import Path

from sockreel.tests.synthetic import MS, US, Recording, RunBuilder, S

SERVER = ("/home/ada/server.py", 12, "serve", "conn, peer = listener.accept()")
# What a hostile client may send: turns the terminal red, rings, writes backwards, and is no UTF-8.
HOSTILE = b"\x1b[31mred\x07\x9b2J\r\n\xe2\x80\xaegnp.exe\xff"
SPINNING = 1000
FOLDED = 5000


def write_lab(path: Path) -> Path:
    """Write a trace of two finished runs: `blocking` (id 1) and `nonblocking` (id 2)."""
    with Recording(path) as recording:
        _blocking(recording.run("blocking", command=json.dumps(["python", "my server.py", "127.0.0.1", "8000"])))
        _nonblocking(recording.run("nonblocking", exit_status=None))
    return path


def _blocking(run: RunBuilder) -> None:
    thread = run.thread("Main\x1bThread")
    listener = run.socket(3, "listener", local="127.0.0.1:8000")
    client = run.socket(4, local="127.0.0.1:8000", peer="127.0.0.1:50001", parent_id=listener, opened_ns=300 * MS, closed_ns=1960 * MS)
    run.call(thread, "accept", listener, at_ns=10 * MS, duration_ns=290 * MS, result=client, site=SERVER)
    run.call(thread, "recv", client, at_ns=500 * MS, duration_ns=1300 * MS, payload=HOSTILE, ready_ns=1700 * MS, ready_source="kernel")
    run.call(thread, "sendall", client, at_ns=1900 * MS, duration_ns=20 * US, result=len(HOSTILE))
    run.call(thread, "recv", client, at_ns=1950 * MS, duration_ns=20 * US, outcome="reset", errno=104)
    run.call(thread, "close", client, at_ns=1960 * MS, duration_ns=9 * US)
    run.call(thread, "accept", listener, at_ns=1970 * MS, duration_ns=None, site=SERVER)
    run.exchange("ada", 1, client, sent_ns=1690 * MS, answered_ns=1921 * MS, sent_bytes=25, answered_bytes=25, local_port=50001)
    run.sample(1 * S, 20 * MS, user_ns=10 * MS, system_ns=10 * MS, rss_bytes=9_000_000)
    run.sample(2 * S, 31 * MS, user_ns=10 * MS, system_ns=20 * MS, rss_bytes=12_345_678)
    run.finish(2 * S)


def _nonblocking(run: RunBuilder) -> None:
    thread = run.thread()
    listener = run.socket(3, "listener", local="127.0.0.1:8000")
    client = run.socket(4, local="127.0.0.1:8000", peer="127.0.0.1:50002", parent_id=listener, opened_ns=110 * MS)
    run.spin(thread, "accept", listener, at_ns=10 * MS, until_ns=(10 + SPINNING // 100) * MS, every_ns=10 * US, site=SERVER)
    run.fold(thread, 12 * MS, 18 * MS, (listener, "accept", FOLDED, FOLDED * 1 * US))
    run.call(thread, "accept", listener, at_ns=110 * MS, duration_ns=30 * US, result=client, timeout_ns=0)
    run.call(thread, "recv", client, at_ns=111 * MS, duration_ns=3 * US, outcome="would_block", errno=11, timeout_ns=0)
    run.call(thread, "recv", client, at_ns=120 * MS, duration_ns=5 * US, payload=b"hello\n", timeout_ns=0)
    run.call(thread, "send", client, at_ns=121 * MS, duration_ns=15 * US, result=6, timeout_ns=0)
    child = run.process(pid=4243, started_by="fork")
    run.call(run.thread("worker", child), "recv", client, at_ns=130 * MS, duration_ns=4 * US, outcome="eof", result=0, timeout_ns=0)
    run.process_id = child
    run.sample(1 * S, None, user_ns=500 * MS, system_ns=300 * MS)
    run.finish(1 * S, exit_status=137, ended_by="signal")
