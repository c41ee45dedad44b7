"""The drain reads to the end of the tape, however it is cut into steps."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import pytest
from sockreel.recorder.agent import layout
from sockreel.recorder.agent import tape as writing
from sockreel.recorder.draining import journal
from sockreel.recorder.draining.drain import SMALL_STEP_CALLS, Drain
from sockreel.traces import create_trace
from sockreel.traces.writer import RunWriter

SLOT = struct.Struct("<" + layout.SLOT_FIELDS)


def new_tape(folder: Path) -> Any:
    folder.mkdir()
    agent: Any = writing  # without annotations: it runs inside other people's programs
    tape = agent.Tape([str(folder)])
    tape.open(("3.11.7", "cpython", "python", "a test", "python", "/", "python"))
    return tape


def new_writer(path: Path) -> RunWriter:
    writer = RunWriter(path, create_trace(path))
    writer.begin(command="[]", started_at="", recorder_version="0")
    return writer


@pytest.mark.parametrize("open_call", [0, 7, SMALL_STEP_CALLS - 1, SMALL_STEP_CALLS, 3 * SMALL_STEP_CALLS + 5])
def test_a_call_still_open_in_a_full_step_hides_nothing_behind_it(tmp_path: Path, open_call: int) -> None:
    folder = tmp_path / "tape"
    tape = new_tape(folder)
    calls = 5 * SMALL_STEP_CALLS
    for number in range(calls):
        segment = number >> layout.SLOT_BITS
        buffer = tape.calls.get(segment) or tape.map_segment("c", segment)
        state = layout.OPEN if number == open_call else layout.COMPLETE
        SLOT.pack_into(buffer, (number & (layout.SLOTS - 1)) * layout.SLOT_BYTES, 1, 0, 1000 + number, 1, 0, 0, 0, 0, 0, 2, 5,
                       layout.NOTHING, 0, 11, layout.OUTCOMES["would_block"], 0, state)  # fmt: skip
    writer = new_writer(tmp_path / "t.db")
    drain = Drain(writer, (folder,), 0)
    drain.step_calls = SMALL_STEP_CALLS
    drain.find_processes()
    drain.finish()
    writer.commit()
    assert writer.connection.execute("SELECT count(*), sum(duration_ns IS NULL) FROM calls").fetchone() == (calls, 1)
    writer.close()


def write_call(tape: Any, number: int, socket: int, started_ns: int, operation: str, outcome: str) -> None:
    buffer = tape.calls.get(number >> layout.SLOT_BITS) or tape.map_segment("c", number >> layout.SLOT_BITS)
    SLOT.pack_into(buffer, (number & (layout.SLOTS - 1)) * layout.SLOT_BYTES, 1, socket, started_ns, 1, 0, 0, 0, 0, 0,
                   layout.OPERATIONS[operation], 5, layout.NOTHING, 0, 0, layout.OUTCOMES[outcome], 0, layout.COMPLETE)  # fmt: skip


def test_which_socket_sent_a_signal_is_found_by_the_drain_that_goes_on_for_a_lost_one(tmp_path: Path) -> None:
    folder = tmp_path / "tape"
    tape = new_tape(folder)
    tape.note(layout.NOTE_THREAD, 1, 4711, "MainThread")
    for number in (1, 2):
        known = (10 + number, "udp", "AF_INET", "SOCK_DGRAM", "datagram", "", "", 0, "created", "", 0, 0, 100, number)
        tape.note(layout.NOTE_SOCKET, number, *known)
    told = {"thread": 1, "signal": "SIGIO", "via": "handler", "started_ns": 1000, "ended_ns": -1, "during": 0, "socket": 0, "armed": "1,2"}
    tape.note(layout.NOTE_SIGNAL, 1, *(told[name] for name in layout.SIGNAL_FIELDS))
    writer = new_writer(tmp_path / "t.db")
    Drain(writer, (folder,), 0).step()  # and its recorder dies
    assert writer.connection.execute("SELECT socket_id FROM signals").fetchall() == [(None,)]
    write_call(tape, 0, 1, 1500, "recvfrom", "would_block")
    write_call(tape, 1, 2, 1600, "recvfrom", "ok")
    drain = Drain(writer, (folder,), 0)
    journal.resume(drain, same_boot=True)
    drain.finish()
    assert writer.connection.execute("SELECT s.fd FROM signals JOIN sockets s ON s.id = socket_id").fetchall() == [(12,)]
    writer.close()


@pytest.mark.parametrize("fields", [("",), ("nonsense",), ("1", "2", "3"), (str(1 << 80),) * 15, ("\udcff\x1b",) * 14])
def test_notes_that_a_program_has_spoilt_cost_themselves_and_nothing_else(tmp_path: Path, fields: tuple[str, ...]) -> None:
    folder = tmp_path / "tape"
    tape = new_tape(folder)
    tape.note(layout.NOTE_THREAD, 1, 4711, "MainThread")
    kinds = sorted(value for name, value in vars(layout).items() if name.startswith("NOTE_"))
    assert len(kinds) > 10
    for kind in kinds:
        tape.note(kind, 5, *fields)
    write_call(tape, 0, 0, 1500, "recv", "would_block")
    writer = new_writer(tmp_path / "t.db")
    drain = Drain(writer, (folder,), 0)
    drain.finish()
    assert drain.notes.unreadable > 3
    assert any("spoilt" in sentence for sentence in drain.spots.sentences)
    assert writer.connection.execute("SELECT count(*), sum(thread_id IS NOT NULL) FROM calls").fetchone() == (1, 1)
    writer.close()
