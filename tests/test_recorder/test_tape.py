"""What the agent's tape writes is what the recorder's tape reads: whatever is written, whenever it is read, wherever it ends."""

from __future__ import annotations

import os
import socket
import struct
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sockreel.recorder.agent import layout
from sockreel.recorder.agent import mapping as agent_mapping
from sockreel.recorder.agent import tape as agent_tape
from sockreel.recorder.tapes import slots as slot_module
from sockreel.recorder.tapes.ahead import Maker, make_segment
from sockreel.recorder.tapes.slots import slot_columns, slot_values
from sockreel.recorder.tapes.tape import TapeReader, read_head

Tape: Any = agent_tape.Tape  # the agent has no annotations
map_file: Any = agent_mapping.map_file
SLOT = struct.Struct("<" + layout.SLOT_FIELDS)
CELL = layout.CELL_DATA_BYTES
FAMILIES = st.sampled_from(socket.AddressFamily)  # integers that say something else of themselves
TEXT = ("3.11.7", "cpython", "python", "", "/usr/bin/python", "/home/ada", "python", "server.py")


class Writer:
    """A process that writes a tape, in this process: what it wrote is known to the slot."""

    def __init__(self, folder: Path, text: tuple[str, ...] = TEXT) -> None:
        self.tape: Any = Tape([str(folder)])
        self.tape.open(text)
        self.reader = TapeReader((folder,), folder / f"{self.tape.name}.head")
        self.complete: dict[int, bytes] = {}
        self.open: dict[int, bytes] = {}
        self.read: dict[int, bytes] = {}
        self.notes: list[tuple[int, int, bytes]] = []
        self.read_notes: list[tuple[int, int, bytes]] = []

    def draw(self) -> int:
        """Take the number of a slot and write nothing."""
        return int(self.tape.next_call())

    def place(self, number: int) -> tuple[Any, int]:
        segment = number >> layout.SLOT_BITS
        buffer = self.tape.calls[segment] if segment in self.tape.calls else self.tape.map_segment("c", segment)
        return buffer, (number & (layout.SLOTS - 1)) * layout.SLOT_BYTES

    def begin(self, number: int) -> None:
        """Write what is known when a call begins."""
        buffer, at = self.place(number)
        layout.SLOT_OPEN.pack_into(buffer, at, 1, 2, 1000 + number, 5, -1, 0, 3, 0, 0, 2, layout.OPEN)
        self.open[number] = buffer[at : at + layout.SLOT_BYTES]

    def end(self, number: int, state: int = layout.COMPLETE) -> None:
        """Write what came of a call."""
        buffer, at = self.place(number)
        layout.SLOT_DONE.pack_into(buffer, at + layout.SLOT_DONE_AT, number + 7, number, 0, 0, 1, 0, state)
        del self.open[number]
        if state == layout.COMPLETE:
            self.complete[number] = buffer[at : at + layout.SLOT_BYTES]

    def call(self) -> None:
        number = self.draw()
        self.begin(number)
        self.end(number)

    def note(self, kind: int, key: int, data: bytes) -> None:
        self.tape.note_bytes(kind, key, data)
        self.notes.append((kind, key, data))

    def look(self, ended: bool = False, most: int = 1 << 62) -> int:
        """Read as the drain does, and free what is done; return how many slots came."""
        before = len(self.read)
        blocks, late = self.reader.read_calls(ended, most)
        for block in blocks:
            for offset in range(0, len(block.data), layout.SLOT_BYTES):
                self._take(block.first + offset // layout.SLOT_BYTES, block.data[offset : offset + layout.SLOT_BYTES])
        for number, slot in late:
            self._take(number, slot)
        self.read_notes += [(note.kind, note.key, note.data) for note in self.reader.read_notes(ended)]
        self.reader.calls.free_done()
        self.reader.notes.free_done()
        return len(self.read) - before

    def _take(self, number: int, slot: bytes) -> None:
        assert number not in self.read, "read twice"
        self.read[number] = slot

    def die(self) -> None:
        """End, wherever it is; the reader takes in the rest."""
        self.look(ended=True)
        self.look(ended=True)
        assert self.read == self.complete
        assert sorted(self.read_notes) == sorted(self.notes)
        assert dict(self.reader.open_calls()) == self.open


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A tape directory, which must be empty once a reader has closed."""
    made = tmp_path / "tape"
    made.mkdir()
    yield made
    assert list(made.iterdir()) == []


# What a process may do: a number of calls, one left open, one ended, one voided, a number drawn and never used, a note, a look.
steps = st.lists(
    st.one_of(
        st.tuples(st.just("calls"), st.sampled_from([1, 2, 100, 2047, 2048, 8190, 8192])),
        st.tuples(st.just("begin"), st.just(0)),
        st.tuples(st.sampled_from(["end", "void"]), st.integers(0, 5)),
        st.tuples(st.just("draw"), st.just(0)),
        st.tuples(st.just("note"), st.sampled_from([0, 1, CELL - 1, CELL, CELL + 1, 2 * CELL, 2 * CELL + 1, 5000, 700_000])),
        st.tuples(st.just("look"), st.sampled_from([1, 5000, 1 << 62])),
        st.tuples(st.just("ahead"), st.integers(1, 3)),
    ),
    max_size=25,
)


@settings(max_examples=60)
@given(program=steps)
def test_every_complete_slot_and_note_is_read_once_however_reading_and_writing_interleave(
    tmp_path_factory: pytest.TempPathFactory, program: list[tuple[str, int]]
) -> None:
    folder = tmp_path_factory.mktemp("tape")
    writer = Writer(folder)
    for what, number in program:
        if what == "calls":
            for _ in range(number):
                writer.call()
        elif what == "begin":
            writer.begin(writer.draw())
        elif what in ("end", "void") and writer.open:
            writer.end(sorted(writer.open)[number % len(writer.open)], layout.COMPLETE if what == "end" else layout.VOID)
        elif what == "draw":
            writer.draw()
        elif what == "note":
            writer.note(layout.NOTE_PAYLOAD, number, os.urandom(min(number, 32)) * (number // min(number, 32) if number else 0))
        elif what == "look":
            writer.look(most=number)
        elif what == "ahead":
            for stream in (writer.reader.calls, writer.reader.notes):
                Maker(stream).make_ahead(stream.position >> stream.bits, number)
    writer.die()
    writer.reader.close()
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("before", [0, layout.SLOTS - 1, layout.SLOTS - 3, 2047, 2048 * 3 - 1])
@pytest.mark.parametrize("ended", [True, False])
def test_numbers_that_nobody_wrote_do_not_hide_what_comes_behind(folder: Path, before: int, ended: bool) -> None:
    writer = Writer(folder)
    for _ in range(before):
        writer.call()
    writer.look()
    for _ in range(3):
        writer.draw()
    for _ in range(20):
        writer.call()
    writer.look(ended)
    writer.look(ended)
    assert writer.read == writer.complete
    writer.die()
    writer.reader.close()


def test_a_slot_that_was_drawn_long_ago_is_taken_in_when_it_is_written(folder: Path) -> None:
    writer = Writer(folder)
    for _ in range(layout.SLOTS - 1):
        writer.call()
    slow = writer.draw()
    for _ in range(3 * layout.SLOTS):
        writer.call()
        if not len(writer.complete) % 5000:
            writer.look()
    writer.look()
    assert writer.read == writer.complete
    writer.begin(slow)
    writer.look()
    assert dict(writer.reader.open_calls()) == writer.open
    writer.end(slow)
    writer.die()
    writer.reader.close()


@pytest.mark.parametrize("made_by_recorder", [False, True])
@pytest.mark.parametrize("failed", [[0], [1], [1, 2], list(range(1, 8))])
def test_segments_that_could_not_be_had_are_stepped_over(folder: Path, failed: list[int], made_by_recorder: bool) -> None:
    writer = Writer(folder)
    real = writer.tape._segment

    def segment(stream: str, number: int) -> Any:
        if stream == "c" and number in failed:
            raise OSError("no space left")
        return real(stream, number)

    writer.tape._segment = segment
    lost = 0
    for _ in range((max(failed) + 1) * layout.SLOTS + 50):
        number = writer.draw()
        if writer.place(number)[0] is None:
            writer.tape.lose_call()
            lost += 1
        else:
            writer.begin(number)
            writer.end(number)
    if made_by_recorder:  # a moment after the agent gave up
        for number in failed:
            make_segment(writer.reader.calls.file(number, folder), writer.reader.calls.size)
    # Whoever reads in steps stops at the first step that is not full.
    while writer.look(ended=True, most=5000) >= 5000:
        pass
    assert writer.read == writer.complete
    assert lost == len(failed) * layout.SLOTS and writer.reader.lost() == (lost, 0)
    writer.die()
    writer.reader.close()


def test_more_failed_segments_than_the_head_can_list_are_stepped_over_at_the_end(folder: Path) -> None:
    writer = Writer(folder)
    for number in range(layout.FAILED_MAX + 5):
        writer.tape._note_failed("c", number)
    start = (layout.FAILED_MAX + 5) << layout.SLOT_BITS
    numbers = iter(range(start, start + 100))
    writer.tape.next_call = lambda: next(numbers)
    for _ in range(100):
        writer.call()
    writer.die()
    writer.reader.close()


@given(texts=st.lists(st.text(st.characters(codec="utf-8")), min_size=8, max_size=40))
@settings(max_examples=40)
def test_a_head_says_what_the_process_is(tmp_path_factory: pytest.TempPathFactory, texts: list[str]) -> None:
    folder = tmp_path_factory.mktemp("tape")
    tape = Tape([str(folder)], "parent-1f")
    tape.open(texts)
    head = read_head(folder / f"{tape.name}.head")
    told = [text.replace("\0", "\ufffd") for text in texts]
    assert (head.pid, head.parent_pid, head.parent_tape, head.forked) == (os.getpid(), os.getppid(), "parent-1f", True)
    assert (head.python, head.implementation, head.core, head.core_reason, head.executable, head.directory) == tuple(told[:6])
    assert list(head.command) == told[6:]


@pytest.mark.parametrize("content", [b"", b"x", layout.MAGIC, bytes(layout.HEAD_BYTES), layout.MAGIC + b"\xff" * layout.HEAD_BYTES])
def test_what_is_no_head_is_one_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "1-1.head"
    path.write_bytes(content)
    with pytest.raises(ValueError):
        read_head(path)


@given(fields=st.lists(st.one_of(st.text(), st.integers(-(2**70), 2**70), st.booleans(), FAMILIES, st.binary()), max_size=8))
@settings(max_examples=60)
def test_any_field_of_a_note_comes_back_as_text(tmp_path_factory: pytest.TempPathFactory, fields: list[Any]) -> None:
    folder = tmp_path_factory.mktemp("tape")
    writer = Writer(folder)
    writer.tape.note(layout.NOTE_SITE, 5, *fields)
    (note,) = writer.reader.read_notes()
    assert (note.kind, note.key) == (layout.NOTE_SITE, 5)
    found = note.fields()
    assert len(found) == max(1, len(fields))
    for field, text in zip(fields, found, strict=False):
        if isinstance(field, int):
            assert text == str(int(field))
        elif isinstance(field, str) and field.isascii():
            assert text == field.replace("\0", "\ufffd")
    writer.reader.close()


@settings(max_examples=60)
@given(values=st.lists(st.tuples(st.integers(0, 2**32 - 1), st.integers(-(2**63), 2**63 - 1), st.integers(0, 2**16 - 1)), max_size=20))
def test_slots_come_apart_into_the_columns_they_were_packed_from(values: list[tuple[int, int, int]]) -> None:
    rows = [(a, a, b, b, b, b, a, a, a, c, b, b, b, -1, c, c, layout.COMPLETE) for a, b, c in values]
    columns = slot_columns(b"".join(SLOT.pack(*row) for row in rows))
    names = ("thread", "socket", "started_ns", "asked", "timeout_ns", "parent", "site", "flags", "peer", "operation", "duration_ns",
             "result", "ready_ns", "errno", "outcome", "ready_source")  # fmt: skip
    for place, name in enumerate(names):
        assert columns[name] == [row[place] for row in rows], name


@settings(max_examples=60)
@given(values=st.lists(st.tuples(*[st.integers(0, 2)] * 3), min_size=1, max_size=8))
@pytest.mark.parametrize("varying", [slot_module.varying, slot_module.varying_in_python])
def test_a_column_of_one_value_is_that_value_and_any_other_a_list(values: list[tuple[int, int, int]], varying: Any) -> None:
    slots = b"".join(SLOT.pack(a, 2, -b, b, -1, 0, 3, 0, 0, 2, c << 40, c, 0, 11, 1, 0, layout.COMPLETE) for a, b, c in values)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(slot_module, "varying", varying)
        found = slot_values(slots)
    for name, column in slot_columns(slots).items():
        assert found[name] == (column if len(set(column)) > 1 else column[0]), name


def test_a_segment_that_one_thread_could_not_have_is_no_threads(folder: Path) -> None:
    """One thread fails while another succeeds: whatever is listed as failed must not be written to."""
    writer = Writer(folder)
    answers = iter([OSError("full"), None])
    real = writer.tape._segment
    found: list[Any] = []

    def segment(stream: str, number: int) -> Any:
        if isinstance(next(answers), OSError):
            found.append(writer.tape.map_segment(stream, number))  # the other thread, in the middle of ours: it finds room
            raise OSError("full")
        return real(stream, number)

    writer.tape._segment = segment
    assert writer.tape.map_segment("c", 0) is found[0] is not None
    assert writer.reader._failed("c") == frozenset()
    writer.call()
    writer.die()
    writer.reader.close()


def test_losses_counted_by_many_threads_add_up(folder: Path) -> None:
    writer = Writer(folder)

    def lose() -> None:
        for _ in range(20_000):
            writer.tape.lose_call()

    threads = [threading.Thread(target=lose) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert writer.reader.lost() == (80_000, 0)
    writer.reader.close()


def test_notes_are_taken_in_their_order_though_they_are_written_while_we_look(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = Writer(folder)
    real = writer.reader.notes.states

    def states(segment: Any, start: int, stop: int) -> list[int]:
        seen = real(segment, start, stop)
        if start == 0:
            seen[0] = 0  # this cell was looked at a moment too early, the next one was not
        return seen

    monkeypatch.setattr(writer.reader.notes, "states", states)
    for number in range(4):
        writer.note(layout.NOTE_SITE, number, b"")
    writer.look()
    writer.look()
    assert [key for _, key, _ in writer.read_notes] == [0, 1, 2, 3]
    writer.die()
    writer.reader.close()


@pytest.mark.parametrize("more", [0, 5])
def test_a_process_killed_while_it_marked_a_call_as_complete_leaves_that_call_unfinished(folder: Path, more: int) -> None:
    writer = Writer(folder)
    writer.call()
    number = writer.draw()
    writer.begin(number)
    for _ in range(more):
        writer.call()
    buffer, at = writer.place(number)
    # struct.pack_into begins by clearing all that it is going to write.
    buffer[at + layout.SLOT_DONE_AT : at + layout.SLOT_BYTES] = bytes(layout.SLOT_BYTES - layout.SLOT_DONE_AT)
    writer.open[number] = buffer[at : at + layout.SLOT_BYTES]
    begun_only_in_part = writer.draw()
    buffer, at = writer.place(begun_only_in_part)
    buffer[at : at + 4] = b"\1\0\0\0"
    writer.die()
    writer.reader.close()


def test_a_slot_without_a_state_is_no_call_where_the_c_core_wrote_it(folder: Path) -> None:
    writer = Writer(folder, ("3.11.7", "cpython", "c", *TEXT[3:]))
    writer.call()
    buffer, at = writer.place(writer.draw())
    buffer[at : at + 56] = b"\1" * 56  # in any order: what is there of it may be anything
    writer.die()
    writer.reader.close()


def test_memory_is_given_back_without_a_line_of_python(tmp_path: Path) -> None:
    """Else a handler that runs in such a line raises into nowhere: Ctrl-C would be printed as ignored, and the program go on."""
    path, size = tmp_path / "mapped", layout.SEGMENT_BYTES["c"]
    path.write_bytes(b"\0" * size)
    descriptor = os.open(path, os.O_RDWR)
    held = [map_file(descriptor, size)]
    os.close(descriptor)
    mapped = str(path) in Path("/proc/self/maps").read_text()
    ran: list[str] = []
    sys.setprofile(lambda frame, event, _: ran.append(f"{event} {frame.f_code.co_name}"))
    held.clear()
    sys.setprofile(None)
    assert mapped and str(path) not in Path("/proc/self/maps").read_text()
    assert [event for event in ran if event.startswith("call")] == []
