"""What a quiz says of clients before a call: as it is by the server's calls, where the clients' own clocks are a little behind."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sockreel.replay.language import language
from sockreel.replay.quiz import Question, make_quiz
from sockreel.tests.synthetic import MS, US, Recording
from sockreel.traces import open_trace, sample_names
from sockreel.traces.references import sample_path

WAITING = """
SELECT count(*) FROM exchanges e WHERE e.run_id = :run AND e.client = :client AND e.sent_ns <= :at AND e.answered_ns > :at
  AND e.answered_bytes > (SELECT ifnull(sum(c.result), 0) FROM calls c JOIN operations o ON o.id = c.operation_id
    WHERE c.socket_id = e.socket_id AND o.name LIKE '%send%' AND c.result > 0 AND c.outcome_id = 2
      AND c.started_ns >= e.sent_ns AND c.started_ns + c.duration_ns <= :at)"""


def _questions(path: Path, code: str = "en", kinds: tuple[str, ...] = ("call",)) -> tuple[Question, ...]:
    with open_trace(path) as trace:
        return make_quiz([(trace, trace.find_run())], language(code), 1, 60, kinds).questions


def _answered(path: Path, *, sent: int) -> None:
    """Make a trace in which ada, who asked at 20 ms, reads its 10 bytes at 40 ms; the server has sent so many at 30, and polls at 31."""
    with Recording(path) as recording:
        run = recording.run("polls")
        thread = run.thread()
        listener = run.socket(3, "listener", local="127.0.0.1:8000")
        ada = run.socket(4, peer="127.0.0.1:50001", parent_id=listener, opened_ns=10 * MS)
        run.call(thread, "recv", ada, at_ns=21 * MS, asked=100, payload=b"x" * 10, timeout_ns=0)
        run.call(thread, "send", ada, at_ns=30 * MS, asked=10, result=sent, timeout_ns=0)
        run.call(thread, "recv", ada, at_ns=31 * MS, duration_ns=5 * US, asked=100, outcome="would_block", timeout_ns=0)
        run.call(thread, "accept", listener, at_ns=32 * MS, duration_ns=5 * US, outcome="would_block", timeout_ns=0)
        run.exchange("ada", 1, ada, connected_ns=9 * MS, sent_ns=20 * MS, answered_ns=40 * MS, sent_bytes=10, answered_bytes=10)
        run.finish(50 * MS)


@pytest.mark.parametrize(("sent", "code", "said"), [
    (10, "en", "ada asked 12.0 ms ago; its answer has just been sent."), (10, "zh", "「ada」在 12.0 ms 前发出请求，回答刚刚发出。"),
    (9, "en", "ada asked 12.0 ms ago, and has no answer yet."), (9, "zh", "「ada」在 12.0 ms 前发出请求，还没有得到回答。"),
])
def test_who_was_sent_the_whole_answer_is_not_said_to_wait(tmp_path: Path, sent: int, code: str, said: str) -> None:
    _answered(tmp_path / "t.db", sent=sent)
    scenes = [question.scene for question in _questions(tmp_path / "t.db", code) if question.at_ns == 32 * MS]
    assert scenes and all(said in scene for scene in scenes)


def test_who_was_accepted_is_there_before_its_own_clock_says_so(tmp_path: Path) -> None:
    with Recording(tmp_path / "t.db") as recording:
        run = recording.run("polls")
        thread = run.thread()
        listener = run.socket(3, "listener", local="127.0.0.1:8000")
        run.call(thread, "accept", listener, at_ns=10 * MS, result=2, timeout_ns=0)
        ada = run.socket(4, peer="127.0.0.1:50001", parent_id=listener, opened_ns=10 * MS)
        run.call(thread, "accept", listener, at_ns=11 * MS, duration_ns=5 * US, outcome="would_block", timeout_ns=0)
        run.exchange("ada", 1, ada, connected_ns=12 * MS, sent_ns=20 * MS, answered_ns=21 * MS, sent_bytes=1, answered_bytes=1)
        run.finish(50 * MS)
    (question,) = [question for question in _questions(tmp_path / "t.db") if question.at_ns == 11 * MS]
    assert "ada is connected, and has said nothing yet." in question.scene


@pytest.mark.parametrize("sample", ["nonblocking", "epoll_level", "select", "asyncio_streams", "blocking_threads"])
def test_in_the_samples_nobody_is_said_to_wait_whose_answer_was_sent(sample: str) -> None:
    assert sample in sample_names()
    told = 0
    with closing(sqlite3.connect(f"file:{sample_path(sample)}?mode=ro", uri=True)) as connection:
        for question in _questions(Path(sample_path(sample)), kinds=()):
            for sentence in question.scene:
                client, asked, rest = sentence.partition(" asked ")
                if asked and question.at_ns is not None and ("no answer yet" in rest or "just been sent" in rest):
                    values = {"run": question.run_id, "client": client, "at": question.at_ns}
                    waiting = connection.execute(WAITING, values).fetchone()[0]
                    assert bool(waiting) is ("no answer yet" in rest), json.dumps([question.scene, question.calls])
                    told += 1
    assert told
