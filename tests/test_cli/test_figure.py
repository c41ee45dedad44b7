"""Figures of programs that were really recorded: their times agree with the calls on both sides."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from sockreel.replay.figure import Figure
from sockreel.replay.figure_shapes import draw_up
from sockreel.replay.receive import load_receive
from sockreel.tests.commandline import CommandLine
from sockreel.traces import open_trace

PROGRAM = Path(__file__).parent / "programs" / "waiting.py"
MODELS = ("blocking", "nonblocking", "multiplexing")
TOLD = {(): "sender", ("--kernel-times",): "kernel"}


def _record(path: Path, model: str, *options: str) -> None:
    subprocess.run([sys.executable, "-m", "sockreel", "record", "-q", "-o", path, *options, PROGRAM, model], check=True, timeout=60)


def _figure(path: Path) -> tuple[Figure, tuple[int, int]]:
    """Return the figure, and when the send that brought its data began and ended."""
    with open_trace(path) as trace:
        figure = draw_up(load_receive(trace, trace.find_run()))
        (send,) = [row["from_call_id"] for row in trace.rows(
            "SELECT from_call_id FROM links WHERE kind = 'sent' AND to_call_id = ?", [figure.call.call_id])]
        (row,) = trace.rows("SELECT started_ns, duration_ns FROM calls WHERE id = ?", [send])
    return figure, (row["started_ns"], row["started_ns"] + row["duration_ns"])


@pytest.mark.parametrize("options", TOLD)
@pytest.mark.parametrize("model", MODELS)
def test_a_recorded_receive_is_drawn_with_the_moment_its_data_came(
    tmp_path: Path, sockreel: CommandLine, model: str, options: tuple[str, ...],
) -> None:
    _record(tmp_path / "t.db", model, *options)
    figure, (sent_ns, returned_ns) = _figure(tmp_path / "t.db")
    assert (figure.model, figure.receive.ready_source, figure.call.result) == (model, TOLD[options], 100)
    assert figure.call.ready_ns is not None and sent_ns <= figure.call.ready_ns <= returned_ns
    times = [step.at_ns for step in figure.steps if step.at_ns is not None]
    assert times == sorted(times)
    phases = {phase.state: phase for phase in figure.phases if phase.side == "kernel"}
    assert phases["wait"].ns == figure.call.ready_ns - figure.origin_ns
    assert phases["copy"].ns is not None and 0 < phases["copy"].ns <= figure.call.ended_ns - figure.call.ready_ns
    (ready,) = [step for step in figure.steps if step.at_ns == figure.call.ready_ns]
    assert (ready.queued, ready.at_least) == (100, False)
    said = sockreel("figure", tmp_path / "t.db", "--lang", "zh")
    assert said.status == 0 and "等待数据" in said.out and "数据就绪" in said.out
    assert "in the kernel's buffers" in sockreel("show", tmp_path / "t.db").out
