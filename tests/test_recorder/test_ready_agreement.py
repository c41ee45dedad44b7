"""How well the sources of ready times agree: figures to read, printed; what is asserted is that they are of the same receives."""

from __future__ import annotations

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
