"""Tapes that somebody wrote on, and folders that are not what they seem: the recorder goes on, and touches nothing else."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sockreel.recorder.launching.place import Place, belongs
from sockreel.recorder.tapes import slots as slot_module
from sockreel.recorder.tapes.found import read_found
from sockreel.recorder.tapes.head import Head
from sockreel.tests.commandline import CommandLine
from sockreel.traces import create_trace
from sockreel.traces.writer import RunWriter

from .recording import Recorder

FIND = """
    import os, random, socket, struct, sys
    a, b = socket.socketpair()
    a.send(b"x")
    b.recv(1)
    me = "%d-" % os.getpid()
    def mine(folder):
        try:
            return folder.startswith("sockreel-") and any(name.startswith(me) for name in os.listdir("/dev/shm/" + folder))
        except FileNotFoundError:
            return False  # another recording has ended
    (tapes,) = ["/dev/shm/" + folder for folder in os.listdir("/dev/shm") if mine(folder)]
    (head,) = [tapes + "/" + name for name in os.listdir(tapes) if name.startswith(me) and name.endswith(".head")]
"""
SCRIBBLE = FIND + """
    luck = random.Random(int(sys.argv[1]))
    junk = [b"\\xff" * 4, bytes(4), b"\\2\\0\\0\\0", b"\\xff" * 7 + b"\\x7f", bytes(luck.randrange(256) for _ in range(96)), b"\\x1b[31m"]
    for _ in range(200):
        for name in sorted(os.listdir(tapes)):
            if name.startswith(me) and (".c" in name or ".n" in name or luck.random() < 0.02):
                try:
                    file = os.open(tapes + "/" + name, os.O_RDWR)
                except FileNotFoundError:
                    continue  # the recorder was done with it
                for _ in range(3):
                    os.pwrite(file, luck.choice(junk), luck.randrange(min(os.fstat(file).st_size, 40_000) or 1))
                os.close(file)
        c, d = socket.socketpair()
        c.send(b"hello")
        assert d.recv(5) == b"hello"
        c.close()
        d.close()
    print("done")
"""
STRANGERS = FIND + """
    for kind, name in enumerate(["11-1.head", "12-1.sub", "13.unrecorded"]):
        os.mkfifo(tapes + "/" + name)
        os.symlink("/dev/zero", tapes + "/2" + name)
        os.mkdir(tapes + "/3" + name)
        open(tapes + "/4" + name, "w").close()
    real = open(head, "rb").read()
    def forged(name, at, form, *values):
        made = bytearray(real)
        struct.pack_into(form, made, at, *values)
        with open(tapes + "/" + name, "wb") as file:
            file.write(made)
    forged("90-1.head", 12, "<II", 2**32 - 1, 2**32 - 1)
    forged("91-1.head", 20, "<I", 2**32 - 1)
    forged("92-1.head", 24, "<q", -2**63)
    forged("93-1.head", 24, "<q", 2**63 - 1)
    forged("94-1.head", 8, "<I", 77)
    forged("*-*.head", 12, "<I", 5)
    for _ in range(100):
        a.send(b"x")
        b.recv(1)
    print("done")
"""


@pytest.mark.parametrize("core", ["c", "python"])
@pytest.mark.parametrize("seed", range(3))
def test_a_program_that_writes_over_its_tape_is_recorded_as_far_as_it_can_be_read(record: Recorder, core: str, seed: int) -> None:
    done = record(record.script(SCRIBBLE), str(seed), options=["--core", core], whole=False)
    assert (done.status, done.out) == (0, "done\n"), done
    assert not [line for line in done.err.splitlines() if not line.startswith("sockreel: ")], done
    assert done.run["ended_by"] == "exit"
    assert done.run["calls_lost"] > 0
    assert any("somebody wrote over the tape of process" in spot for spot in done.blind_spots)


def test_files_that_somebody_put_among_the_tapes_are_left_alone(record: Recorder) -> None:
    done = record(record.script(STRANGERS), whole=False)
    assert (done.status, done.out) == (0, "done\n"), done
    assert not [line for line in done.err.splitlines() if not line.startswith("sockreel: ")], done
    assert len(done.calls(operation="recv")) == 101
    assert "a file among the tapes is none of ours: somebody wrote there, and calls may be missing" in done.blind_spots


def test_a_program_whose_text_is_said_to_be_a_device_or_a_pipe_keeps_nobody_waiting(record: Recorder) -> None:
    os.mkfifo(record.folder / "pipe.py")
    done = record(record.script("""
        import socket
        a, b = socket.socketpair()
        for name in ("/dev/zero", "pipe.py", "/proc/self/mem", "."):
            exec(compile("a.send(b'x'); b.recv(1)", name, "exec"))
    """))  # fmt: skip
    assert done.status == 0
    files = done.rows("SELECT file FROM sites JOIN calls ON calls.site_id = sites.id")
    assert {Path(row["file"]).name for row in files} >= {"zero", "pipe.py"}


word, number = st.sampled_from([0, 1, 2, 10**9, 2**32 - 1]), st.sampled_from([0, 1, -1, -(2**63), 2**58, 2**59, 2**63 - 1, 9000])
code = st.sampled_from([0, 1, 2, 9, 14, 15, 54, 255, 256, 65535])


@settings(max_examples=150, deadline=None)
@given(
    rows=st.lists(
        st.tuples(word, word, number, number, number, number, word, word, word, code, number, number, number, st.integers(-5, 5), code,
                  code, st.sampled_from([1, 2])),
        max_size=5,
    ),
    first=st.sampled_from([0, 1, 2**20]),
)  # fmt: skip
def test_both_judges_of_slots_agree(rows: list[tuple[Any, ...]], first: int) -> None:
    slots = b"".join(slot_module._SLOT.pack(*row) for row in rows)
    assert slot_module.spoilt(slots, first, slot_module.KNOWN) == slot_module.spoilt_in_python(slots, first, slot_module.KNOWN)


def _left_by_a_recorder(path: Path, tapes: Path, name: str) -> None:
    """Write a trace whose recorder died, with a tape of that name."""
    (tapes / "settings").write_text("key abc\n")
    writer = RunWriter(path, create_trace(path))
    recorder = {"pid": 1, "started_ticks": 1, "boot": "another"}
    told = {"recorder": recorder, "tapes": [str(tapes)], "tape_key": "abc"}
    writer.begin(command="[]", started_at="2026-01-01T00:00:00+00:00", recorder_version="0", settings=json.dumps(told))
    writer.insert("clocks", run_id=writer.run_id, at_ns=0, monotonic_ns=1, realtime_ns=1)
    process = writer.insert("processes", run_id=writer.run_id, pid=7, started_by="main", command="[]", recorded=1, started_ns=0)
    head = Head(name, 7, 1, 5, 5, 0, False, "", "3.11", "cpython", "c", "", "", "", ())
    state = {"process": process, "bases": [0] * 5, "lost": 0, "faults": 0}
    writer.remember("head", name, json.dumps(asdict(head)))
    writer.remember("tape", name, json.dumps(state))
    writer.finish()
    writer.close()


@pytest.mark.parametrize("name", ["../precious/7-1", "../precious/*", "{there}/precious/7-1", "*", "7-1/../../precious/7-1"])
def test_recover_reaches_out_of_no_folder_of_tapes(name: str, tmp_path: Path, sockreel: CommandLine) -> None:
    tapes, precious = tmp_path / "tapes", tmp_path / "precious"
    for folder in (tapes, precious, tapes / "7-1"):
        folder.mkdir()
    for file in ("7-1.head", "7-1.c000000", "7-1.cpp", "main.c", "notes.n"):
        (precious / file).write_text("mine")
    _left_by_a_recorder(tmp_path / "t.db", tapes, name.replace("{there}", str(tmp_path)))
    assert "what its recorder left cannot be read" in sockreel("recover", tmp_path / "t.db").failure
    assert sorted(found.name for found in precious.iterdir()) == ["7-1.c000000", "7-1.cpp", "7-1.head", "main.c", "notes.n"]


def test_recover_finishes_what_was_left_under_a_name_that_an_agent_gives(tmp_path: Path, sockreel: CommandLine) -> None:
    tapes = tmp_path / "tapes"
    tapes.mkdir()
    (tapes / "7-1.head").write_text("was read")
    _left_by_a_recorder(tmp_path / "t.db", tapes, "7-1")
    assert sockreel("recover", tmp_path / "t.db").status == 0
    assert not tapes.exists()


def test_a_folder_of_somebody_else_is_nobodys_tape(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tapes = tmp_path / "tapes"
    tapes.mkdir()
    (tapes / "settings").write_text("key abc\n")
    assert belongs(tapes, "abc")
    link = tmp_path / "link"
    link.symlink_to(tapes)
    assert not belongs(link, "abc")
    monkeypatch.setattr(os, "geteuid", lambda: os.stat(tapes).st_uid + 1)
    assert not belongs(tapes, "abc")
    Place((tapes, link), "abc").remove()
    assert (tapes / "settings").exists()


def test_only_plain_files_are_read_where_anybody_may_write(tmp_path: Path) -> None:
    (tmp_path / "plain").write_bytes(b"0123456789")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("plain")
    assert read_found(tmp_path / "plain", 4) == b"0123"
    assert read_found(tmp_path / "plain", 40) == b"0123456789"
    for name in ("pipe", "link", "."):
        with pytest.raises(OSError):
            read_found(tmp_path / name, 4)
    with pytest.raises(OSError):
        read_found("/dev/zero", 4)
