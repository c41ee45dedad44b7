"""`sockreel doctor`: how findings are told, and its exit status. The probes are in tests/test_recorder/test_doctor.py."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest
from sockreel.recorder import doctor
from sockreel.recorder.doctor import Finding
from sockreel.tests.commandline import CommandLine


def test_this_machine_is_examined_and_recording_works(sockreel: CommandLine) -> None:
    said = sockreel("doctor", "--python", sys.executable, "--json")
    assert (said.status, said.err) == (0, "")
    assert said.json["works"] is True
    found = {finding["name"]: finding for finding in said.json["findings"]}
    assert list(found) == ["recording", "cost of a call", "counting", "shared memory", "SQLite", "pidfd", "kernel times", "packets",
                           "namespaces", "io_uring", "strace", "perf", "terminal"]  # fmt: skip
    assert found["recording"]["facts"]["calls"] == 4
    assert found["cost of a call"]["facts"]["cost_ns"] > 0
    assert {finding["state"] for finding in found.values()} <= {"ok", "limited", "missing"}
    assert all(finding["remedy"] for finding in found.values() if finding["state"] == "missing")


def test_a_python_that_cannot_be_recorded_ends_with_1(sockreel: CommandLine) -> None:
    said = sockreel("doctor", "--python", "/no/such/python")
    assert (said.status, said.err) == (1, "")
    lines = said.out.splitlines()
    assert lines[0] == "recording       missing  /no/such/python: no such file"
    assert "our own Python  " in said.out  # which can
    assert lines[-1] == "Recording does not work: see recording."


def _findings() -> Iterator[Finding]:
    yield Finding("recording", "ok", "all well", needed=True)
    yield Finding("packets", "missing", "not allowed " * 8, "be somebody\x1b[31m else")


def test_lines_fit_80_columns_and_carry_nothing_a_terminal_obeys(sockreel: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "examine", lambda python: _findings())
    said = sockreel("doctor")
    assert said.status == 0  # packets are not needed
    assert "\x1b" not in said.out
    assert max(map(len, said.out.splitlines())) <= 80
    assert "to do: be somebody\\x1b[31m else" in said.out
    assert said.out.splitlines()[-1] == "Recording works."


def test_colours_are_there_when_asked_for(sockreel: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "examine", lambda python: _findings())
    monkeypatch.setenv("FORCE_COLOR", "1")
    out = sockreel("doctor").out
    assert "\x1b[32mok" in out and "\x1b[31mmissing" in out
    assert "\x1b[31m else" not in out


def test_a_screen_without_our_signs_is_limited(sockreel: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    from sockreel.commands import _options
    from sockreel.commands import doctor as command

    monkeypatch.setattr(_options, "_shows", lambda signs: False)
    found = command.terminal()
    assert found.state == "limited" and "ASCII" in found.text and found.remedy
