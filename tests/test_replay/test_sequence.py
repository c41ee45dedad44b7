"""Sequence diagrams: who said what to whom, in text that means nothing else."""

from __future__ import annotations

import io
import re
from pathlib import Path

from sockreel.replay.exports.sequence import MOST, load_sequence, write_mermaid, write_sequence
from sockreel.tests.synthetic import MS, Recording, S
from sockreel.traces import open_trace
from sockreel.traces.excerpt import Excerpt

from .scenes import long

MESSAGE = re.compile(r"    P\d+(->>|-->>)P\d+: [\w .,:()'/+\-=×…|#;]+")


def _text(path: Path, name: str, writer: object, payload: bool = True) -> str:
    out = io.BytesIO()
    with open_trace(path) as trace:
        writer([Excerpt(trace, trace.find_run(name), payload=payload)], out)  # type: ignore[operator]
    return out.getvalue().decode("utf-8")


def test_calls_answers_and_clients_come_in_the_order_of_time(lecture_file: Path) -> None:
    with open_trace(lecture_file) as trace:
        diagram = load_sequence(Excerpt(trace, trace.find_run("blocking")))
    assert diagram.parties[:2] == ("application", "kernel")
    assert {"ada", "ben"} <= set(diagram.parties)
    assert [message.at_ns for message in diagram.messages] == sorted(message.at_ns for message in diagram.messages)
    asked = next(message for message in diagram.messages if message.source == "application" and message.text.startswith("recv("))
    answer = next(message for message in diagram.messages if message.at_ns > asked.at_ns and message.target == "application")
    assert answer.back and "'hello'" in answer.text and "99.0 ms" in answer.text


def test_a_spin_is_one_message_and_its_answer(lecture_file: Path) -> None:
    with open_trace(lecture_file) as trace:
        diagram = load_sequence(Excerpt(trace, trace.find_run("nonblocking")))
    spins = [message for message in diagram.messages if "fruitless calls" in message.text]
    assert spins
    assert sum(message.text.startswith("nothing each time") for message in diagram.messages) == len(spins)
    assert len(diagram.messages) < 200


def test_mermaid_gets_nothing_that_it_could_take_for_its_own(tmp_path: Path) -> None:
    hostile = 'end; %%{init}%% <script>;\n-->>P0: "x" #35; \x1b'
    with Recording(tmp_path / "t.db") as recording:
        run = recording.run(hostile)
        client = run.socket(4, peer=hostile)
        run.call(run.thread(hostile), "recv", client, at_ns=0, duration_ns=50 * MS, payload=hostile.encode(), asked=100)
        run.exchange(hostile, 1, client, sent_ns=MS, answered_ns=9 * MS)
        run.finish(S)
    lines = _text(tmp_path / "t.db", "1", write_mermaid).splitlines()
    assert lines[0] == "sequenceDiagram"
    messages = [line for line in lines if "->>" in line]
    assert len(messages) == 4
    assert all(MESSAGE.fullmatch(line) for line in messages)
    assert all(line.startswith(("    title ", "    participant P", "    P")) for line in lines[1:])
    assert "<" not in "".join(lines) and "%" not in "".join(lines)


def test_the_plain_diagram_points_each_arrow_the_right_way(lecture_file: Path) -> None:
    lines = _text(lecture_file, "blocking", write_sequence, payload=False).splitlines()
    assert lines[2].split()[:2] == ["application", "kernel"]
    accept = next(line for line in lines if "accept(" in line)
    assert accept.index("─") < accept.index("▶") < accept.index("accept(")
    answer = lines[lines.index(accept) + 1]
    assert answer.index("◀") < answer.index("╌")
    assert "hello" not in "\n".join(lines)


def test_a_long_run_ends_the_diagram_and_says_so(tmp_path: Path) -> None:
    long(tmp_path / "t.db", MOST + 50)
    for writer in (write_mermaid, write_sequence):
        assert "and more" in _text(tmp_path / "t.db", "long", writer).splitlines()[-1]
