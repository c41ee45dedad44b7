"""The drain reads to the end of the tape, however it is cut into steps."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import pytest
from sockreel.recorder.agent import layout
from sockreel.recorder.agent import tape as writing
from sockreel.recorder.draining.drain import SMALL_STEP_CALLS, Drain
from sockreel.traces import create_trace
from sockreel.traces.writer import RunWriter

SLOT = struct.Struct("<" + layout.SLOT_FIELDS)


@pytest.mark.parametrize("open_call", [0, 7, SMALL_STEP_CALLS - 1, SMALL_STEP_CALLS, 3 * SMALL_STEP_CALLS + 5])
def test_a_call_still_open_in_a_full_step_hides_nothing_behind_it(tmp_path: Path, open_call: int) -> None:
    folder = tmp_path / "tape"
    folder.mkdir()
    agent: Any = writing  # without annotations: it runs inside other people's programs
    tape = agent.Tape([str(folder)])
    tape.open(("3.11.7", "cpython", "python", "a test", "python", "/", "python"))
    calls = 5 * SMALL_STEP_CALLS
    for number in range(calls):
        segment = number >> layout.SLOT_BITS
        buffer = tape.calls.get(segment) or tape.map_segment("c", segment)
        state = layout.OPEN if number == open_call else layout.COMPLETE
        SLOT.pack_into(buffer, (number & (layout.SLOTS - 1)) * layout.SLOT_BYTES, 1, 0, 1000 + number, 1, 0, 0, 0, 0, 0, 2, 5,
                       layout.NOTHING, 0, 11, layout.OUTCOMES["would_block"], 0, state)  # fmt: skip
    path = tmp_path / "t.db"
    writer = RunWriter(path, create_trace(path))
    writer.begin(command="[]", started_at="", recorder_version="0")
    drain = Drain(writer, (folder,), 0)
    drain.step_calls = SMALL_STEP_CALLS
    drain.find_processes()
    drain.finish()
    writer.commit()
    assert writer.connection.execute("SELECT count(*), sum(duration_ns IS NULL) FROM calls").fetchone() == (calls, 1)
    writer.close()
