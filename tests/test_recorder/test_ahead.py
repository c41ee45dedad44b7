"""Segments are made ahead of the program, as many as it will soon need, and never so many that room gets short."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sockreel.recorder.agent import layout
from sockreel.recorder.agent import tape as agent_tape
from sockreel.recorder.tapes import ahead
from sockreel.recorder.tapes.ahead import MOST_AHEAD, Ahead, Maker, make_segment
from sockreel.recorder.tapes.tape import TapeReader

Tape: Any = agent_tape.Tape  # the agent has no annotations
PATIENCE_S = 20.0


class Program:
    """A process' tape, written to in this process."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.tape: Any = Tape([str(folder)])
        self.tape.open(("3.11.7", "cpython", "python", "", "", "", "server.py"))
        self.reader = TapeReader((folder,), folder / f"{self.tape.name}.head")

    def take(self, segment: int, slots: int = layout.SLOTS) -> None:
        """Take a segment and begin its first slots."""
        buffer = self.tape.map_segment("c", segment)
        for slot in range(slots):
            layout.SLOT_OPEN.pack_into(buffer, slot * layout.SLOT_BYTES, 1, 1, 1, 0, -1, 0, 1, 0, 0, 2, layout.OPEN)

    def segments(self) -> set[int]:
        """Return the numbers of the calls segments whose files are there."""
        return {int(path.name.rpartition(".c")[2]) for path in self.folder.glob("*.c[0-9]*") if not path.name.endswith(".ahead")}


@pytest.fixture
def program(tmp_path: Path) -> Program:
    return Program(tmp_path)


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "it never came"
        os.sched_yield()


def test_the_next_segment_is_there_though_nobody_reads_the_tape(program: Program) -> None:
    maker = Ahead()
    try:
        maker.watch(program.reader)
        for segment in range(5):
            program.take(segment)
            wait_until(lambda: segment + 1 in program.segments())  # noqa: B023
        maker.forget(program.reader)
        there = program.segments()
        program.take(max(there) + 1)
        assert program.segments() == there | {max(there) + 1}
    finally:
        maker.stop()
    program.reader.close()
    assert list(program.folder.iterdir()) == []


def test_a_segment_made_ahead_is_the_one_that_the_program_takes(program: Program) -> None:
    program.take(0)
    Maker(program.reader.calls).make_ahead(0, 1)
    made = program.reader.calls.file(1, program.folder)
    before = made.stat()
    assert (before.st_size, before.st_blocks * 512) == (layout.SEGMENT_BYTES["c"],) * 2
    program.take(1, slots=3)
    assert made.stat().st_ino == before.st_ino
    assert made.read_bytes()[layout.SLOT_STATE_AT] == layout.OPEN
    program.reader.close()


def test_a_program_that_makes_few_calls_gets_nothing_ahead(program: Program) -> None:
    maker = Maker(program.reader.calls)
    maker.follow(-1)
    program.take(0, slots=layout.SLOTS // 4)
    maker.follow(0)
    assert program.segments() == {0}
    program.take(0, slots=layout.SLOTS // 4 + 1)
    maker.follow(0)
    assert program.segments() == {0, 1}
    program.reader.close()


def test_the_faster_the_program_the_more_is_made_ahead_and_never_more_than_the_most(program: Program) -> None:
    program.take(0)
    maker = Maker(program.reader.calls)
    made = []
    for front in (1, 3, 103, 103, 103, 103, 103, 103):
        maker.follow(front)
        made.append(max(program.segments()) - front)
    assert made == [4, 8, *[MOST_AHEAD] * 6]  # what was made stays
    assert maker.wanted == 1  # it makes no more until the program goes on
    program.reader.close()


def test_nothing_is_made_twice_or_behind_the_program(program: Program) -> None:
    program.take(0)
    maker = Maker(program.reader.calls)
    maker.make_ahead(0, 3)
    for number in (1, 2, 3):
        program.reader.calls.file(number, program.folder).unlink()  # read, and given back
    maker.make_ahead(2, 3)
    assert program.segments() == {0, 4, 5}
    program.reader.close()


def test_nothing_is_made_where_room_is_short(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    program.take(0)
    maker = Maker(program.reader.calls)
    monkeypatch.setattr(ahead, "_free_bytes", lambda folder: 12 * layout.SEGMENT_BYTES["c"] - 1)
    maker.make_ahead(0, 16)
    assert program.segments() == {0, 1, 2}
    program.reader.close()


def test_nothing_is_made_for_a_tape_that_nobody_reads_any_more(tmp_path: Path) -> None:
    programs = []
    for name in ("forsaken", "read"):
        (tmp_path / name).mkdir()
        programs.append(Program(tmp_path / name))
        programs[-1].take(0)
    forsaken, read = programs
    forsaken.reader.stop_agent()
    maker = Ahead()
    try:
        for program in programs:
            maker.watch(program.reader)
        wait_until(lambda: 1 in read.segments())
    finally:
        maker.stop()
    assert forsaken.segments() == {0}
    for program in programs:
        program.reader.close()


def test_a_segment_is_whole_or_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int, at: int, size: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    assert not make_segment(tmp_path / "1-1.c000001", 4096)
    assert list(tmp_path.iterdir()) == []
    monkeypatch.undo()
    assert make_segment(tmp_path / "1-1.c000001", 4096)
    assert make_segment(tmp_path / "1-1.c000001", 4096)  # somebody else has made it
    assert [path.name for path in tmp_path.iterdir()] == ["1-1.c000001"]
