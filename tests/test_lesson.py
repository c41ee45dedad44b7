"""The lesson: every command in it works and prints what the lesson says it prints, in both languages."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import click
import pytest
from sockreel.cli import front_door
from sockreel.tests.commandline import CommandLine
from sockreel.tools.excerpts import COLUMNS, PAGES, refreshed

each = pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
_COMMAND = re.compile(r"^\$ (sockreel .*)$", re.MULTILINE)
_INLINE = re.compile(r"`sockreel ([a-z]+)([^`]*)`")


class Printed:
    """What command lines print at the lesson's width, each run once."""

    def __init__(self, sockreel: CommandLine) -> None:
        self._run = cache(sockreel)

    def __call__(self, command: str) -> str:
        said = self._run(*command.split()[1:])
        assert (said.status, said.err) == (0, ""), command
        return said.out


@pytest.fixture
def printed(sockreel: CommandLine, monkeypatch: pytest.MonkeyPatch) -> Printed:
    """Runs the lesson's commands, redirected."""
    monkeypatch.setenv("COLUMNS", str(COLUMNS))
    return Printed(sockreel)


@each
def test_what_the_lesson_quotes_is_printed_and_its_numbers_are_too(path: Path, printed: Printed) -> None:
    page = path.read_text(encoding="utf-8")
    assert refreshed(page, printed) == page, "make pictures"
    quotes = re.findall(r"```console\n\$ .*\n((?:.*\n)*?)```", page)
    assert len(quotes) >= 20
    assert all(quotes), "a block quotes nothing"
    numbers = 0
    for section in page.split("\n## ")[1:]:
        told = "".join(map(printed, _COMMAND.findall(section)))
        for number in filter(re.compile(r"\d").search, re.findall(r"\*\*([^*\n]+)\*\*", section)):
            numbers += 1
            assert re.search(rf"(?<![\d.,]){re.escape(number)}(?![\d,]|\.\d)", told), f"{number} in: {section.splitlines()[0]}"
    assert numbers >= 12


@each
def test_every_command_named_in_the_text_takes_what_it_is_given(path: Path) -> None:
    found = _INLINE.findall(path.read_text(encoding="utf-8"))
    assert len(found) >= 8
    for name, rest in found:
        command = front_door.get_command(click.Context(front_door), name)
        assert command is not None, name
        flags = {flag for parameter in command.params for flag in parameter.opts}
        assert set(re.findall(r"(?<!\S)--[a-z-]+", rest)) <= flags, (name, rest)


def test_both_languages_show_the_same() -> None:
    english, chinese = (path.read_text(encoding="utf-8") for path in PAGES)
    assert [command.replace(" --lang zh", "") for command in _COMMAND.findall(chinese)] == _COMMAND.findall(english)
    pictures = [re.findall(r"\]\(([\w/.-]+\.svg)\)", page) for page in (english, chinese)]
    assert [path.replace("-zh.svg", ".svg") for path in pictures[1]] == pictures[0]
    assert [english.count("\n## "), english.count("Predict."), english.count("<details>")] == [
        chinese.count("\n## "), chinese.count("预测。"), chinese.count("<details>")]


@each
def test_the_minutes_make_an_hour(path: Path) -> None:
    page = path.read_text(encoding="utf-8")
    assert sum(map(int, re.findall(r"^\| (\d+) \| \[", page, re.MULTILINE))) == 60
    headings = re.findall(r"^## (\d.*)$", page, re.MULTILINE)
    links = re.findall(r"^\| \d+ \| \[([^\]]+)\]\(#(\S+)\)", page, re.MULTILINE)
    assert [f"{number}. {title}" for number, (title, _) in enumerate(links)] == headings
    for heading, (_, anchor) in zip(headings, links, strict=True):
        # As GitHub makes the anchors of headings.
        assert anchor == re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
