"""What stands in for Python's functions and methods answers every question as they do, under every interpreter.

The names are found by looking for what is of the recorder's making, so that one added later is judged as well.
"""

from __future__ import annotations

import json
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from .playing import interpreter
from .recording import PROGRAMS, Recorder

ROOT = Path(__file__).resolve().parents[2]
FACES = PROGRAMS / "faces.py"
HAS_C = bool(list((ROOT / "recorder" / "agent").glob("_core.*.so")))
# All that may differ. A bound method is a functools.partial, and comes apart as one; a message may name another function.
ALLOWED = {("odd", "func"), ("odd", "args"), ("odd", "keywords"), ("odd", "__get__"), ("refused", ""), ("autospec", "")}
# What stands in for a function written in Python is one, too: with a body, a file and parameters of its own.
ALLOWED_OF_PYTHON = ALLOWED | {
    ("dir", ""), ("odd", "__wrapped__"), ("odd", "__defaults__"), ("odd", "__kwdefaults__"), ("odd", "__closure__"), ("getfile", ""),
    ("fullargspec", ""), ("unwrap", ""), ("no self", ""), ("wrong self", "")}  # fmt: skip


@cache
def faces_without_us(python: str, names: tuple[str, ...]) -> dict[str, Any]:
    done = subprocess.run([python, str(FACES), *names], capture_output=True, text=True, check=True)
    return dict(json.loads(done.stdout))


def differences(bare: dict[str, Any], recorded: dict[str, Any]) -> set[tuple[str, str]]:
    """Return (question, part of it) of every answer that is not the same."""
    found = set()
    assert bare.keys() == recorded.keys()
    for question, answer in bare.items():
        other = recorded[question]
        if isinstance(answer, dict) and isinstance(other, dict):
            found |= {(question, part) for part in answer.keys() | other.keys() if answer.get(part) != other.get(part)}
        elif answer != other:
            found.add((question, ""))
    return found


CASES = [("this", "c"), *((version, "python") for version in ("this", "3.8", "3.9", "3.10", "3.12", "3.13"))]


@pytest.mark.parametrize(("version", "core"), CASES)
def test_every_name_that_we_stand_in_for_answers_as_it_does_without_us(record: Recorder, version: str, core: str) -> None:
    if core == "c" and not HAS_C:
        pytest.skip("the C core was not built")
    python = interpreter(version)
    names = record(FACES, "--list", python=python, options=["--core", core]).said
    assert len(names) > 50 and {"socket:socket.recv", "socket:socket.sendfile", "select:epoll.poll", "os:read"} <= set(names)
    done = record(FACES, *names, python=python, options=["--core", core], whole=False)
    bare = faces_without_us(python, tuple(names))
    assert done.status == 0 and len(bare) > len(names), done.err
    wrong = {}
    for name, answers in bare.items():
        allowed = ALLOWED if "builtin" in answers["class"] or "descriptor" in answers["class"] else ALLOWED_OF_PYTHON
        found = differences(answers, done.said[name]) - allowed
        if found:
            wrong[name] = {part: (answers[part[0]], done.said[name][part[0]]) for part in found}
    assert wrong == {}


def test_a_stand_in_that_answers_otherwise_would_be_found() -> None:
    assert differences({"repr": "a", "odd": {"x": 1, "y": 2}}, {"repr": "b", "odd": {"x": 1, "y": 3}}) == {("repr", ""), ("odd", "y")}
