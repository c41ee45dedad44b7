"""Questions about runs: each has one right answer, which the trace alone gives once more, and others that could be thought right."""

from __future__ import annotations

import re
import sqlite3
from collections import Counter
from contextlib import closing
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest
from rich.cells import cell_len
from sockreel.replay.language import language
from sockreel.replay.look import Look
from sockreel.replay.quiz import Question, Quiz, make_quiz
from sockreel.replay.quiz.choosing import GIVEN_AWAY, _clash
from sockreel.replay.quiz.kinds import KINDS
from sockreel.replay.quiz.terminal import Score, read_choice, render_question, render_reply, render_score
from sockreel.tests.synthetic import MS, US, Recording
from sockreel.tests.test_replay.quiz_answers import right_by_sql
from sockreel.traces import open_trace, sample_names
from sockreel.traces.references import sample_path

WIDE = re.compile("[\u4e00-\u9fff]")
SAMPLES = sample_names()
samples = pytest.mark.parametrize("sample", SAMPLES)
codes = pytest.mark.parametrize("code", ["en", "zh"])
EACH = 12


@cache
def asked(sample: str, code: str = "en", seed: int = 1) -> Quiz:
    """Return a quiz about a sample."""
    with open_trace(sample_path(sample)) as trace:
        return make_quiz([(trace, trace.find_run())], language(code), seed, EACH)


@samples
def test_every_answer_is_what_the_trace_says_by_sql_alone(sample: str) -> None:
    with closing(sqlite3.connect(f"file:{sample_path(sample)}?mode=ro", uri=True)) as connection:
        for question in asked(sample).questions:
            assert right_by_sql(connection, question) == question.right.key, question


def test_the_samples_give_hundreds_of_questions_of_nearly_every_kind() -> None:
    counted = Counter(question.kind for sample in SAMPLES for question in asked(sample).questions)
    assert counted.total() >= 200
    assert set(KINDS) - set(counted) <= {"again"}


def family(key: str) -> str:
    """Return what sort of answer a key stands for."""
    return key.partition(":")[0] if ":" in key else "words"


@samples
@codes
def test_a_question_has_one_right_answer_among_three_or_four_of_one_kind(sample: str, code: str) -> None:
    for question in asked(sample, code).questions:
        words = [re.sub(r"\W", "", option.words).casefold() for option in question.options]
        assert 3 <= len(question.options) <= 4
        assert all(words) and len(set(words)) == len(words), question
        assert len({option.key for option in question.options}) == len(words)
        assert 0 <= question.answer < len(words)
        if question.kind != "how_many":
            assert len({family(option.key) for option in question.options}) == 1
        assert question.scene and question.ask and question.calls
        named = set(map(int, re.findall(r"(?:call |调用 )(\d+)", question.because)))
        assert named & set(question.calls), question
        texts = [question.ask, question.because, *question.scene, *(option.words for option in question.options)]
        assert all(text.isprintable() for text in texts)


@samples
def test_whom_or_which_line_one_can_choose_was_really_there(sample: str) -> None:
    with closing(sqlite3.connect(sample_path(sample))) as connection:
        for question in asked(sample).questions:
            chosen = {family(option.key): {other.key.partition(":")[2] for other in question.options} for option in question.options}
            rows = connection.execute("SELECT client FROM exchanges WHERE connected_ns <= ?", [question.at_ns or 0])
            connected = {row[0] for row in rows}
            lines = {str(row[0]) for row in connection.execute("SELECT line FROM sites")}
            assert chosen.get("client", set()) <= connected
            assert chosen.get("line", set()) <= lines


@samples
def test_no_question_stands_beside_one_that_gives_it_away(sample: str) -> None:
    questions = asked(sample).questions
    for one, other in pairwise(questions):
        assert not one.tells & other.asks
        assert not {fact for fact in one.asks & other.tells if fact.startswith("call:")}
        assert _clash(one, other) < GIVEN_AWAY


@samples
def test_both_languages_ask_the_same(sample: str) -> None:
    english, chinese = asked(sample, "en").questions, asked(sample, "zh").questions
    assert [(q.kind, q.calls, q.answer, [o.key for o in q.options]) for q in english] == [
        (q.kind, q.calls, q.answer, [o.key for o in q.options]) for q in chinese]
    for question in chinese:
        assert all(WIDE.search(text) for text in (question.ask, question.because, *question.scene)), question
    for question in english:
        assert not any(WIDE.search(text) for text in (question.ask, question.because, *question.scene))


@samples
@codes
@pytest.mark.parametrize("width", [40, 80])
def test_no_line_is_wider_than_the_screen(sample: str, code: str, width: int) -> None:
    quiz, spoken, look = asked(sample, code), language(code), Look(width)
    for number, question in enumerate(quiz.questions, 1):
        shown = render_question(question, number, quiz, look, spoken) + render_reply(question, 0, look, spoken)
        assert max(map(cell_len, shown.splitlines())) <= width
    score = Score([(question, None) for question in quiz.questions])
    assert max(map(cell_len, render_score(score, quiz, look, spoken).splitlines())) <= width


def test_a_question_fits_a_screen_of_24_lines() -> None:
    heights = [len(render_question(question, 1, quiz, Look(80), language("en")).splitlines())
               for sample in SAMPLES for quiz in [asked(sample)] for question in quiz.questions]
    assert max(heights) <= 23


def test_a_seed_asks_the_same_again_and_another_does_not() -> None:
    with open_trace(sample_path("nonblocking")) as trace:
        run = trace.find_run()
        once, again, other = (make_quiz([(trace, run)], language("en"), seed, 10) for seed in (3, 3, 4))
    assert once == again
    assert once.questions != other.questions


def test_kinds_vary_before_one_of_them_is_asked_again_and_again() -> None:
    for sample in SAMPLES:
        first = asked(sample).questions[:10]
        assert max(Counter(question.kind for question in first).values()) <= 4
        assert all(one.kind != other.kind for one, other in pairwise(first[:4])), sample


@pytest.mark.parametrize(("line", "choice"), [
    ("1\n", 0), (" 4 ", 3), ("b", 1), ("D\n", 3), ("5", None), ("0", None), ("e", None), ("", None), ("12", None), ("²", None),
    ("9" * 5000, None), ("\x1b[A", None), ("--1", None),
])
def test_an_answer_is_a_number_or_a_letter(line: str, choice: int | None) -> None:
    question = next(question for question in asked("nonblocking").questions if len(question.options) == 4)
    assert read_choice(line, question) == choice


def _half_read(path: Path, edge: bool) -> Question:
    """Make a trace of an epoll loop that reads 10 of 100 bytes and waits again, and return the question about it."""
    with Recording(path) as recording:
        run = recording.run("epoll")
        thread = run.thread()
        listener = run.socket(3, "listener", local="127.0.0.1:8000")
        ada = run.socket(4, peer="127.0.0.1:50001", parent_id=listener, opened_ns=10 * MS)
        poller = run.socket(5, "poller", kind="epoll")
        register = run.call(thread, "register", poller, at_ns=11 * MS)
        recording.insert("readiness", call_id=register, socket_id=ada, interest=0x80000001 if edge else 1)
        wait = run.call(thread, "epoll_wait", poller, at_ns=12 * MS, duration_ns=88 * MS, result=1)
        recording.insert("readiness", call_id=wait, socket_id=ada, events=1)
        first = run.call(thread, "recv", ada, at_ns=101 * MS, asked=10, payload=b"x" * 10, timeout_ns=0, ready_ns=100 * MS)
        wait = run.call(thread, "epoll_wait", poller, at_ns=102 * MS, duration_ns=900 * MS if edge else 3 * US, result=0 if edge else 1,
                        outcome="timeout" if edge else "ok", timeout_ns=900 * MS)
        if not edge:
            recording.insert("readiness", call_id=wait, socket_id=ada, events=1)
            run.call(thread, "recv", ada, at_ns=103 * MS, asked=10, payload=b"x" * 10, timeout_ns=0)
        run.exchange("ada", 1, ada, connected_ns=9 * MS, sent_ns=100 * MS, sent_bytes=100, result="none", first_call_id=first)
        run.finish(1_100 * MS)
    with open_trace(path) as trace:
        (question,) = make_quiz([(trace, trace.find_run())], language("en"), 1, 5, ["again"]).questions
    return question


@pytest.mark.parametrize(("edge", "key"), [(True, "no"), (False, "yes")])
def test_whether_epoll_tells_again_of_what_was_left_is_asked(tmp_path: Path, edge: bool, key: str) -> None:
    question = _half_read(tmp_path / "t.db", edge)
    assert question.right.key == key
    assert "In its receive queue 90 bytes are left." in " ".join(question.scene)
    with closing(sqlite3.connect(tmp_path / "t.db")) as connection:
        assert right_by_sql(connection, question) == key


def test_what_a_few_microseconds_decided_is_not_asked(tmp_path: Path) -> None:
    with Recording(tmp_path / "t.db") as recording:
        run = recording.run("near")
        thread = run.thread()
        client = run.socket(4)
        # It could wait, and returned after 60 us: whether the bytes were there before, nobody knows.
        run.call(thread, "recv", client, at_ns=10 * MS, duration_ns=60 * US, asked=10, payload=b"x")
        run.call(thread, "recv", client, at_ns=20 * MS, duration_ns=2 * MS, asked=10, payload=b"x")
        run.call(thread, "recv", client, at_ns=30 * MS, duration_ns=60 * US, asked=10, outcome="eof", result=0)
        clear = run.call(thread, "recv", client, at_ns=40 * MS, duration_ns=5 * US, asked=10, payload=b"x", ready_ns=30 * MS)
        run.finish(50 * MS)
    with open_trace(tmp_path / "t.db") as trace:
        quiz = make_quiz([(trace, trace.find_run())], language("en"), 1, 50, ["call", "left", "readable"])
    assert [question.calls for question in quiz.questions] == [(clear,)]


def test_names_from_a_trace_cannot_drive_the_terminal(tmp_path: Path) -> None:
    hostile = "\x1b]0;x\x07<b>" + "w" * 90
    with Recording(tmp_path / "t.db") as recording:
        run = recording.run(hostile)
        thread = run.thread(hostile)
        listener = run.socket(3, "listener", local=hostile)
        for number in range(3):
            client = run.socket(4 + number, peer=hostile + str(number), parent_id=listener, opened_ns=10 * MS)
            site = (f"/{hostile}.py", 7 + number, hostile, f"recv({number}) {hostile}")
            run.call(thread, "recv", client, at_ns=(20 + number * 40) * MS, duration_ns=30 * MS, asked=9, payload=b"hello", site=site)
            run.exchange(f"{number}{hostile}", 1, client, connected_ns=9 * MS, sent_ns=(40 + number * 40) * MS,
                         answered_ns=(60 + number * 40) * MS, sent_bytes=5)
        run.finish(200 * MS)
    for code in ("en", "zh"):
        with open_trace(tmp_path / "t.db") as trace:
            quiz = make_quiz([(trace, trace.find_run())], language(code), 1, 50)
        assert quiz.questions
        for question in quiz.questions:
            shown = render_question(question, 1, quiz, Look(60), language(code)) + render_reply(question, 0, Look(60), language(code))
            assert "\x1b" not in shown and "\x07" not in shown
            assert max(map(cell_len, shown.splitlines())) <= 60
