"""`export --format pcapng`: packets with their calls, and packets made of calls, as tshark reads them."""

from __future__ import annotations

from pathlib import Path

from sockreel.tests.commandline import CommandLine
from sockreel.tests.synthetic import MS, Recording
from sockreel.tests.test_recorder.packets import malformed, packet_options, tshark
from sockreel.tests.test_recorder.recording import Recorder

LISTENER, CLIENT = "127.0.0.1:8000", "127.0.0.1:40000"
SAID, ANSWERED = b"hello", b"HELLO AGAIN"


def _talk(path: Path, sent: int = len(ANSWERED)) -> Path:
    """A trace of one connection: hello, an answer of `sent` bytes, the client leaves."""
    with Recording(path) as recording:
        run = recording.run("talk")
        thread = run.thread("MainThread")
        listener = run.socket(3, kind="tcp", role="listener", local=LISTENER)
        server = run.socket(4, kind="tcp", role="accepted", local=LISTENER, peer=CLIENT, parent_id=listener)
        run.call(thread, "accept", listener, at_ns=1 * MS, duration_ns=10, result=server)
        said = run.call(thread, "recv", server, at_ns=2 * MS, duration_ns=10, result=len(SAID))
        answered = run.call(thread, "sendall", server, at_ns=3 * MS, duration_ns=10, result=sent)
        run.call(thread, "recv", server, at_ns=4 * MS, duration_ns=10, result=0, outcome="eof")
        run.call(thread, "close", server, at_ns=5 * MS, duration_ns=10)
        for call, data, size in ((said, SAID, len(SAID)), (answered, ANSWERED, sent)):
            recording.insert("payloads", call_id=call, size=size, data=data)
        recording.insert("clocks", run_id=run.id, at_ns=0, monotonic_ns=5, realtime_ns=1_700_000_000_000_000_000)
        run.finish(10 * MS)
    return path


def test_calls_become_a_connection_that_says_that_it_was_made(tmp_path: Path, sockreel: CommandLine) -> None:
    made = tmp_path / "t.pcapng"
    assert sockreel("export", _talk(tmp_path / "t.db"), "-o", made).status == 0
    checks = ("-o", "tcp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE")
    packets = tshark(made, "frame.time_epoch", "tcp.flags.str", "tcp.len", "tcp.payload", "frame.comment", "tcp.checksum.status",
                     "tcp.analysis.flags", options=checks)  # fmt: skip
    assert [packet["tcp.flags.str"][0].replace("\xb7", "") for packet in packets] == ["S", "AS", "A", "AP", "AP", "AF", "AF"]
    assert [bytes.fromhex(packet["tcp.payload"][0]) for packet in packets if "tcp.payload" in packet] == [SAID, ANSWERED]
    assert {packet["tcp.checksum.status"][0] for packet in packets} == {"1"}
    assert all(packet["frame.comment"][0].startswith("SYNTHETIC, ") for packet in packets)
    assert "recv(fd 4) -> 5" in packets[3]["frame.comment"][0]
    assert packets[3]["frame.time_epoch"] == ["1700000000.002000010"]
    assert not any("tcp.analysis.flags" in packet for packet in packets)
    assert malformed(made) == []
    assert b"SYNTHETIC: no packets were captured" in made.read_bytes()


def test_what_is_missing_of_a_payload_is_missing_from_its_packets(tmp_path: Path, sockreel: CommandLine) -> None:
    made = tmp_path / "t.pcapng"
    assert sockreel("export", _talk(tmp_path / "t.db", sent=150_000), "-o", made).status == 0
    packets = [packet for packet in tshark(made, "frame.len", "frame.cap_len", "tcp.len", "frame.comment") if packet["tcp.len"] != ["0"]]
    assert [packet["tcp.len"][0] for packet in packets] == ["5", "65000", "65000", "20000"]
    assert [packet["frame.cap_len"][0] for packet in packets] == ["45", "51", "40", "40"]
    assert "64,989 of its 65,000 bytes are not in the trace" in packets[1]["frame.comment"][0]
    assert malformed(made) == []


def test_without_payloads_there_are_headers_only(tmp_path: Path, sockreel: CommandLine) -> None:
    made = tmp_path / "t.pcapng"
    trace = _talk(tmp_path / "t.db")
    assert sockreel("export", trace, "-o", made).status == 0
    assert SAID in made.read_bytes()
    assert sockreel("export", trace, "-o", made, "--force", "--no-payload").status == 0
    assert SAID not in made.read_bytes() and ANSWERED not in made.read_bytes()
    assert [packet["tcp.len"][0] for packet in tshark(made, "tcp.len")][3:5] == ["5", "11"]


def test_captured_packets_name_the_calls_that_sent_and_read_them(tmp_path: Path, sockreel: CommandLine) -> None:
    record = Recorder(tmp_path)
    recorded = record(record.script("""
        import socket
        listener = socket.create_server(("127.0.0.1", 0))
        client = socket.create_connection(listener.getsockname())
        server, _ = listener.accept()
        client.sendall(b"x" * 50)
        assert server.recv(20) + server.recv(30) == b"x" * 50
        client.close()
        assert server.recv(1) == b""
    """), options=packet_options())  # fmt: skip
    made = tmp_path / "t.pcapng"
    assert sockreel("export", recorded.path, "-o", made).status == 0
    packets = tshark(made, "tcp.flags.str", "tcp.len", "frame.comment", "tcp.analysis.flags")
    assert len(packets) == recorded.run["packets_captured"]
    (data,) = [packet["frame.comment"][0].splitlines() for packet in packets if packet["tcp.len"] == ["50"]]
    assert [line.split(" ")[0] for line in data] == ["sent", "read", "read"]
    assert "sendall(fd" in data[0] and "recv(fd" in data[1] and "program.py:" in data[1]
    assert all(packet["frame.comment"] for packet in packets)
    assert malformed(made) == []
    assert b"SYNTHETIC" not in made.read_bytes()
    assert sockreel("export", recorded.path, "-o", made, "--force", "--no-payload").status == 0
    assert b"xxxx" not in made.read_bytes()
    assert len(tshark(made, "frame.number")) == len(packets)
