"""`sockreel packets`: packets with their calls, and field by field."""

from __future__ import annotations

import socket
import struct
from pathlib import Path

import pytest
from sockreel.recorder.capture.dissecting import dissected
from sockreel.tests.commandline import CommandLine
from sockreel.tests.synthetic import MS, Recording

HOSTILE = b"GET \x1b[31m\x9b2J \xff\n"


def frame(payload: bytes) -> bytes:
    """Return an IPv4 packet with a TCP segment from port 50001 to 80 on the loopback interface."""
    tcp = struct.pack("!HHIIBBHHH", 50001, 80, 1000, 2000, 5 << 4, 0x18, 512, 0, 0) + payload
    local = socket.inet_aton("127.0.0.1")
    return struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(tcp), 1, 0, 64, 6, 0, local, local) + tcp


@pytest.fixture
def captured(tmp_path: Path) -> Path:
    """A run with three packets, of which one call read the second."""
    with Recording(tmp_path / "t.db") as recording:
        run = recording.run("only", packets_captured=3)
        client = run.socket(4)
        call = run.call(run.thread(), "recv", client, at_ns=5 * MS, payload=HOSTILE)
        for n, payload in enumerate((b"", HOSTILE, b"")):
            id_ = recording.insert(
                "packets", run_id=run.id, at_ns=n * MS, source="127.0.0.1:50001", destination="127.0.0.1:80", seq=1000, ack=2000,
                flags="PA", payload_bytes=len(payload), socket_id=client, frame=frame(payload))
            if payload:
                recording.insert("carried", packet_id=id_, call_id=call)
        recording.run("bare").finish(MS)
        run.finish(10 * MS)
    return tmp_path / "t.db"


def test_packets_are_listed_with_the_calls_that_carried_them(captured: Path, sockreel: CommandLine) -> None:
    rows = sockreel("packets", f"{captured}#only", "--json").json
    assert [(row["id"], row["at_ns"], row["calls"]) for row in rows] == [(1, 0, []), (2, MS, [1]), (3, 2 * MS, [])]
    assert bytes.fromhex(rows[1]["frame"]).endswith(HOSTILE)
    assert [row["id"] for row in sockreel("packets", f"{captured}#only", "--call", "1", "--json").json] == [2]
    assert [row["id"] for row in sockreel("packets", f"{captured}#only", "--packet", "3", "--json").json] == [3]
    assert [row["id"] for row in sockreel("packets", f"{captured}#only", "--from", "1ms", "--to", "2ms", "--json").json] == [2]
    shown = sockreel("packets", f"{captured}#only", "--lines", "2").out
    assert "127.0.0.1:50001" in shown and "and more" in shown


def test_every_field_is_shown_and_nothing_of_it_drives_the_terminal(captured: Path, sockreel: CommandLine) -> None:
    out = sockreel("packets", f"{captured}#only", "--call", "1", "--dissect").out
    for field in ("[ IP ]", "[ TCP ]", "[ Raw ]", "seq", "50001", "window"):
        assert field in out
    assert not [letter for letter in out if letter != "\n" and not letter.isprintable()]


@pytest.mark.parametrize("junk", [b"", b"\x45", b"\x60\x00", b"\x00" * 40, b"\xff" * 1500, frame(b"x")[:25], b"\x4f" + b"\x00" * 59])
def test_no_frame_trips_the_dissection(junk: bytes) -> None:
    assert isinstance(dissected(junk), str)


def test_a_run_without_packets_says_how_to_get_some(captured: Path, sockreel: CommandLine) -> None:
    said = sockreel("packets", f"{captured}#bare")
    assert (said.status, said.out) == (0, "")
    assert "--packets" in said.err
