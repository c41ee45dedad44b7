"""Every command has help, an example that means it, and its place in the documentation."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest
from sockreel.cli import COMMANDS, front_door
from sockreel.tests.commandline import CommandLine

ROOT = Path(__file__).resolve().parent.parent.parent
commands = pytest.mark.parametrize("name", COMMANDS)


def _command(name: str) -> click.Command:
    found = front_door.get_command(click.Context(front_door), name)
    assert found is not None
    return found


def _section(name: str) -> str:
    page = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    found = re.search(rf"^## {name}\n(.*?)(?=^## |\Z)", page, re.DOTALL | re.MULTILINE)
    assert found, f"docs/commands.md has no section {name}"
    return found.group(1)


@commands
def test_help_says_what_it_does_and_shows_an_example(name: str, sockreel: CommandLine) -> None:
    said = sockreel(name, "--help")
    assert (said.status, said.err) == (0, "")
    assert said.out.startswith(f"Usage: sockreel {name}")
    _, _, example = said.out.partition("\n  Example:\n")
    assert example.startswith(f"    sockreel {name}")
    assert max(map(len, said.out.splitlines())) <= 80


@commands
def test_every_example_is_a_command_line_that_the_command_takes(name: str) -> None:
    command = _command(name)
    flags = {flag for parameter in command.params for flag in (*parameter.opts, *parameter.secondary_opts)} | {"-h", "--help", "--"}
    lines = re.findall(rf"^ *sockreel {name}(.*)$", command.help or "", re.MULTILINE)
    assert lines
    for line in lines:
        ours = re.split(r" -m | \w+\.py", line)[0] if name in ("record", "verify") else line
        assert set(re.findall(r"(?<!\S)--?[a-z][\w-]*", ours)) <= flags


@commands
def test_every_option_is_explained(name: str) -> None:
    for parameter in _command(name).params:
        if isinstance(parameter, click.Option):
            assert parameter.help, f"{name} {parameter.opts[-1]} has no help"


@commands
def test_the_documentation_names_the_options_that_are_there_and_no_others(name: str) -> None:
    there = {flag for parameter in _command(name).params if isinstance(parameter, click.Option) for flag in parameter.opts}
    table = "\n".join(line.split("|")[1] for line in _section(name).splitlines() if line.startswith("| `"))
    assert set(re.findall(r"`(--?[a-z][\w-]*)`", table)) == there


@commands
def test_the_documentation_shows_the_examples_of_the_help(name: str) -> None:
    examples = re.findall(rf"^ *(sockreel {name}.*)$", _command(name).help or "", re.MULTILINE)
    assert examples
    for example in examples:
        assert f"    {example}\n" in _section(name)


def test_the_documentation_has_no_command_that_is_not_there() -> None:
    page = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    assert re.findall(r"^## (\S+)$", page, re.MULTILINE) == list(COMMANDS)


@pytest.mark.parametrize(
    "arguments", [["nonsense"], ["runs"], ["runs", "a", "b"], ["stats", "x", "--sort", "luck"], ["query", "x", "y", "z"]]
)
def test_wrong_use_ends_with_2_and_says_how_to_use_it(arguments: list[str], sockreel: CommandLine) -> None:
    said = sockreel(*arguments)
    assert (said.status, said.out) == (2, "")
    assert "Usage: sockreel" in said.err
    assert "Error: " in said.err


def test_help_of_the_whole_lists_every_command_with_one_line(sockreel: CommandLine) -> None:
    out = sockreel("--help").out
    for name, line in COMMANDS.items():
        assert re.search(rf"^  {name} +{re.escape(line)}$", out, re.MULTILINE)


def test_listing_commands_all_speak_json() -> None:
    for name in ("runs", "show", "stats", "compare", "query", "check", "verify", "doctor"):
        assert "--json" in {flag for parameter in _command(name).params for flag in parameter.opts}
