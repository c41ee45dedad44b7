"""Runs of each I/O model in which everything about one receive is known: material for figures.

`ada` says hello; when her data was ready is known by the kernel's stamp, by packets, by a recorded sender, or not at all.
"""

from __future__ import annotations

from pathlib import Path

from sockreel.tests.synthetic import MS, US, Recording, RunBuilder, Site

RECV: Site = ("/home/ada/server.py", 18, "serve", "data = connection.recv(1024)")
READY_NS = 160 * MS
HELLO = b"hello\n"
MODELS = ("blocking", "nonblocking", "multiplexing", "signal-driven", "asynchronous")


def models(path: Path) -> Path:
    """Make a trace with one run of each model, ready times known; and `unmeasured`, a blocking one, where it is not."""
    with Recording(path) as recording:
        blocking(recording.run("blocking"), source="kernel")
        nonblocking(recording.run("nonblocking"))
        multiplexing(recording.run("multiplexing"))
        signal_driven(recording.run("signal-driven"))
        asynchronous(recording.run("asynchronous"))
        blocking(recording.run("unmeasured"), source=None)
    return path


def _connection(run: RunBuilder) -> tuple[int, int]:
    listener = run.socket(3, "listener", local="127.0.0.1:8000")
    return run.thread(), run.socket(4, local="127.0.0.1:8000", peer="127.0.0.1:50001", parent_id=listener, opened_ns=50 * MS)


def blocking(run: RunBuilder, source: str | None) -> int:
    """One recv from 100 ms to 160.08 ms, and a longer one that got nothing."""
    thread, ada = _connection(run)
    ready_ns = READY_NS if source else None
    call = run.call(thread, "recv", ada, at_ns=100 * MS, duration_ns=60 * MS + 80 * US, asked=1024, payload=HELLO, site=RECV,
                    ready_ns=ready_ns, ready_source=source)
    sent = run.call(thread, "send", ada, at_ns=161 * MS, duration_ns=9 * US, result=6)
    run.call(thread, "recv", ada, at_ns=162 * MS, duration_ns=90 * MS, outcome="eof", result=0, asked=1024, site=RECV)
    run.exchange("ada", 1, ada, local_port=50001, sent_ns=READY_NS - 30 * US, answered_ns=162 * MS, sent_bytes=6, answered_bytes=6,
                 first_call_id=call, last_call_id=sent)
    run.finish(300 * MS)
    return call


def nonblocking(run: RunBuilder) -> int:
    """Polls from 100 ms on, most of them folded; two segments that were captured, and read in one call."""
    thread, ada = _connection(run)
    run.spin(thread, "recv", ada, at_ns=100 * MS, until_ns=102 * MS, every_ns=100 * US, site=RECV)
    run.fold(thread, 102 * MS, 158 * MS, (ada, "recv", 5600, 5600 * 3 * US), (None, "accept", 5600, 5600 * 2 * US))
    run.spin(thread, "recv", ada, at_ns=158 * MS, until_ns=160 * MS, every_ns=100 * US, site=RECV)
    call = run.call(thread, "recv", ada, at_ns=READY_NS + 40 * US, duration_ns=7 * US, asked=1024, payload=HELLO, timeout_ns=0, site=RECV,
                    ready_ns=READY_NS, ready_source="packet")
    for at_ns, seq, size in ((READY_NS, 1, 4), (READY_NS + 10 * US, 5, 2), (READY_NS + 12 * US, 5, 2), (READY_NS + 90 * MS, 7, 100)):
        run.recording.insert("packets", run_id=run.id, at_ns=at_ns, source="127.0.0.1:50001", destination="127.0.0.1:8000", seq=seq, ack=1,
                             flags="PA", payload_bytes=size, socket_id=ada, frame=b"")
    run.finish(300 * MS)
    return call


def multiplexing(run: RunBuilder) -> int:
    """A wait from 100 ms on that reports two sockets; ada is served second, her peer was recorded, too."""
    thread, ada = _connection(run)
    other = run.socket(5, peer="127.0.0.1:50002", opened_ns=60 * MS)
    peer = run.socket(6, "connected", local="127.0.0.1:50001", peer="127.0.0.1:8000")
    wait = run.call(thread, "select", at_ns=100 * MS, duration_ns=60 * MS + 70 * US, result=2)
    sent = run.call(run.thread("client"), "send", peer, at_ns=READY_NS - 12 * US, duration_ns=12 * US, result=6)
    run.call(thread, "recv", other, at_ns=160 * MS + 80 * US, duration_ns=4 * US, asked=1024, result=9, timeout_ns=0)
    call = run.call(thread, "recv", ada, at_ns=160 * MS + 95 * US, duration_ns=6 * US, asked=1024, payload=HELLO, timeout_ns=0, site=RECV,
                    ready_ns=READY_NS, ready_source="sender")
    run.recording.insert("links", from_call_id=wait, to_call_id=call, kind="readiness")
    run.recording.insert("links", from_call_id=sent, to_call_id=call, kind="sent")
    run.finish(300 * MS)
    return call


def signal_driven(run: RunBuilder) -> int:
    """Armed at 51 ms, a pause from 100 ms on, and a handler that reads."""
    thread, ada = _connection(run)
    run.call(thread, "fcntl", ada, at_ns=51 * MS, duration_ns=5 * US, flags=4, asked=0o24000, timeout_ns=0)
    pause = run.call(thread, "pause", at_ns=100 * MS, duration_ns=60 * MS + 300 * US)
    run.recording.insert("signals", run_id=run.id, thread_id=thread, signal="SIGIO", via="handler", started_ns=READY_NS + 60 * US,
                         ended_ns=READY_NS + 250 * US, during_call_id=pause, socket_id=ada)
    call = run.call(thread, "recv", ada, at_ns=READY_NS + 90 * US, duration_ns=6 * US, asked=1024, payload=HELLO, timeout_ns=0, site=RECV,
                    parent_id=pause, ready_ns=READY_NS, ready_source="kernel")
    run.finish(300 * MS)
    return call


def asynchronous(run: RunBuilder) -> int:
    """A request handed in at 100 ms, taken back by the wait that handed it in."""
    thread, ada = _connection(run)
    ring = run.socket(7, "poller", kind="ring")
    wait = run.call(thread, "ring_wait", ring, at_ns=100 * MS - 10 * US, duration_ns=60 * MS + 120 * US, result=1)
    thread = run.thread("io_uring fd 7")
    call = run.call(thread, "ring_recv", ada, at_ns=100 * MS, duration_ns=60 * MS + 100 * US, asked=1024, payload=HELLO,
                    timeout_ns=0, site=RECV, ready_ns=READY_NS, ready_source="kernel")
    for kind in ("submitted", "completed"):
        run.recording.insert("links", from_call_id=wait, to_call_id=call, kind=kind)
    run.finish(300 * MS)
    return call
