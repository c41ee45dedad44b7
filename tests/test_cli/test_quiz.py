"""The quiz as its users meet it: typed and piped answers, the score, sheets to print."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
from markdown_it import MarkdownIt
from rich.cells import cell_len
from sockreel.tests.commandline import CommandLine
from sockreel.tests.synthetic import Recording
from sockreel.tests.test_cli.quiz_scenes import hostile
from sockreel.tests.test_replay.scenes import lecture

SAMPLE = "sample:blocking"


def quiz(arguments: list[str], typed: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the quiz in a process of its own, with lines piped in."""
    env = {**os.environ, "PYTHONIOENCODING": "utf-8", "COLUMNS": "80", **environment}
    return subprocess.run([sys.executable, "-m", "sockreel", "quiz", *arguments], input=typed, capture_output=True, text=True, env=env,
                          encoding="utf-8", timeout=60, check=False)


def answers(sockreel: CommandLine, *arguments: str) -> list[int]:
    """Return the right answers of a quiz, as they are typed."""
    return [question["answer"] + 1 for question in sockreel("quiz", *arguments, "--json").json["questions"]]


def test_right_answers_that_are_piped_in_give_the_full_score(sockreel: CommandLine) -> None:
    asked = SAMPLE, "--seed", "3", "--questions", "6", "--lang", "en"
    right = answers(sockreel, *asked)
    assert len(right) == 6
    done = quiz(list(asked), "".join(f"{number}\n" for number in right))
    assert (done.returncode, done.stderr) == (0, "")
    assert "6 of 6 questions right." in done.stdout
    assert done.stdout.count("\nRight.\n") == 6
    assert "Look again" not in done.stdout
    assert "--seed 3 asks the same questions again." in done.stdout
    assert max(map(cell_len, done.stdout.splitlines())) <= 80
    assert "\x1b" not in done.stdout


def test_a_wrong_answer_is_told_the_right_one_and_why(sockreel: CommandLine) -> None:
    asked = SAMPLE, "--seed", "3", "--questions", "3", "--lang", "en"
    right = answers(sockreel, *asked)
    done = quiz(list(asked), f"{right[0] % 3 + 1}\n\nnonsense\n{right[2]}\n")
    assert done.returncode == 0
    assert f"No. The answer is {right[0]}: " in done.stdout
    assert f"Passed. The answer is {right[1]}: " in done.stdout
    assert "please." in done.stdout
    assert "1 of 3 questions right. Passed: 1." in done.stdout
    assert "Look again at: " in done.stdout


@pytest.mark.parametrize(("typed", "said"), [("", "No question was answered."), ("q\n", "No question was answered."),
                                             ("\nq\n", "0 of 1 question right. Passed: 1.")])
def test_the_end_of_the_input_and_q_end_it_with_the_score(typed: str, said: str) -> None:
    done = quiz([SAMPLE, "--seed", "1", "--lang", "en"], typed)
    assert (done.returncode, done.stderr) == (0, "")
    assert said in done.stdout


def test_ctrl_c_ends_it_with_the_score() -> None:
    process = subprocess.Popen([sys.executable, "-m", "sockreel", "quiz", SAMPLE, "--lang", "en"], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdin and process.stdout
    seen = b""
    while not seen.endswith(b"end)> "):
        seen += process.stdout.read1(65536)  # type: ignore[attr-defined]
    process.send_signal(signal.SIGINT)
    rest, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (0, b"")
    assert b"No question was answered." in rest


def test_on_a_terminal_it_waits_until_the_explanation_was_read() -> None:
    master, slave = os.openpty()
    env = {**os.environ, "COLUMNS": "80", "NO_COLOR": "1", "PYTHONIOENCODING": "utf-8"}
    process = subprocess.Popen([sys.executable, "-m", "sockreel", "quiz", SAMPLE, "--seed", "3", "--questions", "2", "--lang", "en"],
                               stdin=slave, stdout=slave, stderr=slave, env=env, close_fds=True)
    os.close(slave)
    seen = b""
    try:
        for wanted, typed in ((b"q: end)> ", b"1\n"), (b"Enter: next question, q: end> ", b"\n"), (b"q: end)> ", b"\n")):
            start = len(seen)
            while wanted not in seen[start:]:
                seen += os.read(master, 65536)
            os.write(master, typed)
        assert process.wait(60) == 0
        while b"asks the same questions again." not in seen:
            seen += os.read(master, 65536)
    finally:
        process.kill()
        process.wait()
        os.close(master)
    assert b"Question 2 of 2" in seen and b"Passed: 1." in seen


def test_it_speaks_chinese(sockreel: CommandLine) -> None:
    done = quiz([SAMPLE, "--seed", "3", "--questions", "3"], "1\n1\n1\n", LC_ALL="zh_CN.UTF-8")
    assert "第 1 题，共 3 题" in done.stdout
    assert "题中答对" in done.stdout
    assert max(map(cell_len, done.stdout.splitlines())) <= 80


def test_colours_only_where_they_are_wanted() -> None:
    coloured = quiz([SAMPLE, "--seed", "3", "--lang", "en"], "1\n", FORCE_COLOR="1")
    plain = quiz([SAMPLE, "--seed", "3", "--lang", "en"], "1\n", FORCE_COLOR="1", NO_COLOR="1")
    assert "\x1b[" in coloured.stdout and "\x1b" not in plain.stdout
    assert re.sub(r"\x1b\[[\d;]*m|\s", "", coloured.stdout) == re.sub(r"\s", "", plain.stdout)


def test_a_screen_without_such_letters_gets_ascii() -> None:
    done = quiz([SAMPLE, "--seed", "3", "--lang", "en"], "1\n2\n3\n4\n", PYTHONIOENCODING="ascii")
    assert done.returncode == 0
    assert done.stdout.isascii()


def test_several_runs_are_asked_about_in_turn(sockreel: CommandLine, tmp_path: Path) -> None:
    lecture_file = lecture(tmp_path / "lecture.db")
    found = sockreel("quiz", SAMPLE, "sample:epoll_edge", "--seed", "1", "--questions", "8", "--json").json
    assert {question["run"] for question in found["questions"]} == {"blocking", "epoll_edge"} == set(found["runs"])
    both = sockreel("quiz", str(lecture_file), "--seed", "1", "--questions", "8", "--json").json
    assert {question["run"] for question in both["questions"]} == {"blocking", "nonblocking"}
    one = sockreel("quiz", f"{lecture_file}#nonblocking", "--seed", "1", "--questions", "8", "--json").json
    assert {question["run"] for question in one["questions"]} == {"nonblocking"}


def test_json_holds_whatever_a_question_is(sockreel: CommandLine) -> None:
    found = sockreel("quiz", SAMPLE, "--seed", "9", "--questions", "4", "--lang", "zh", "--json").json
    assert (found["seed"], found["language"], len(found["questions"])) == (9, "zh", 4)
    for question in found["questions"]:
        assert {"kind", "ask", "scene", "options", "answer", "because", "calls", "at_ns", "code"} <= set(question)
        assert question["options"][question["answer"]]["words"]


class _Sheet(HTMLParser):
    """What a sheet of HTML holds: its tags with their attributes, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words += data


@pytest.mark.parametrize("code", ["en", "zh"])
def test_a_sheet_has_a_box_for_each_answer_and_its_key_on_a_page_of_its_own(sockreel: CommandLine, tmp_path: Path, code: str) -> None:
    path = tmp_path / "sheet.html"
    asked = SAMPLE, "--seed", "4", "--questions", "7", "--lang", code
    assert sockreel("quiz", *asked, "--export", str(path)).status == 0
    questions = sockreel("quiz", *asked, "--json").json["questions"]
    text = path.read_text(encoding="utf-8")
    sheet = _Sheet(text)
    assert sum(attributes.get("class") == "box" for _, attributes in sheet.tags) == sum(len(q["options"]) for q in questions)
    assert ("html", {"lang": code}) in sheet.tags
    before, _, key = text.partition('<section class="key">')
    assert "break-before: page" in before
    assert key.count("<tr>") == len(questions) + 1
    assert re.findall(r"<td>([A-E])</td>", key) == ["ABCDE"[question["answer"]] for question in questions]
    # Nothing before the key tells an answer: no explanation stands there.
    assert not any(question["because"] in _Sheet(before).words for question in questions)
    assert all(question["ask"] in sheet.words and question["because"] in sheet.words for question in questions)
    assert not {tag for tag, _ in sheet.tags} & {"script", "img", "link", "iframe", "form"}
    policy = next(attributes["content"] for tag, attributes in sheet.tags if tag == "meta" and "http-equiv" in attributes)
    assert policy and policy.startswith("default-src 'none'; style-src 'sha256-")
    assert oct(path.stat().st_mode & 0o777) == "0o600"


@pytest.mark.parametrize("ending", ["md", "txt"])
@pytest.mark.parametrize("code", ["en", "zh"])
def test_a_sheet_of_text_has_its_key_behind_a_page_break(sockreel: CommandLine, tmp_path: Path, ending: str, code: str) -> None:
    path = tmp_path / f"sheet.{ending}"
    asked = SAMPLE, "--seed", "4", "--questions", "7", "--lang", code
    assert sockreel("quiz", *asked, "--export", str(path)).status == 0
    questions = sockreel("quiz", *asked, "--json").json["questions"]
    sheet, _, key = path.read_text(encoding="utf-8").partition("\f" if ending == "txt" else "page-break-before: always")
    assert key
    assert sheet.count("[ ]") == sum(len(question["options"]) for question in questions)
    letters = re.findall(r"^ *\d+\. (?:\*\*)?([A-E])", key, re.MULTILINE)
    assert letters == ["ABCDE"[question["answer"]] for question in questions]
    if ending == "txt":
        assert max(map(cell_len, (sheet + key).splitlines())) <= 78


def test_names_from_a_trace_are_text_on_every_sheet(sockreel: CommandLine, tmp_path: Path) -> None:
    hostile(tmp_path / "t.db")
    for ending in ("html", "md", "txt"):
        sheet = tmp_path / f"s.{ending}"
        assert sockreel("quiz", str(tmp_path / "t.db"), "--seed", "1", "--questions", "30", "--export", str(sheet)).status == 0
        text = sheet.read_text(encoding="utf-8")
        assert "\x1b" not in text
        assert "alert(1)" in text.replace("\\", "")
        if ending != "txt":
            page = _Sheet(MarkdownIt("commonmark").render(text) if ending == "md" else text)
            assert not {tag for tag, _ in page.tags} & {"script", "img", "a"}


def test_what_cannot_be_done_is_said_in_a_line(sockreel: CommandLine, tmp_path: Path) -> None:
    taken = tmp_path / "taken.html"
    taken.write_text("mine")
    assert "exists; --force writes over it" in sockreel("quiz", SAMPLE, "--export", str(taken)).err
    assert taken.read_text() == "mine"
    assert "a sheet is one of .html, .md, .txt" in sockreel("quiz", SAMPLE, "--export", str(tmp_path / "sheet.pdf")).err
    assert sockreel("quiz", SAMPLE, "--export", str(taken), "--force").status == 0
    assert "can be asked about" in sockreel("quiz", str(_empty(tmp_path / "empty.db")), "--lang", "en").err


def _empty(path: Path) -> Path:
    with Recording(path) as recording:
        run = recording.run("empty")
        run.thread()
        run.finish(1_000)
    return path


def test_a_damaged_trace_is_one_line(sockreel: CommandLine, tmp_path: Path) -> None:
    path = tmp_path / "t.db"
    path.write_bytes(b"SQLite format 3\x00" + b"\xff" * 4096)
    assert sockreel("quiz", str(path)).failure
    assert json.loads(sockreel("quiz", SAMPLE, "--json").out)["questions"]
