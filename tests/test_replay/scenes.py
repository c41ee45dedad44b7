"""Recordings that the tests of the replay room share: the same lecture, blocking and nonblocking.

Three clients talk to an upper-casing echo server: `ada` says two things with a pause between, `ben`
one thing at once, `cyd` resets. The blocking server serves one connection after the other.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sockreel.tests.synthetic import MS, US, Recording, RunBuilder, S, Site

ACCEPT: Site = ("/home/ada/server.py", 12, "serve", "connection, peer = listener.accept()")
RECV: Site = ("/home/ada/server.py", 18, "serve", "data = connection.recv(1024)")
SEND: Site = ("/home/ada/server.py", 22, "serve", "connection.sendall(data.upper())")


def lecture(path: Path) -> Path:
    """Make a trace with both servers and return its path."""
    with Recording(path) as recording:
        blocking(recording)
        nonblocking(recording)
    return path


def _start(run: RunBuilder, nonblocking: bool) -> tuple[int, int]:
    thread = run.thread()
    listener = run.socket(3, "listener", local="127.0.0.1:8000", opened_ns=40 * MS)
    run.call(thread, "bind", listener, at_ns=41 * MS, peer="127.0.0.1:8000")
    run.call(thread, "listen", listener, at_ns=42 * MS, asked=5)
    if nonblocking:
        run.call(thread, "setblocking", listener, at_ns=43 * MS, asked=0)
    return thread, listener


def _connection(run: RunBuilder, listener: int, fd: int, port: int, opened_ns: int, closed_ns: int) -> int:
    return run.socket(fd, peer=f"127.0.0.1:{port}", local="127.0.0.1:8000", parent_id=listener, opened_ns=opened_ns,
                      closed_ns=closed_ns, closed_by="close")


def blocking(recording: Recording) -> None:
    """A blocking server: ben waits until ada has left, cyd until ben has."""
    run = recording.run("blocking")
    thread, listener = _start(run, nonblocking=False)
    ada = _connection(run, listener, 4, 50001, 100 * MS, 1500 * MS)
    ben = _connection(run, listener, 4, 50002, 1501 * MS, 1520 * MS)
    cyd = _connection(run, listener, 4, 50003, 1521 * MS, 1525 * MS)
    run.call(thread, "accept", listener, at_ns=50 * MS, duration_ns=50 * MS, result=ada, site=ACCEPT)
    first = run.call(thread, "recv", ada, at_ns=101 * MS, duration_ns=99 * MS, asked=1024, payload=b"hello", site=RECV)
    run.call(thread, "sendall", ada, at_ns=200 * MS + 20 * US, duration_ns=30 * US, asked=5, payload=b"HELLO", site=SEND)
    second = run.call(thread, "recv", ada, at_ns=201 * MS, duration_ns=1199 * MS, asked=1024, payload=b"\x1b[31mred\x07", site=RECV)
    run.call(thread, "sendall", ada, at_ns=1400 * MS + 20 * US, duration_ns=30 * US, asked=9, payload=b"\x1b[31MRED\x07", site=SEND)
    run.call(thread, "recv", ada, at_ns=1401 * MS, duration_ns=99 * MS, asked=1024, result=0, outcome="eof", site=RECV)
    run.call(thread, "close", ada, at_ns=1500 * MS)
    run.call(thread, "accept", listener, at_ns=1501 * MS, duration_ns=20 * US, result=ben, site=ACCEPT)
    third = run.call(thread, "recv", ben, at_ns=1502 * MS, duration_ns=15 * US, asked=1024, payload=b"quick", site=RECV)
    run.call(thread, "sendall", ben, at_ns=1502 * MS + 50 * US, duration_ns=30 * US, asked=5, payload=b"QUICK", site=SEND)
    run.call(thread, "recv", ben, at_ns=1503 * MS, duration_ns=16 * MS, asked=1024, result=0, outcome="eof", site=RECV)
    run.call(thread, "close", ben, at_ns=1520 * MS)
    run.call(thread, "accept", listener, at_ns=1521 * MS, duration_ns=20 * US, result=cyd, site=ACCEPT)
    run.call(thread, "recv", cyd, at_ns=1522 * MS, duration_ns=15 * US, outcome="reset", errno=104, asked=1024, site=RECV)
    run.call(thread, "close", cyd, at_ns=1525 * MS)
    run.call(thread, "accept", listener, at_ns=1526 * MS, duration_ns=None, site=ACCEPT)
    run.exchange("ada", 1, ada, local_port=50001, connected_ns=100 * MS, sent_ns=199 * MS, answered_ns=201 * MS, sent_bytes=5,
                 answered_bytes=5, first_call_id=first)
    run.exchange("ada", 2, ada, local_port=50001, connected_ns=100 * MS, sent_ns=1399 * MS, answered_ns=1401 * MS, sent_bytes=9,
                 answered_bytes=9, first_call_id=second)
    run.exchange("ben", 1, ben, local_port=50002, connected_ns=150 * MS, sent_ns=150 * MS, answered_ns=1503 * MS, sent_bytes=5,
                 answered_bytes=5, first_call_id=third)
    run.exchange("cyd", 1, cyd, local_port=50003, connected_ns=160 * MS, sent_ns=160 * MS, sent_bytes=3, result="reset")
    for at_ms, run_ms in ((10, 30), (1000, 41), (2000, 44)):
        run.sample(at_ms * MS, run_ms * MS)
    run.finish(2 * S, 130, "interrupt")


def nonblocking(recording: Recording) -> None:
    """A nonblocking server that polls the listener and its connections in turn."""
    run = recording.run("nonblocking")
    thread, listener = _start(run, nonblocking=True)
    ada = _connection(run, listener, 4, 50011, 110 * MS, 1500 * MS)
    ben = _connection(run, listener, 5, 50012, 160 * MS, 170 * MS)
    cyd = _connection(run, listener, 6, 50013, 180 * MS, 200 * MS)
    run.spin(thread, "accept", listener, at_ns=50 * MS, until_ns=110 * MS, every_ns=100 * US, duration_ns=60 * US, site=ACCEPT)
    run.call(thread, "accept", listener, at_ns=110 * MS, duration_ns=20 * US, result=ada, timeout_ns=0, site=ACCEPT)
    run.spin(thread, "recv", ada, at_ns=111 * MS, until_ns=160 * MS, every_ns=100 * US, duration_ns=60 * US, site=RECV)
    run.call(thread, "accept", listener, at_ns=160 * MS, duration_ns=20 * US, result=ben, timeout_ns=0, site=ACCEPT)
    third = run.call(thread, "recv", ben, at_ns=161 * MS, duration_ns=8 * US, asked=1024, payload=b"quick", timeout_ns=0, site=RECV)
    run.call(thread, "sendall", ben, at_ns=162 * MS, duration_ns=30 * US, asked=5, payload=b"QUICK", timeout_ns=0, site=SEND)
    run.call(thread, "recv", ben, at_ns=169 * MS, duration_ns=5 * US, outcome="eof", result=0, asked=1024, timeout_ns=0, site=RECV)
    run.call(thread, "close", ben, at_ns=170 * MS)
    run.call(thread, "accept", listener, at_ns=180 * MS, duration_ns=20 * US, result=cyd, timeout_ns=0, site=ACCEPT)
    run.call(thread, "recv", cyd, at_ns=199 * MS, duration_ns=5 * US, outcome="reset", errno=104, asked=1024, timeout_ns=0, site=RECV)
    run.call(thread, "close", cyd, at_ns=200 * MS)
    first = run.call(thread, "recv", ada, at_ns=210 * MS, duration_ns=8 * US, asked=1024, payload=b"hello", timeout_ns=0, site=RECV)
    run.call(thread, "sendall", ada, at_ns=211 * MS, duration_ns=30 * US, asked=5, payload=b"HELLO", timeout_ns=0, site=SEND)
    for at_ms in range(212, 1400):
        run.spin(thread, "accept", listener, at_ns=at_ms * MS, until_ns=at_ms * MS + 500 * US, every_ns=100 * US, duration_ns=60 * US,
                 site=ACCEPT)
        run.spin(thread, "recv", ada, at_ns=at_ms * MS + 500 * US, until_ns=(at_ms + 1) * MS, every_ns=100 * US, duration_ns=30 * US,
                 site=RECV)
    second = run.call(thread, "recv", ada, at_ns=1400 * MS, duration_ns=8 * US, asked=1024, payload=b"\x1b[31mred\x07", timeout_ns=0,
                      site=RECV)
    run.call(thread, "sendall", ada, at_ns=1401 * MS, duration_ns=30 * US, asked=9, payload=b"\x1b[31MRED\x07", timeout_ns=0,
             site=SEND)
    run.call(thread, "recv", ada, at_ns=1499 * MS, duration_ns=5 * US, outcome="eof", result=0, asked=1024, timeout_ns=0, site=RECV)
    run.call(thread, "close", ada, at_ns=1500 * MS)
    run.spin(thread, "accept", listener, at_ns=1501 * MS, until_ns=2000 * MS, every_ns=100 * US, duration_ns=60 * US, site=ACCEPT)
    run.exchange("ada", 1, ada, local_port=50011, connected_ns=109 * MS, sent_ns=209 * MS, answered_ns=211 * MS + 50 * US, sent_bytes=5,
                 answered_bytes=5, first_call_id=first)
    run.exchange("ada", 2, ada, local_port=50011, connected_ns=109 * MS, sent_ns=1399 * MS, answered_ns=1401 * MS + 40 * US,
                 sent_bytes=9, answered_bytes=9, first_call_id=second)
    run.exchange("ben", 1, ben, local_port=50012, connected_ns=159 * MS, sent_ns=159 * MS, answered_ns=162 * MS + 40 * US, sent_bytes=5,
                 answered_bytes=5, first_call_id=third)
    run.exchange("cyd", 1, cyd, local_port=50013, connected_ns=170 * MS, sent_ns=170 * MS, sent_bytes=3, result="reset")
    for at_ms, run_ms in ((10, 30), (1000, 950), (2000, 1900)):
        run.sample(at_ms * MS, run_ms * MS)
    run.finish(2 * S, 130, "interrupt")


def models(path: Path) -> Path:
    """Make a trace of six servers that all answer `ada` and `ben` once, each in its model's way, and return its path."""
    with Recording(path) as recording:
        for name, model in (("blocking", "blocking"), ("blocking_measured", "blocking"), ("select", "multiplexing"),
                            ("nonblocking", "nonblocking"), ("signal_driven", "signal-driven"), ("silent", "asynchronous")):
            run = recording.run(name, model=model)
            if name != "silent":
                _serve(run, name)
            run.sample(100 * MS, 20 * MS, voluntary_switches=4, involuntary_switches=1, rss_bytes=13_000_000)
            run.sample(S, 30 * MS, voluntary_switches=20, involuntary_switches=3, rss_bytes=14_000_000)
            run.sample(S, voluntary_switches=25, involuntary_switches=4)
            run.finish(S)
    return path


def _serve(run: RunBuilder, name: str) -> None:
    """Answer ada at 200 ms and ben at 400 ms, who has asked at 300 ms where the server blocks."""
    thread = run.thread()
    listener = run.socket(3, "listener", local="127.0.0.1:8000")
    run.call(thread, "listen", listener, at_ns=100 * MS, asked=5)
    for number, (client, at_ns) in enumerate((("ada", 200 * MS), ("ben", 400 * MS))):
        connection = _connection(run, listener, 4 + number, 50001 + number, at_ns - 90 * MS, at_ns + 60 * MS)
        begun_ns, ready_ns = at_ns - 80 * MS, at_ns - 20 * US
        if name.startswith("blocking"):
            known: dict[str, Any] = {"ready_ns": ready_ns, "ready_source": "kernel"} if name == "blocking_measured" else {}
            run.call(thread, "recv", connection, at_ns=begun_ns, duration_ns=80 * MS, result=5, site=RECV, **known)
        else:
            if name == "nonblocking":
                run.spin(thread, "recv", connection, at_ns=begun_ns, until_ns=at_ns - US, every_ns=100 * US)
            else:
                wait = "select" if name == "select" else "pause"
                run.call(thread, wait, at_ns=begun_ns, duration_ns=80 * MS, result=1, layer="wait")
            run.call(thread, "recv", connection, at_ns=at_ns, duration_ns=4 * US, result=5, timeout_ns=0)
        sent = run.call(thread, "sendall", connection, at_ns=at_ns + 10 * US, duration_ns=6 * US, result=5)
        asked_ns = 300 * MS if client == "ben" and name == "blocking" else ready_ns
        run.exchange(client, 1, connection, sent_ns=asked_ns, answered_ns=at_ns + 20 * US, sent_bytes=5, answered_bytes=5,
                     first_call_id=sent, last_call_id=sent)


def long(path: Path, calls: int) -> Path:
    """Make a trace of a run, `long`, of receives that each bring a byte, and return its path."""
    with Recording(path) as recording:
        run = recording.run("long")
        thread, client = run.thread(), run.socket(4)
        for n in range(calls):
            run.call(thread, "recv", client, at_ns=n * 10 * US, payload=b"x")
        run.finish(S)
    return path
