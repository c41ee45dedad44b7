"""The pictures of the README and of docs/: each is what its command draws from the samples now."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from sockreel.tests.commandline import CommandLine
from sockreel.tools.pictures import DOCS, PLAYER, commands, draw, player_commands, terminal_commands

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", *sorted(DOCS.glob("*.md"))]


@pytest.mark.parametrize("name", commands())
def test_a_picture_is_what_its_command_draws(name: str, sockreel: CommandLine) -> None:
    drawn = sockreel(*commands()[name])
    assert drawn.status == 0
    assert drawn.out == (DOCS / f"{name}.svg").read_text(encoding="utf-8"), "make pictures"


@pytest.mark.parametrize("name", terminal_commands())
def test_a_picture_of_a_terminal_is_what_its_command_prints(name: str) -> None:
    assert draw(name) == (DOCS / f"{name}.svg").read_text(encoding="utf-8"), "make pictures"


@pytest.mark.parametrize("name", player_commands())
def test_the_player_is_drawn_without_a_terminal_and_the_same_each_time(name: str) -> None:
    shown, kept = draw(name), (DOCS / f"{name}.svg").read_text(encoding="utf-8")
    assert shown == draw(name)
    assert all(f">▸ {run}" in shown or f"  {run}" in shown for run in PLAYER) and "waits for data" in shown
    assert all(run in kept for run in PLAYER)


def test_every_picture_that_a_page_shows_is_there_and_every_picture_of_a_sample_is_shown() -> None:
    shown = {(page.parent / path).resolve() for page in PAGES for path in re.findall(r"\]\(([\w/.-]+\.(?:svg|png))\)",
                                                                                    page.read_text(encoding="utf-8"))}
    assert [path for path in shown if not path.is_file()] == []
    assert [name for name in (*commands(), *terminal_commands()) if (DOCS / f"{name}.svg").resolve() not in shown] == []


def test_no_picture_names_a_folder_of_the_machine_that_drew_it() -> None:
    for name in (*commands(), *terminal_commands()):
        assert re.findall(r"/(?:home|root|tmp|usr|site-packages)/", (DOCS / f"{name}.svg").read_text(encoding="utf-8")) == []


def test_the_readme_opens_with_a_picture_made_by_the_command_below_it(sockreel: CommandLine) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    pictures = re.findall(r"\]\((docs/[\w/.-]+\.svg)\)", readme)
    assert pictures[0] == "docs/models.svg"
    (words,) = re.findall(r"^sockreel (export sample:.*)$", readme, re.MULTILINE)
    drawn = sockreel(*words.split(), "-o", "-", "--no-payload")
    assert drawn.out == (ROOT / pictures[0]).read_text(encoding="utf-8")
