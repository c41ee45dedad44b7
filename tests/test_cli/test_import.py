"""`sockreel import`: captures made elsewhere, and what hostile ones come to."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import struct
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sockreel.recorder.capture.capture_file import CaptureFile, CaptureFileError
from sockreel.recorder.capture.frames import Frame
from sockreel.recorder.capture.making import make_tcp
from sockreel.recorder.capture.wire import ACK, FIN, PSH, SYN, packed_address
from sockreel.tests.commandline import CommandLine
from sockreel.tests.synthetic import MS, US, Recording
from sockreel.tests.test_recorder.packets import may_capture
from sockreel.tests.test_recorder.recording import PATIENCE_S, Recorder, query, until

SERVER, CLIENT = "127.0.0.1:8000", "127.0.0.1:40000"
START_NS = 1_700_000_000_000_000_000
Sent = tuple[int, bytes]  # when, in the run's time, and the packet from its IP header on


def _trace(path: Path) -> Path:
    """One connection on which 5 bytes came in two reads, and 3 went."""
    with Recording(path) as recording:
        run = recording.run("talk", packets_captured=None)
        thread = run.thread("MainThread")
        listener = run.socket(3, role="listener", local=SERVER)
        server = run.socket(4, local=SERVER, peer=CLIENT, parent_id=listener, opened_ns=1 * MS)
        run.call(thread, "accept", listener, at_ns=1 * MS, duration_ns=10 * US, result=server, layer="socket")
        run.call(thread, "recv", server, at_ns=2 * MS, duration_ns=2 * MS, result=2, layer="socket")
        run.call(thread, "recv", server, at_ns=5 * MS, duration_ns=10 * US, result=3, layer="socket")
        run.call(thread, "send", server, at_ns=6 * MS, duration_ns=10 * US, result=3, layer="socket")
        run.call(thread, "recv", server, at_ns=7 * MS, duration_ns=1 * MS, result=0, outcome="eof", layer="socket")
        recording.insert("clocks", run_id=run.id, at_ns=0, monotonic_ns=5, realtime_ns=START_NS)
        run.finish(10 * MS)
    return path


def _conversation() -> list[Sent]:
    server, client = packed_address(SERVER), packed_address(CLIENT)
    assert server and client
    told = [
        (500 * US, client, server, 99, 0, SYN, b""), (510 * US, server, client, 499, 100, SYN | ACK, b""),
        (520 * US, client, server, 100, 500, ACK, b""), (3 * MS, client, server, 100, 500, ACK | PSH, b"hello"),
        (6 * MS + 5 * US, server, client, 500, 105, ACK | PSH, b"bye"), (7 * MS + 500 * US, client, server, 105, 503, ACK | FIN, b""),
    ]  # fmt: skip
    return [(at_ns, make_tcp(source, to, seq, ack, flags, data, len(data))[0]) for at_ns, source, to, seq, ack, flags, data in told]


def _pcap(link: int, prefix: bytes, order: str = "<", nano: bool = True, packets: list[Sent] | None = None) -> bytes:
    magic = 0xA1B23C4D if nano else 0xA1B2C3D4
    out = [struct.pack(f"{order}IHHiIII", magic, 2, 4, 0, 0, 262144, link)]
    for at_ns, packet in packets if packets is not None else _conversation():
        seconds, rest = divmod(START_NS + at_ns, 1_000_000_000)
        size = len(prefix) + len(packet)
        out.append(struct.pack(f"{order}IIII", seconds, rest if nano else rest // 1000, size, size) + prefix + packet)
    return b"".join(out)


def _pcapng(order: str, resolution: int, units: int, offset_s: int = 0) -> bytes:
    def block(kind: int, body: bytes) -> bytes:
        return struct.pack(f"{order}II", kind, len(body) + 12) + body + struct.pack(f"{order}I", len(body) + 12)

    options = struct.pack(f"{order}HHBxxxHHqHH", 9, 1, resolution, 14, 8, offset_s, 0, 0)
    out = [block(0x0A0D0D0A, struct.pack(f"{order}IHHq", 0x1A2B3C4D, 1, 0, -1)), block(1, struct.pack(f"{order}HHI", 101, 0, 0) + options)]
    for at_ns, packet in _conversation():
        time = (START_NS + at_ns - offset_s * 1_000_000_000) * units // 1_000_000_000
        head = struct.pack(f"{order}IIIII", 0, time >> 32, time & 0xFFFFFFFF, len(packet), len(packet))
        out.append(block(6, head + packet + bytes(-len(packet) % 4)))
        out.append(block(99, b"junk"))
    return b"".join(out)


ETHERNET = bytes(12) + b"\x08\0"
CAPTURES = {
    "Ethernet": _pcap(1, ETHERNET),
    "Ethernet, microseconds": _pcap(1, ETHERNET, nano=False),
    "Ethernet, the other byte order": _pcap(1, ETHERNET, order=">"),
    "VLAN": _pcap(1, bytes(12) + b"\x81\0\0\x07\x08\0"),
    "SLL": _pcap(113, b"\0\0\x03\x04\0\x06" + bytes(8) + b"\x08\0"),
    "SLL2": _pcap(276, b"\x08\0\0\0\0\0\0\1\x03\x04\0\x06" + bytes(8)),
    "raw IP": _pcap(101, b""),
    "null": _pcap(0, struct.pack("<I", 2)),
    "loop": _pcap(108, struct.pack(">I", 2)),
    "pcapng, nanoseconds": _pcapng("<", 9, 10**9),
    "pcapng, microseconds": _pcapng(">", 6, 10**6),
    "pcapng, parts of two": _pcapng("<", 0x80 | 30, 2**30, offset_s=-3600),
}


@pytest.mark.parametrize("kind", CAPTURES)
def test_every_kind_of_capture_joins_the_calls(kind: str, tmp_path: Path, sockreel: CommandLine) -> None:
    trace, capture = _trace(tmp_path / "t.db"), tmp_path / "c.pcap"
    capture.write_bytes(CAPTURES[kind])
    said = sockreel("import", capture, "--into", trace, "--json").json
    assert (said["kept"], said["calls_read"], said["calls_sent"], said["calls_timed"], said["streams_given_up"]) == (6, 2, 1, 4, 0)
    ready = [row["ready_ns"] for row in query(trace, "SELECT ready_ns FROM calls WHERE ready_source = 'packet' ORDER BY id")]
    # Kinds that tell time in coarser steps.
    assert [round(at_ns / US) for at_ns in ready] == [520, 3000, 3000, 7500]
    assert query(trace, "SELECT packets_captured, packets_lost FROM runs") == [{"packets_captured": 6, "packets_lost": None}]
    assert sockreel("check", trace).status == 0


def test_a_second_import_is_refused_or_replaces(tmp_path: Path, sockreel: CommandLine) -> None:
    trace, capture = _trace(tmp_path / "t.db"), tmp_path / "c.pcap"
    capture.write_bytes(CAPTURES["raw IP"])
    assert sockreel("import", capture, "--into", trace).status == 0
    assert "--force" in sockreel("import", capture, "--into", trace).failure
    capture.write_bytes(_pcap(101, b"", packets=_conversation()[:3]))
    assert sockreel("import", capture, "--into", trace, "--force").status == 0
    assert query(trace, "SELECT count(*) AS n FROM packets") == [{"n": 3}]
    assert query(trace, "SELECT count(*) AS n FROM calls WHERE ready_ns IS NOT NULL") == [{"n": 1}]


def test_copies_on_loopback_are_taken_once(tmp_path: Path, sockreel: CommandLine) -> None:
    trace, capture = _trace(tmp_path / "t.db"), tmp_path / "c.pcap"
    sent, came = (b"\0" + kind + b"\x03\x04\0\x06" + bytes(8) + b"\x08\0" for kind in (b"\4", b"\0"))
    twice = [(at_ns, prefix + packet) for at_ns, packet in _conversation() for prefix in (sent, came)]
    capture.write_bytes(_pcap(113, b"", packets=twice))
    said = sockreel("import", capture, "--into", trace, "--json").json
    assert (said["packets"], said["kept"], said["twice"]) == (12, 6, 6)


def test_a_capture_that_is_cut_short_gives_what_is_there(tmp_path: Path, sockreel: CommandLine) -> None:
    for kind in ("raw IP", "pcapng, nanoseconds"):
        trace, capture = _trace(tmp_path / f"{len(kind)}.db"), tmp_path / "c.pcap"
        capture.write_bytes(CAPTURES[kind][:-30])
        said = sockreel("import", capture, "--into", trace)
        assert said.status == 0
        assert "cut short" in said.err
        assert said.out.startswith("5 of 5 packets")


def test_what_is_no_capture_or_does_not_fit_is_one_line_and_changes_nothing(tmp_path: Path, sockreel: CommandLine) -> None:
    trace, capture = _trace(tmp_path / "t.db"), tmp_path / "c.pcap"
    before = query(trace, "SELECT * FROM calls")
    late = [(at_ns + 10**15, packet) for at_ns, packet in _conversation()]
    other = [(at_ns, packet.replace(b"\x1f\x40", b"\x1f\x41")) for at_ns, packet in _conversation()]
    for content, words in (
        (b"", "empty"), (b"hello, I am no capture", "neither pcap nor pcapng"), (b"\x1f\x8b\x08rest of it", "gunzip"),
        (CAPTURES["raw IP"][:24], "no packets"), (CAPTURES["raw IP"][:20], "cut short"), (_pcap(147, b""), "147"),
        (_pcap(101, b"", packets=late), "another time"), (_pcap(101, b"", packets=other), "none of the 6 packets"),
        (CAPTURES["raw IP"][:24] + b"\xff" * 100, "makes no sense"),
    ):  # fmt: skip
        capture.write_bytes(content)
        assert words in sockreel("import", capture, "--into", trace).failure
    assert "no such" in sockreel("import", tmp_path / "none", "--into", trace).failure.lower()
    capture.write_bytes(CAPTURES["raw IP"])
    assert "no run #x" in sockreel("import", capture, "--into", f"{trace}#x").failure
    assert "no such file" in sockreel("import", capture, "--into", tmp_path / "no.db").failure
    assert query(trace, "SELECT * FROM calls") == before
    assert query(trace, "SELECT count(*) AS n FROM packets") == [{"n": 0}]


def test_a_block_of_absurd_length_takes_no_memory(tmp_path: Path) -> None:
    capture = tmp_path / "c.pcapng"
    whole = CAPTURES["pcapng, nanoseconds"]
    for length in (0, 4, 13, 1 << 30, 0xFFFFFFFC):
        capture.write_bytes(whole + struct.pack("<II", 6, length) + bytes(100))
        file = CaptureFile(capture)
        assert len(list(file.frames())) == 6
        assert file.complaint is not None and "makes no sense" in file.complaint


def _frames(content: bytes) -> list[Frame]:
    with tempfile.NamedTemporaryFile() as file:
        file.write(content)
        file.flush()
        return list(CaptureFile(Path(file.name)).frames())


@settings(max_examples=150)
@given(st.sampled_from(sorted(CAPTURES)), st.data())
def test_no_change_of_a_capture_is_more_than_an_error_of_ours(kind: str, data: st.DataObject) -> None:
    content = bytearray(CAPTURES[kind])
    for _ in range(data.draw(st.integers(1, 8))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    try:
        frames = _frames(bytes(content[: data.draw(st.integers(0, len(content)))]))
    except CaptureFileError:
        return
    assert len(frames) < 100


@settings(max_examples=60)
@given(data=st.data())
def test_no_capture_breaks_a_trace(data: st.DataObject, tmp_path: Path, sockreel: CommandLine) -> None:
    packets = _conversation()
    packets = data.draw(st.permutations(packets + data.draw(st.lists(st.sampled_from(packets), max_size=6))))
    content = bytearray(_pcap(101, b"", packets=packets))
    for _ in range(data.draw(st.integers(0, 6))):
        content[data.draw(st.integers(24, len(content) - 1))] = data.draw(st.integers(0, 255))
    trace, capture = tmp_path / "t.db", tmp_path / "c.pcap"
    trace.unlink(missing_ok=True)
    _trace(trace)
    capture.write_bytes(content)
    said = sockreel("import", capture, "--into", trace)
    assert said.status in (0, 1)
    assert "Traceback" not in said.err
    assert sockreel("check", trace).status == 0


@contextlib.contextmanager
def _tcpdump(*arguments: str) -> Iterator[None]:
    """Capture on loopback while the block runs, from its first line on."""
    program = shutil.which("tcpdump")
    if program is None or not may_capture():
        pytest.skip("tcpdump is not installed, or may not capture")
    process = subprocess.Popen([program, "-U", *arguments], stderr=subprocess.PIPE, text=True, cwd="/tmp")
    assert process.stderr is not None
    try:
        for line in process.stderr:
            if "listening on" in line:
                break
        yield
    finally:
        process.terminate()
        process.communicate(timeout=PATIENCE_S)


def test_what_tcpdump_captured_joins_to_the_calls(tmp_path: Path, sockreel: CommandLine) -> None:
    folder = Path(tempfile.mkdtemp(prefix="sockreel-test-", dir="/tmp"))  # tcpdump gives up root before it writes
    folder.chmod(0o777)
    record = Recorder(tmp_path)
    script = record.script("""
        import socket, sys
        listener = socket.create_server(("127.0.0.1", 0))
        print(listener.getsockname()[1], flush=True)
        sys.stdin.readline()
        client = socket.create_connection(listener.getsockname())
        server, _ = listener.accept()
        client.sendall(b"a" * 40)
        assert server.recv(10) + server.recv(30) == b"a" * 40
        client.close()
        assert server.recv(1) == b""
        server.close()
        print("done", flush=True)
        sys.stdin.readline()
    """)
    capture = folder / "c.pcap"
    try:
        with record.running(script) as running:
            port = running.line()
            with _tcpdump("-i", "lo", "-s", "100", "-w", str(capture), "tcp", "port", port):
                running.tell("\n")
                assert running.line() == "done"
                until(lambda: capture.exists() and sum(1 for _ in CaptureFile(capture).frames()) >= 8, "the packets")
            running.tell("\n")
            recorded = running.ended()
        said = sockreel("import", capture, "--into", recorded.path, "--json").json
        assert said["kept"] == said["packets"] >= 8
        assert (said["calls_sent"], said["calls_read"], said["streams_given_up"]) == (1, 2, 0)
        asked = "SELECT o.name FROM calls c JOIN operations o ON o.id = c.operation_id WHERE ready_source = 'packet' ORDER BY c.id"
        rows = recorded.rows(asked)
        assert [row["name"] for row in rows] == ["connect", "accept", "recv", "recv", "recv"]
    finally:
        shutil.rmtree(folder)


def test_a_trace_that_others_may_not_write_is_one_line(tmp_path: Path, sockreel: CommandLine) -> None:
    trace, capture = _trace(tmp_path / "t.db"), tmp_path / "c.pcap"
    capture.write_bytes(CAPTURES["raw IP"])
    with contextlib.closing(sqlite3.connect(trace)) as other:
        other.execute("DROP TABLE carried")
    assert "carried" in sockreel("import", capture, "--into", trace).failure
    assert os.path.exists(trace)
