"""Packets that are captured while a program runs: which they are, and which calls they belong to."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from sockreel.recorder.capture.blocks import spooled_frames
from sockreel.recorder.capture.capturing import Capture
from sockreel.recorder.capture.wire import address_text, parse_ip
from sockreel.tests.test_recorder.packets import may_capture, may_isolate, packet_options
from sockreel.tests.test_recorder.recording import PATIENCE_S, SOCKREEL, Recorder, environment, query, until

TALK = """
    import socket
    listener = socket.create_server(("127.0.0.1", 0))
    client = socket.create_connection(listener.getsockname())
    server, _ = listener.accept()
    client.sendall(b"a" * 1000)
    for size in (300, 300, 400):
        assert len(server.recv(size, socket.MSG_WAITALL)) == size
    for piece in (b"one", b"two", b"three"):
        server.send(piece)
    assert client.recv(11, socket.MSG_WAITALL) == b"onetwothree"
    client.close()
    assert server.recv(10) == b""
    server.close()
"""
CARRIED = """
    SELECT o.name AS operation, c.result, p.payload_bytes, p.flags FROM carried b
    JOIN packets p ON p.id = b.packet_id JOIN calls c ON c.id = b.call_id JOIN operations o ON o.id = c.operation_id
    ORDER BY p.id, c.started_ns
"""
needs_capture = pytest.mark.skipif(not may_capture(), reason="packet sockets are not allowed here")


def test_segments_of_one_recv_and_recvs_of_one_segment_are_told(record: Recorder) -> None:
    recorded = record(record.script(TALK), options=packet_options())
    assert recorded.status == 0, recorded
    rows = [(row["operation"], row["result"], row["payload_bytes"]) for row in recorded.rows(CARRIED) if row["payload_bytes"]]
    assert rows == [
        ("sendall", 1000, 1000), ("recv", 300, 1000), ("recv", 300, 1000), ("recv", 400, 1000),
        ("send", 3, 3), ("recv", 11, 3), ("send", 3, 3), ("recv", 11, 3), ("send", 5, 5), ("recv", 11, 5),
    ]  # fmt: skip


def test_every_packet_is_there_once_and_is_counted(record: Recorder) -> None:
    recorded = record(record.script(TALK), options=packet_options())
    flags = [row["flags"] for row in recorded.rows("SELECT flags FROM packets ORDER BY id")]
    assert flags[:3] == ["S", "SA", "A"]
    assert sum("F" in one for one in flags) == 2
    run = recorded.run
    assert (run["packets_captured"], run["packets_lost"]) == (len(flags), 0)
    assert f"{len(flags):,} packets (none lost)" in recorded.err
    assert not list(record.folder.glob("*-packets-*"))


def test_ready_times_lie_before_the_return_and_after_the_send(record: Recorder) -> None:
    recorded = record(record.script(TALK), options=packet_options())
    rows = recorded.rows("""
        SELECT o.name, c.started_ns, c.started_ns + c.duration_ns AS ended_ns, c.ready_ns, c.ready_source
        FROM calls c JOIN operations o ON o.id = c.operation_id ORDER BY c.id
    """)
    sent_ns = next(row["started_ns"] for row in rows if row["name"] == "sendall")
    ready = [row for row in rows if row["ready_source"] == "packet"]
    assert [row["name"] for row in ready] == ["connect", "accept", "recv", "recv", "recv", "recv", "recv"]
    assert all(row["ready_ns"] <= row["ended_ns"] for row in ready)
    assert {row["ready_ns"] > sent_ns for row in ready[2:]} == {True}
    assert len({row["ready_ns"] for row in ready[2:5]}) == 1


def test_what_other_programs_say_is_not_kept(record: Recorder) -> None:
    program = """
        import socket, sys
        listener = socket.create_server(("127.0.0.1", 0))
        print(listener.getsockname()[1], flush=True)
        sys.stdin.readline()
    """
    if not may_capture():
        pytest.skip("packet sockets are not allowed here")
    with record.running(record.script(program), options=["--packets"]) as running:
        assert running.line()
        with socket.create_server(("127.0.0.1", 0)) as other, socket.create_connection(other.getsockname()) as client:
            client.sendall(b"none of its business")
            peer, _ = other.accept()
            assert peer.recv(100)
            peer.close()
        running.tell("\n")
        recorded = running.ended()
    assert recorded.run["packets_captured"] == 0


def test_datagrams_find_their_calls_even_of_a_socket_that_was_never_bound(record: Recorder) -> None:
    recorded = record(record.script("""
        import socket
        server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        server.bind(("127.0.0.1", 0))
        client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        client.sendto(b"ping", server.getsockname())
        data, peer = server.recvfrom(100)
        server.sendto(data + b"!", peer)
        assert client.recv(100) == b"ping!"
    """), options=packet_options())  # fmt: skip
    rows = [(row["operation"], row["payload_bytes"]) for row in recorded.rows(CARRIED)]
    assert rows == [("sendto", 4), ("recvfrom", 4), ("sendto", 5), ("recv", 5)]


def test_without_payloads_packets_hold_none_either(record: Recorder) -> None:
    script = record.script(TALK)
    whole = record(script, options=packet_options())
    assert b"aaaa" in b"".join(row["frame"] for row in whole.rows("SELECT frame FROM packets"))
    without = record(script, options=[*packet_options(), "--payload", "0"])
    frames = b"".join(row["frame"] for row in without.rows("SELECT frame FROM packets"))
    assert frames and b"aaaa" not in frames and b"three" not in frames
    assert b"aaaa" not in without.path.read_bytes()


def test_ipv6_and_a_child_that_inherits_its_connection(record: Recorder) -> None:
    recorded = record(record.script("""
        import os, socket
        listener = socket.create_server(("::1", 0), family=socket.AF_INET6)
        client = socket.create_connection(listener.getsockname()[:2])
        server, _ = listener.accept()
        pid = os.fork()
        if not pid:
            server.sendall(server.recv(100).upper())
            os._exit(0)
        server.close()
        client.sendall(b"hello")
        assert client.recv(100) == b"HELLO"
        os.waitpid(pid, 0)
    """), options=packet_options())  # fmt: skip
    rows = [(row["operation"], row["result"]) for row in recorded.rows(CARRIED) if row["payload_bytes"]]
    assert [sorted(rows[:2]), sorted(rows[2:])] == [[("recv", 5), ("sendall", 5)]] * 2
    assert all(row["source"].startswith("[::1]:") for row in recorded.rows("SELECT source FROM packets"))


@needs_capture
def test_an_overrun_is_counted(tmp_path: Path) -> None:
    capture = Capture(tmp_path / "spool", 1000, ring_bytes=1 << 17)
    os.kill(capture.pid, signal.SIGSTOP)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mute, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        mute.bind(("127.0.0.1", 0))
        for _ in range(2000):
            sender.sendto(bytes(1000), mute.getsockname())
        name = f"127.0.0.1:{mute.getsockname()[1]}"
    os.kill(capture.pid, signal.SIGCONT)
    counts = capture.stop()
    segments = [parse_ip(frame.data, frame.length) for frame in spooled_frames(capture.spool)]
    kept = [segment for segment in segments if segment is not None and address_text(segment.destination) == name]
    capture.remove()
    assert 0 < len(kept) < 2000
    assert counts.lost >= 2000 - len(kept)


@needs_capture
def test_a_spool_that_may_not_grow_is_an_overrun_too(tmp_path: Path) -> None:
    capture = Capture(tmp_path / "spool", 1000, most_bytes=20_000)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mute, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        mute.bind(("127.0.0.1", 0))
        for _ in range(200):
            sender.sendto(bytes(1000), mute.getsockname())
    counts = capture.stop()
    kept = sum(1 for _ in spooled_frames(capture.spool))
    capture.remove()
    assert counts.error is None
    assert counts.lost + kept >= 200
    assert counts.lost > 0


def test_a_recorder_that_is_killed_leaves_packets_to_recover(record: Recorder) -> None:
    if not may_capture():
        pytest.skip("packet sockets are not allowed here")
    program = """
        import socket, sys
        listener = socket.create_server(("127.0.0.1", 0))
        client = socket.create_connection(listener.getsockname())
        server, _ = listener.accept()
        client.sendall(b"hello")
        assert server.recv(100) == b"hello"
        print("said", flush=True)
        sys.stdin.readline()
    """
    with record.running(record.script(program), options=["--packets"]) as running:
        assert running.line() == "said"
        spool = until(lambda: next(record.folder.glob("*-packets-*"), None), "the spool")
        until(lambda: spool.stat().st_size > 0, "packets in it")
        running.process.kill()
        running.process.wait()
        running.tell("\n")
        until(lambda: b"hello" in spool.read_bytes(), "the packet that carried it")
        done = subprocess.run([*SOCKREEL, "recover", str(running.path)], capture_output=True, text=True, timeout=PATIENCE_S)
        assert done.returncode == 0, done.stderr
        assert running.rows("SELECT packets_captured > 0 AS some, packets_lost FROM runs") == [{"some": 1, "packets_lost": None}]
        carried = [row for row in running.rows(CARRIED) if row["payload_bytes"]]
        assert [row["operation"] for row in carried] == ["sendall", "recv"]
        assert not spool.exists()


def test_isolated_programs_have_a_network_to_themselves_and_no_capabilities(record: Recorder) -> None:
    if not may_isolate():
        pytest.skip("namespaces are not allowed here")
    script = record.script("""
        import os, socket
        print(os.getuid(), [name for _, name in socket.if_nameindex()])
        print(next(line for line in open("/proc/self/status") if line.startswith("CapEff")).split()[1])
        listener = socket.create_server(("127.0.0.1", 0))
    """)
    recorded = record(script, options=["--isolate"])
    assert recorded.status == 0, recorded
    assert recorded.out.splitlines()[0].startswith(f"{os.getuid()} ['lo'")
    assert "nsenter -t " in recorded.err
    if os.getuid():
        assert int(recorded.out.splitlines()[1], 16) == 0


def _as_nobody(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run sockreel as an ordinary user, with an interpreter that such a user may run."""
    python = next((path for path in ("/usr/bin/python3", "/usr/local/bin/python3") if _is_ours(path)), None)
    if os.getuid() or shutil.which("setpriv") is None or python is None:
        pytest.skip("needs root to become somebody else, setpriv, and a Python like ours that anybody may run")
    packages = next(path for path in sys.path if path.endswith("site-packages"))
    env = environment({"PYTHONPATH": packages, "HOME": str(folder), "PATH": "/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE": "1"})
    command = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "env", python, "-m", "sockreel", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, env=env, cwd=folder, timeout=PATIENCE_S, stdin=subprocess.DEVNULL)
    if "No module named" in done.stderr or "Permission denied" in done.stderr:
        pytest.skip(f"an ordinary user cannot run sockreel from here: {done.stderr.splitlines()[-1]}")
    return done


def _is_ours(path: str) -> bool:
    ask = "import sys; print(*sys.version_info[:2])"
    if not os.path.exists(path):
        return False
    said = subprocess.run([path, "-c", ask], capture_output=True, text=True, timeout=PATIENCE_S).stdout
    return said.split() == [str(number) for number in sys.version_info[:2]]


@pytest.fixture
def public_folder() -> Path:
    """A folder that an ordinary user may write to."""
    import tempfile

    folder = Path(tempfile.mkdtemp(prefix="sockreel-test-"))
    folder.chmod(0o777)
    return folder


def test_an_ordinary_user_is_told_of_isolation_and_captures_with_it(public_folder: Path, record: Recorder) -> None:
    script = public_folder / "talk.py"
    script.write_text(record.script(TALK).read_text() + "\nimport os\nprint(os.getuid(), open('/proc/self/status').read())\n")
    try:
        bare = _as_nobody(public_folder, "record", "-o", "t.db", "--python", "/usr/bin/python3", "--packets", "talk.py")
        assert bare.returncode == 125
        assert "--isolate" in bare.stderr.splitlines()[-1]
        assert not (public_folder / "t.db").exists()
        done = _as_nobody(public_folder, "record", "-o", "t.db", "--python", "/usr/bin/python3", "--packets", "--isolate", "talk.py")
        if "forbids" in done.stderr:
            assert done.returncode == 125
            assert done.stderr.count("\n") == 1
            pytest.skip(done.stderr)
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith("65534 ")
        assert "CapEff:\t0000000000000000" in done.stdout
        assert " packets (none lost)" in done.stderr
    finally:
        shutil.rmtree(public_folder)


def test_show_says_how_many_packets_there_are_and_how_many_were_lost(record: Recorder) -> None:
    recorded = record(record.script(TALK), options=packet_options())
    count = recorded.run["packets_captured"]

    def shown() -> str:
        command = [*SOCKREEL, "show", str(recorded.path)]
        return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=True).stdout

    assert f"none lost, {count} packets," in " ".join(shown().split())
    for lost, words in ((3, "(3 LOST)"), (None, "(how many were lost is not known)")):
        with contextlib.closing(sqlite3.connect(recorded.path)) as trace, trace:
            trace.execute("UPDATE runs SET packets_lost = ?", [lost])
        assert f"{count} packets {words}" in " ".join(shown().split())


def test_the_capture_of_a_lab_is_joined_run_by_run(record: Recorder) -> None:
    path = record.folder / "lab.db"
    options = ["--models", "blocking,epoll_level", "--workload", "burst", "-q", "-o", str(path)]
    done = subprocess.run([*SOCKREEL, "lab", *options, *packet_options()], capture_output=True, text=True, timeout=PATIENCE_S * 3)
    assert done.returncode == 0, done.stderr
    rows = query(path, """
        SELECT r.packets_captured = (SELECT count(*) FROM packets WHERE run_id = r.id) AS counted, r.packets_lost AS lost,
          (SELECT count(*) FROM calls WHERE run_id = r.id AND ready_source = 'packet') > 20 AS timed,
          (SELECT count(*) FROM carried b JOIN packets p ON p.id = b.packet_id JOIN calls c ON c.id = b.call_id
           WHERE p.run_id = r.id AND c.run_id <> p.run_id) AS crossed
        FROM runs r
    """)  # fmt: skip
    assert rows == [{"counted": 1, "lost": 0, "timed": 1, "crossed": 0}] * 2


def test_where_namespaces_are_forbidden_one_line_says_what_to_do(record: Recorder) -> None:
    unshare = shutil.which("unshare")
    forbid = "echo 0 > /proc/sys/user/max_user_namespaces && echo 0 > /proc/sys/user/max_net_namespaces"
    script = record.script("raise SystemExit('it must not run')")
    inner = f'{forbid} || exit 77; exec "$@"'
    command = [*SOCKREEL, "record", "--isolate", "-o", str(record.folder / "t.db"), str(script)]
    if unshare is None or not may_isolate():
        pytest.skip("needs unshare, and namespaces in which they can be forbidden")
    done = subprocess.run([unshare, "-Ur", "sh", "-c", inner, "sh", *command], capture_output=True, text=True, timeout=PATIENCE_S)
    if done.returncode == 77:
        pytest.skip(f"namespaces cannot be forbidden here: {done.stderr}")
    assert done.returncode == 125, done
    assert done.stderr.count("\n") == 1
    assert "sudo sysctl user.max_user_namespaces" in done.stderr
    assert not (record.folder / "t.db").exists()
