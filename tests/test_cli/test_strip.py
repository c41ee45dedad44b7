"""`sockreel strip`: what was said is gone from the file, everything else is as it was, and nothing is ever half done."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from sockreel.recorder.capture.making import make_tcp, make_udp
from sockreel.recorder.capture.wire import headers_of
from sockreel.tests.commandline import CommandLine
from sockreel.tests.synthetic import MS
from sockreel.tests.test_replay.scenes import lecture
from sockreel.traces import TraceError, open_trace
from sockreel.traces.recovery import this_recorder
from sockreel.traces.stripping import strip_trace

SAID = (b"hello", b"HELLO", b"quick", b"QUICK", b"\x1b[31mred", b"carried by a packet", b"in a datagram", b"no packet at all")


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    """The lecture, with packets: TCP, UDP, one of headers only, and one that is nothing."""
    path = lecture(tmp_path / "t.db")
    ends = (bytes((127, 0, 0, 1, 0xC3, 0x51)), bytes((127, 0, 0, 1, 0x1F, 0x40)))  # 127.0.0.1:50001, 127.0.0.1:8000
    frames = [make_tcp(*ends, 7, 9, 24, b"carried by a packet", 19)[0], make_udp(*ends, b"in a datagram", 13)[0],
              make_tcp(*ends, 26, 9, 16, b"", 0)[0], b"no packet at all"]
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executemany("INSERT INTO packets (run_id, at_ns, source, destination, payload_bytes, frame) "
                               "VALUES (1, ?, 'a', 'b', 19, ?)", [(n * MS, frame) for n, frame in enumerate(frames)])
    return path


def found_in(folder: Path) -> set[bytes]:
    """Return what of that was said stands anywhere in any file of a folder, hidden ones too."""
    return {said for file in folder.iterdir() for said in SAID if said in file.read_bytes()}


def rows(path: Path, sql: str) -> list[tuple[object, ...]]:
    """Return the rows of a query."""
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(sql).fetchall()


def test_what_was_said_is_in_no_byte_of_the_file_any_more(trace: Path, sockreel: CommandLine) -> None:
    assert found_in(trace.parent) == set(SAID)
    said = sockreel("strip", trace)
    assert (said.status, said.out) == (0, "")
    assert "the payloads of 12 calls (76 bytes)" in said.err and "the contents of 3 packets (48 bytes)" in said.err
    assert found_in(trace.parent) == set()
    assert os.listdir(trace.parent) == ["t.db"]
    again = sockreel("strip", trace)
    assert again.status == 0 and "it held no payloads" in again.err


def test_everything_else_is_as_it_was(trace: Path, sockreel: CommandLine) -> None:
    tables = [name for (name,) in rows(trace, "SELECT name FROM sqlite_master WHERE type = 'table'")
              if name not in ("payloads", "packets", "runs")]
    kept = "SELECT id, at_ns, source, destination, seq, payload_bytes, length(frame) >= 0 FROM packets"
    before = {str(table): rows(trace, f"SELECT * FROM {table}") for table in tables}
    packets, schema = rows(trace, kept), rows(trace, "SELECT type, name, sql FROM sqlite_master ORDER BY type, name")
    stats = sockreel("stats", f"{trace}#blocking", "--json").json
    trace.chmod(0o640)
    assert sockreel("strip", trace).status == 0
    assert {str(table): rows(trace, f"SELECT * FROM {table}") for table in tables} == before
    assert rows(trace, kept) == packets
    assert rows(trace, "SELECT type, name, sql FROM sqlite_master ORDER BY type, name") == schema
    assert [length for (length,) in rows(trace, "SELECT length(frame) FROM packets")] == [40, 28, 40, 0]
    assert sockreel("stats", f"{trace}#blocking", "--json").json == stats
    assert "recv on client ada" in sockreel("tell", f"{trace}#blocking", "--lang", "en").out
    assert trace.stat().st_mode & 0o777 == 0o640
    assert rows(trace, "PRAGMA journal_mode") == [("delete",)]
    assert [json.loads(str(settings)) for (settings,) in rows(trace, "SELECT settings FROM runs")] == [{"payload_stripped": True}] * 2


def test_another_file_is_private_and_the_trace_stays_as_it_is(trace: Path, sockreel: CommandLine, tmp_path: Path) -> None:
    before, out = trace.read_bytes(), tmp_path / "elsewhere" / "out.db"
    out.parent.mkdir()
    assert sockreel("strip", trace, "-o", out).status == 0
    assert trace.read_bytes() == before
    assert found_in(out.parent) == set()
    assert out.stat().st_mode & 0o777 == 0o600
    assert "exists; --force" in sockreel("strip", trace, "-o", out).err
    assert sockreel("strip", trace, "-o", out, "--force").status == 0
    assert sockreel("strip", trace, "-o", trace, "--force").status == 2
    assert "cannot be written" in sockreel("strip", trace, "-o", tmp_path / "nowhere" / "out.db").failure


def test_a_link_still_names_the_trace(trace: Path, sockreel: CommandLine, tmp_path: Path) -> None:
    link = tmp_path / "link.db"
    link.symlink_to(trace)
    assert sockreel("strip", link).status == 0
    assert link.is_symlink() and found_in(tmp_path) == set()


def test_a_log_beside_the_trace_is_taken_in_and_goes(trace: Path, sockreel: CommandLine) -> None:
    # As a writer that was killed leaves it: nobody brought the log back into the file.
    script = ("import os, sqlite3, sys\nc = sqlite3.connect(sys.argv[1], isolation_level=None)\nc.execute('PRAGMA journal_mode=WAL')\n"
              "c.execute(\"UPDATE payloads SET data = CAST('hello' AS BLOB) WHERE call_id = 5\")\nos._exit(0)")
    subprocess.run([sys.executable, "-c", script, str(trace)], check=True)
    assert b"hello" in Path(f"{trace}-wal").read_bytes()
    calls = rows(trace, "SELECT count(*) FROM calls")
    assert sockreel("strip", trace).status == 0
    assert found_in(trace.parent) == set()
    assert os.listdir(trace.parent) == ["t.db"]
    assert rows(trace, "SELECT count(*) FROM calls") == calls


def test_a_trace_that_somebody_else_has_open_is_left_alone(trace: Path, sockreel: CommandLine, tmp_path: Path) -> None:
    rows(trace, "PRAGMA journal_mode=WAL")
    with closing(sqlite3.connect(trace, isolation_level=None)) as other:
        other.execute("BEGIN")
        other.execute("SELECT count(*) FROM calls").fetchall()
        assert "somebody else has" in sockreel("strip", trace).failure
        assert found_in(trace.parent) == set(SAID)
        assert sockreel("strip", trace, "-o", tmp_path / "out.db").status == 0
    assert not any(said in (tmp_path / "out.db").read_bytes() for said in SAID)


@pytest.mark.parametrize(("told", "words"), [
    ({"recorder": this_recorder(), "tapes": []}, "is still being recorded"),
    ({"recorder": {**this_recorder(), "started_ticks": 1}, "tapes": []}, "recover"),
])
def test_a_run_that_is_not_finished_is_refused(trace: Path, sockreel: CommandLine, told: dict[str, object], words: str) -> None:
    with closing(sqlite3.connect(trace)) as connection, connection:
        connection.execute("UPDATE runs SET duration_ns = NULL, settings = ? WHERE id = 2", (json.dumps(told),))
    before = trace.read_bytes()
    assert words in sockreel("strip", trace).err.splitlines()[-1]
    assert trace.read_bytes() == before and os.listdir(trace.parent) == ["t.db"]


def test_a_table_of_somebody_else_is_refused_in_place_and_left_out_elsewhere(trace: Path, sockreel: CommandLine, tmp_path: Path) -> None:
    with closing(sqlite3.connect(trace)) as connection, connection:
        connection.execute("CREATE TABLE \"my 'notes'\" AS SELECT data FROM payloads")
        connection.execute("CREATE INDEX of_notes ON \"my 'notes'\"(data)")
        connection.execute("CREATE VIEW sizes AS SELECT size FROM payloads")
    assert "my 'notes'" in sockreel("strip", trace).failure
    out = tmp_path / "out.db"
    said = sockreel("strip", trace, "-o", out)
    assert said.status == 0 and "left out, not of the trace format: my 'notes'" in said.err
    assert not any(text in out.read_bytes() for text in SAID)
    assert rows(out, "SELECT * FROM sizes") == []


@contextmanager
def unchanged(path: Path) -> Iterator[None]:
    """Check that a folder holds one file, the same as before."""
    before = path.read_bytes()
    yield
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == [path.name]


def test_what_goes_wrong_on_the_way_leaves_the_trace_and_nothing_beside_it(trace: Path) -> None:
    def failing(frame: bytes) -> bytes:
        raise ValueError

    with unchanged(trace), pytest.raises(TraceError):
        strip_trace(trace, None, failing)
    script = ("import resource, signal, sys\nfrom pathlib import Path\nfrom sockreel.traces.stripping import strip_trace\n"
              "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\nresource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000))\n"
              "strip_trace(Path(sys.argv[1]), None, lambda frame: frame)")
    with unchanged(trace):
        done = subprocess.run([sys.executable, "-c", script, str(trace)], capture_output=True, text=True)
        assert done.returncode == 1 and "TraceError" in done.stderr


def test_the_whole_file_is_stripped_not_a_run(trace: Path, sockreel: CommandLine) -> None:
    with unchanged(trace):
        assert sockreel("strip", f"{trace}#blocking").status == 2
        assert "no such file" in sockreel("strip", trace.parent / "none.db").failure


def test_headers_end_where_the_payload_begins() -> None:
    frame = make_tcp(bytes(15) + b"\1\0\1", bytes(15) + b"\1\0\2", 7, 9, 24, b"said", 4)[0]
    assert frame.endswith(b"said") and headers_of(frame) == frame[:-4]
    assert headers_of(b"") == headers_of(b"E") == headers_of(b"said" * 20) == b""


def test_a_stripped_trace_reads_like_one_recorded_without_payloads(trace: Path) -> None:
    strip_trace(trace, None, headers_of)
    with open_trace(trace) as opened:
        assert [run.name for run in opened.runs()] == ["blocking", "nonblocking"]
        assert opened.rows("SELECT count(*) FROM payloads")[0][0] == 0
        assert opened.rows("SELECT sum(result) FROM calls WHERE operation_id IN (SELECT id FROM operations WHERE name = 'recv')")[0][0] > 0
