"""io_uring: what a program asks of a ring is recorded, from the submission to the completion."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec

import pytest
from sockreel.recorder.models import SERVERS

from .recording import Recorder

# Works only where the kernel and the processor allow it: tried in a process of its own.
WORKS = "import liburing; r = liburing.io_uring(); liburing.io_uring_queue_init(2, r); liburing.io_uring_queue_exit(r)"

ECHO = """
import socket, subprocess, sys
import liburing as uring
listener = socket.create_server(("127.0.0.1", 0))
ring, cqe = uring.io_uring(), uring.io_uring_cqe()
uring.io_uring_queue_init(16, ring)
client = subprocess.Popen([sys.executable, "-I", "-c", f"import socket; s = socket.create_connection({listener.getsockname()!r}); "
                           "s.sendall(b'hello'); print(s.recv(100)); s.close()"])
def go(prep, *args):
    sqe = uring.io_uring_get_sqe(ring)
    prep(sqe, *args)
    sqe.user_data = 7
    uring.io_uring_submit(ring)
    uring.io_uring_wait_cqe(ring, cqe)
    result = cqe.res
    uring.io_uring_cqe_seen(ring, cqe)
    return result
fd = go(uring.io_uring_prep_accept, listener.fileno())
buffer = bytearray(100)
while (got := go(uring.io_uring_prep_recv, fd, buffer, 100)) > 0:
    assert go(uring.io_uring_prep_send, fd, bytes(buffer[:got]).upper(), got) == got
print("end", got, go(uring.io_uring_prep_recv, 999, buffer, 100), flush=True)
client.wait()
uring.io_uring_queue_exit(ring)
"""


def test_requests_through_liburing_are_calls_with_their_sockets_results_and_links(record: Recorder) -> None:
    if find_spec("liburing") is None or subprocess.run([sys.executable, "-c", WORKS], capture_output=True, timeout=60).returncode:
        pytest.skip("liburing is not installed, or does not work here")
    done = record(record.script(ECHO))
    assert done.status == 0 and "b'HELLO'" in done.out and "end 0 -9" in done.out, done
    requests = [call for call in done.calls() if call["operation"] in ("ring_accept", "ring_recv", "ring_send")]
    (accepted,) = done.rows("SELECT * FROM sockets WHERE role = 'accepted'")
    assert [(call["operation"], call["outcome"], call["result"], call["errno"]) for call in requests] == [
        ("ring_accept", "ok", accepted["id"], None), ("ring_recv", "ok", 5, None), ("ring_send", "ok", 5, None),
        ("ring_recv", "eof", 0, None), ("ring_recv", "error", None, 9)]  # fmt: skip
    (thread,) = done.rows("SELECT t.name FROM calls c JOIN threads t ON t.id = c.thread_id WHERE c.id = ?", requests[0]["id"])
    assert thread["name"].startswith("io_uring fd ")
    for kind, operation in (("submitted", "ring_submit"), ("completed", "ring_wait")):
        links = done.rows(
            "SELECT l.to_call_id AS id, o.name FROM links l JOIN calls c ON c.id = l.from_call_id"
            " JOIN operations o ON o.id = c.operation_id WHERE l.kind = ? ORDER BY 1", kind)  # fmt: skip
        assert [(link["id"], link["name"]) for link in links] == [(call["id"], operation) for call in requests]
    assert [row["data"] for row in done.rows("SELECT data FROM payloads ORDER BY call_id")] == [b"hello", b"HELLO"]


def test_the_ring_of_the_teaching_server_hides_nothing(record: Recorder) -> None:
    server = SERVERS["io_uring"].script
    if subprocess.run([sys.executable, str(server.parent / "ring.py")], capture_output=True, timeout=60).returncode:
        pytest.skip("no io_uring here")
    done = record(server, "127.0.0.1", "0", options=["--workload", "burst"])
    assert done.blind_spots == []
    assert {call["operation"] for call in done.calls()} >= {"ring_accept", "ring_recv", "ring_send", "ring_wait"}
    answered = done.rows("SELECT sum(answered_bytes) AS bytes FROM exchanges WHERE result = 'ok'")[0]["bytes"]
    assert answered and sum(call["result"] for call in done.calls(operation="ring_send", outcome="ok")) == answered
