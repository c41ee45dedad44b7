"""Memory that a program has written full comes back to it under a later number, and no call is lost on the way."""

from __future__ import annotations

import ctypes
import os
import resource
import struct
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from sockreel.recorder.agent import kept as agent_kept
from sockreel.recorder.agent import layout
from sockreel.recorder.agent import tape as agent_tape
from sockreel.recorder.tapes import recycling
from sockreel.recorder.tapes.ahead import Maker
from sockreel.recorder.tapes.recycling import Recycling
from sockreel.recorder.tapes.tape import TapeReader

from .losing import Counters, has_c_core, kill_program
from .recording import PROGRAMS, Recorder, query, until
from .test_recover import kill_recorder, recover, tapes

Tape: Any = agent_tape.Tape  # the agent has no annotations
Kept: Any = agent_kept.Kept
NUMBERED = PROGRAMS / "numbered.py"
RETIRED = struct.Struct(f"<{layout.RETIRED_MAX}I")


class Counting:
    """Stands for the C core where a tape asks it for numbers."""

    def __init__(self) -> None:
        self.next_call = self.next_cell = iter(range(1 << 40)).__next__


def begun(number: int) -> bytes:
    """Return the slot of a call that asks for as many bytes as its number says."""
    slot = bytearray(layout.SLOT_BYTES)
    layout.SLOT_OPEN.pack_into(slot, 0, 1, 1, 1, number, -1, 0, 1, 0, 0, 2, layout.OPEN)
    return bytes(slot)


@cache
def complete(number: int) -> bytes:
    """Return the same call's slot when it is over."""
    slot = bytearray(begun(number))
    layout.SLOT_DONE.pack_into(slot, layout.SLOT_DONE_AT, 1, 0, 0, 0, 2, 0, layout.COMPLETE)
    return bytes(slot)


class Program:
    """A process' tape, written to in this process: call N asks for N bytes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.tape: Any = Tape([str(folder)])
        self.tape.number_by(Counting())
        self.tape.open(("3.11.7", "cpython", "c", "", "", "", "server.py"))
        self.reader = TapeReader((folder,), folder / f"{self.tape.name}.head")
        self.recycling = Recycling(self.reader.calls)

    def fill(self, segment: int, but: int | None = None) -> Any:
        """Write a segment full of complete calls, but for one that stays open."""
        buffer = self.tape.map_segment("c", segment)
        assert not any(bytes(buffer)), "there was something on it"
        slots = [complete(number) for number in numbers(segment)]
        if but is not None:
            slots[but] = begun(segment * layout.SLOTS + but)
        buffer[:] = b"".join(slots)
        return buffer

    def retired(self) -> list[int]:
        """Return what the head says."""
        return [number - 1 for number in RETIRED.unpack_from(bytes(self.tape.head), layout.HEAD_RETIRED_AT) if number]

    def follow(self) -> None:
        """Do what the recorder does when it looks at the head."""
        front = int.from_bytes(self.tape.head[layout.HEAD_FRONT_AT["c"] : layout.HEAD_FRONT_AT["c"] + 4], "little") - 1
        self.recycling.follow(front, self.retired(), 4)

    def refill(self, number: int) -> bool:
        """Make a segment of memory that is no longer used."""
        return self.recycling.refill(self.reader.calls.file(number, self.folder))

    def kept_names(self) -> set[str]:
        """Return the names of what is there beside the head."""
        return {path.name.rpartition(".c")[2] for path in self.folder.glob("*.c0*")}


def asked(reader: TapeReader, ended: bool = False) -> list[int]:
    """Read what is new: how many bytes each call asked for, in the order of the tape."""
    blocks, late = reader.read_calls(ended=ended)
    calls: dict[int, int] = {}
    for block in blocks:
        for at in range(0, len(block.data), layout.SLOT_BYTES):
            calls[block.first + at // layout.SLOT_BYTES] = layout.SLOT_OPEN.unpack_from(block.data, at)[3]
    calls.update({number: layout.SLOT_OPEN.unpack_from(slot)[3] for number, slot in late})
    return [calls[number] for number in sorted(calls)]


def numbers(*segments: int) -> list[int]:
    return [segment * layout.SLOTS + slot for segment in segments for slot in range(layout.SLOTS)]


@pytest.fixture(autouse=True)
def without_haste(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test may take its time between two segments: who is slow keeps none, which has a test of its own."""
    monkeypatch.setattr(agent_kept, "SLOW_NS", 30_000_000_000)


@pytest.fixture
def program(tmp_path: Path) -> Program:
    return Program(tmp_path)


def filled(program: Program, but: dict[int, int] | None = None) -> Program:
    """Write six segments: of the first nobody knows how long it took, and the last three are in use."""
    for segment in range(6):
        program.fill(segment, (but or {}).get(segment))
    assert program.retired() == [1, 2]
    return program


def test_a_segment_that_nobody_has_read_is_moved_and_its_memory_comes_back(program: Program) -> None:
    filled(program).follow()
    before = program.reader.calls.file(2, program.folder).stat().st_ino
    assert program.refill(6)
    assert program.reader.calls.file(6, program.folder).stat().st_ino == before
    assert program.reader.calls.file(2, program.folder).stat().st_ino != before
    assert program.kept_names() == {f"{number:06d}" for number in range(7)}
    program.fill(6)
    assert asked(program.reader) == numbers(0, 1, 2, 3, 4, 5, 6)
    program.reader.close()
    assert list(program.folder.iterdir()) == []


def test_a_segment_that_was_read_comes_back_without_a_copy_and_at_the_same_address(program: Program) -> None:
    addresses = {}
    for segment in range(6):
        buffer = program.fill(segment)
        addresses[program.reader.calls.file(segment, program.folder).stat().st_ino] = ctypes.addressof(buffer)
        del buffer
    program.follow()
    assert asked(program.reader) == numbers(0, 1, 2, 3, 4, 5)
    program.reader.free_done()
    spares = {name for name in program.kept_names() if name.endswith(".spare")}
    assert len(spares) == 4 and {"000001.spare", "000002.spare"} <= spares
    for number in (6, 7):
        assert program.refill(number)
        file = program.reader.calls.file(number, program.folder).stat().st_ino
        assert ctypes.addressof(program.fill(number)) == addresses[file]
    assert not program.refill(8)  # at the others the program may still look
    assert asked(program.reader) == numbers(6, 7)
    program.reader.close()
    assert list(program.folder.iterdir()) == []


def test_what_the_reader_has_begun_is_left_to_it(program: Program) -> None:
    filled(program).follow()
    blocks, _ = program.reader.read_calls(most=2 * layout.SLOTS + 10)
    assert {block.first >> layout.SLOT_BITS for block in blocks} == {0, 1, 2}
    assert not program.refill(6)
    assert len(asked(program.reader)) + sum(len(block.data) // layout.SLOT_BYTES for block in blocks) == 6 * layout.SLOTS


def test_a_segment_with_a_call_that_is_not_over_stays(program: Program) -> None:
    filled(program, but={1: 77, 2: layout.SLOTS - 1}).follow()
    before = [program.reader.calls.file(number, program.folder).read_bytes() for number in (1, 2)]
    assert not program.refill(6)
    assert [program.reader.calls.file(number, program.folder).read_bytes() for number in (1, 2)] == before
    assert program.kept_names() == {f"{number:06d}" for number in range(6)}


def test_a_segment_that_something_refers_to_is_not_said_to_be_free(program: Program) -> None:
    program.fill(0)
    held = program.fill(1)
    program.fill(2)
    view = memoryview(program.fill(3))
    for segment in range(4, 8):
        program.fill(segment)
    assert program.retired() == [2, 4]
    del held
    program.fill(8)
    assert program.retired() == [1, 2, 4, 5]
    view.release()
    program.fill(9)
    assert program.retired() == [1, 2, 3, 4, 5, 6]


def test_no_more_is_kept_than_the_head_has_place_for(program: Program) -> None:
    last = layout.RETIRED_MAX + 5
    for segment in range(last + 1):
        program.fill(segment)
    kept = list(range(last - 1 - layout.RETIRED_MAX, last - 1))
    assert program.retired() == kept[:-1]  # the newest of them is only being let go of


def test_who_is_slow_keeps_nothing(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    filled(program)
    monkeypatch.setattr(agent_kept, "SLOW_NS", 1)
    program.fill(6)
    assert program.retired() == []


def test_who_may_not_have_all_addresses_keeps_nothing(program: Program) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    program.fill(0)
    resource.setrlimit(resource.RLIMIT_AS, (1 << 46, hard))
    try:
        for segment in range(1, 7):
            program.fill(segment)
        assert program.retired() == []
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
    program.fill(7)
    program.fill(8)
    assert program.retired() == [5]


def test_the_segments_of_the_python_core_are_not_kept(tmp_path: Path) -> None:
    tape = Tape([str(tmp_path)])
    tape.open(("3.11.7", "cpython", "python", "", "", "", "server.py"))
    for segment in range(8):
        tape.map_segment("c", segment)
    assert not any(tape.head[layout.HEAD_RETIRED_AT : layout.HEAD_RETIRED_AT + RETIRED.size])


def test_what_is_set_aside_is_given_back_when_it_is_not_wanted(program: Program) -> None:
    filled(program)
    maker = Maker(program.reader.calls)
    maker.recycling = program.recycling
    program.follow()
    asked(program.reader)
    program.reader.free_done()
    assert any(name.endswith(".spare") for name in program.kept_names())
    for _ in range(4):
        maker.follow(5, ())  # the process refers to all of it, or keeps nothing
    assert not any(name.endswith(".spare") for name in program.kept_names())
    assert program.reader.calls.spares == {}


STEPS = ("open", "pread", "posix_fallocate", "pwrite", "link", "rename", "unlink", "stat", "fstat", "close")


def each_step(monkeypatch: pytest.MonkeyPatch, at: int, act: Any) -> list[str]:
    """Have something happen before the system call `at` that recycling makes."""
    made: list[str] = []
    real = {name: getattr(os, name) for name in STEPS}

    class Os:
        def __getattr__(self, name: str) -> Any:
            found = getattr(os, name)
            if name not in real:
                return found

            def step(*args: Any, **kw: Any) -> Any:
                made.append(name)
                if len(made) == at:
                    act(name)
                return found(*args, **kw)

            return step

    monkeypatch.setattr(recycling, "os", Os())
    return made


@pytest.mark.parametrize("read", [False, True], ids=["unread", "read"])
def test_whoever_dies_at_any_step_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, read: bool) -> None:
    for at in range(1, 60):
        folder = tmp_path / str(at)
        folder.mkdir()
        program = filled(Program(folder))
        program.follow()
        before = []
        if read:
            before = asked(program.reader)
            progress = program.reader.progress()
            program.reader.free_done()
        pid = os.fork()
        if not pid:
            each_step(monkeypatch, at, lambda name: os._exit(9))
            program.refill(6)
            os._exit(0)
        _, status = os.waitpid(pid, 0)
        program.fill(6)  # it goes on: with what was made for it, or with what it makes itself
        program.fill(7)
        later = TapeReader((folder,), program.reader.path)
        if read:
            later.resume(progress)
        assert before + asked(later, ended=True) == numbers(0, 1, 2, 3, 4, 5, 6, 7), at
        assert later.lost() == (0, 0)
        later.close()
        assert list(folder.iterdir()) == [], at
        if not status:
            break
    assert not status
    assert at > (7 if read else 15), "too few steps"


@pytest.mark.parametrize("error", [OSError(28, "no room"), FileNotFoundError(2, "cleared"), PermissionError(1, "not allowed")])
def test_whatever_fails_at_any_step_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: OSError) -> None:
    def fail(name: str) -> None:
        if name != "close":
            raise error

    for at in range(1, 60):
        folder = tmp_path / str(at)
        folder.mkdir()
        program = filled(Program(folder))
        program.follow()
        with monkeypatch.context() as patched:
            made = each_step(patched, at, fail)
            program.refill(6)
        program.fill(6)
        program.fill(7)
        assert asked(program.reader, ended=True) == numbers(0, 1, 2, 3, 4, 5, 6, 7), at
        program.reader.close()
        assert list(folder.iterdir()) == [], at
        if len(made) < at:
            break
    assert len(made) < at


def reused(folders: list[Path], seen: dict[int, Path]) -> Iterator[Path]:
    """Find segments whose memory was another one before."""
    for folder in folders:
        for path in folder.glob("*.c[0-9][0-9][0-9][0-9][0-9][0-9]"):
            try:
                if seen.setdefault(path.stat().st_ino, path) != path:
                    yield path
            except OSError:
                continue


@pytest.mark.slow
@pytest.mark.parametrize("killed", ["program", "recorder"])
@pytest.mark.parametrize(("threads", "processes"), [(1, 1), (4, 1), (3, 2)])
def test_every_call_is_recorded_once_while_memory_comes_back(record: Recorder, threads: int, processes: int, killed: str) -> None:
    counters = Counters(record.folder / "counters", threads * processes)
    with record.running(NUMBERED, counters.path, str(threads), str(processes), "0", options=["--core", "c"]) as running:
        pid = running.line()
        if not pid:
            has_c_core(running.ended(whole=False), "c")
        until(lambda: running.path.exists() and bool(query(running.path, "SELECT id FROM calls LIMIT 1")), "calls in the trace")
        folders, seen, again = tapes(running.path), dict[int, Path](), set[Path]()
        end_s = time.monotonic() + 20
        while len(again) < 12 * processes or not all(counters.each()):
            assert time.monotonic() < end_s, "no memory came back"
            again |= set(reused(folders, seen))
            time.sleep(0.005)
        if killed == "recorder":
            kill_recorder(running)
            further = counters.total() + 30_000
            until(lambda: counters.total() >= further, "calls that nobody reads")
        kill_program(int(pid))
        if killed == "recorder":
            recover(running.path)
        else:
            assert running.ended().status == 137
    received = "(SELECT id FROM operations WHERE name = 'recv_into')"
    rows = query(running.path, f"SELECT thread_id, asked, duration_ns FROM calls WHERE operation_id = {received} ORDER BY id")
    made: dict[int, list[int]] = {}
    done: dict[int, int] = {}
    for row in rows:
        made.setdefault(row["thread_id"], []).append(row["asked"])
        done[row["thread_id"]] = done.get(row["thread_id"], 0) + (row["duration_ns"] is not None)
    assert query(running.path, "SELECT calls_lost FROM runs") == [{"calls_lost": 0}]
    assert len(made) == threads * processes
    assert all(each == list(range(1, len(each) + 1)) for each in made.values())
    assert all(len(each) <= done[thread] + 1 for thread, each in made.items())
    assert all(counted <= finished <= counted + 1 for counted, finished in zip(sorted(counters.each()), sorted(done.values()), strict=True))
