"""How well the sources of ready times agree: by the kernel, by packets, by a recorded sender; figures to read are printed."""

from __future__ import annotations

import os
from statistics import median

import pytest

from .recording import Recorder

PROGRAM = """
    import socket, threading, time
    RECEIVES = 100

    def client(address):
        with socket.create_connection(address) as sock:
            for _ in range(RECEIVES):
                sock.recv(1)
                time.sleep(0.05)
                sock.sendall(b"x" * 100)

    def serve(sock):
        with sock:
            for _ in range(RECEIVES):
                sock.send(b"?")
                sock.recv(200)

    listener = socket.create_server(("127.0.0.1", 0))
    clients = [threading.Thread(target=client, args=(listener.getsockname(),)) for _ in range(10)]
    for thread in clients:
        thread.start()
    servers = [threading.Thread(target=serve, args=(listener.accept()[0],)) for _ in clients]
    for thread in servers:
        thread.start()
    for thread in clients + servers:
        thread.join()
"""


@pytest.mark.slow
def test_kernel_and_sender_tell_the_waits_of_a_thousand_receives(record: Recorder, capsys: pytest.CaptureFixture[str]) -> None:
    script = record.script(PROGRAM)
    kernel = record(script, options=["--kernel-times"])
    rows = kernel.rows("""
        SELECT p.wait_ns, p.ready_ns, s.started_ns AS sent_ns, s.duration_ns AS sent_in_ns FROM phases p
        JOIN links l ON l.to_call_id = p.call_id AND l.kind = 'sent' JOIN calls s ON s.id = l.from_call_id
        JOIN calls c ON c.id = p.call_id WHERE c.result = 100 AND p.ready_source = 'kernel'""")
    by_sender = record(script).rows(
        "SELECT p.wait_ns FROM phases p JOIN calls c ON c.id = p.call_id WHERE c.result = 100 AND p.ready_source = 'sender'")
    assert len(rows) == 1000 and len(by_sender) > 900  # a sender that was held up tells no moment
    assert all(row["ready_ns"] >= row["sent_ns"] for row in rows)
    waits = median(row["wait_ns"] for row in rows), median(row["wait_ns"] for row in by_sender)
    behind = median(row["ready_ns"] - row["sent_ns"] for row in rows)
    with capsys.disabled():
        print(f"\n1,000 receives of 50 ms: median wait {waits[0] / 1e6:.3f} ms by the kernel,"
              f" {waits[1] / 1e6:.3f} ms by the sender; by the kernel it was there {behind / 1e3:.1f} us behind its send began")


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="only root may capture here")
def test_packets_and_the_kernel_and_the_sender_tell_the_same_moment(record: Recorder, capsys: pytest.CaptureFixture[str]) -> None:
    script = record.script(PROGRAM)
    rows = record(script, options=["--kernel-times", "--packets"]).rows("""
        SELECT c.ready_ns, c.started_ns, s.started_ns AS sent_ns, s.started_ns + s.duration_ns AS handed_ns,
          (SELECT min(p.at_ns) FROM carried k JOIN packets p ON p.id = k.packet_id WHERE k.call_id = c.id) AS packet_ns
        FROM calls c JOIN links l ON l.to_call_id = c.id AND l.kind = 'sent' JOIN calls s ON s.id = l.from_call_id
        WHERE c.result = 100 AND c.ready_source = 'kernel'""")
    known = [row for row in rows if row["packet_ns"] is not None]
    assert len(rows) == 1000 and len(known) > 950
    apart = median(abs(row["ready_ns"] - row["packet_ns"]) for row in known)
    # On the loopback interface a packet arrives while its sender is in the call: that brackets the moment.
    outside = median(max(row["sent_ns"] - row["ready_ns"], row["ready_ns"] - row["handed_ns"], 0) for row in rows)
    waits = [median(row[name] - row["started_ns"] for row in known) for name in ("ready_ns", "packet_ns", "sent_ns")]
    assert max(apart, outside, max(waits) - min(waits)) < 200_000  # clocks are joined that well, however busy the machine is
    with capsys.disabled():
        print(f"\n1,000 receives of 50 ms: median wait {waits[0] / 1e6:.3f} ms by the kernel, {waits[1] / 1e6:.3f} ms by packets,"
              f" {waits[2] / 1e6:.3f} ms by the sender; kernel and packets {apart / 1e3:.1f} us apart")
