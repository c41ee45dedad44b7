"""What a signal handler of the program raises in the middle of a hook reaches the program, wherever in the hook that is."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
from sockreel.recorder.tapes.tape import TapeReader

from .playing import interpreter
from .recording import environment
from .test_cores_agree import AGENT, built

PROGRAM = str(Path(__file__).with_name("programs") / "interrupted.py")
CALLS = ["blocking", "ioctl", "select", "poller", "descriptors", "closerange", "connection", "pair", "methods", "fdopen", "memory",
         "async", "wait", "setuid", "environment", "close", "close poller"]  # fmt: skip
QUICK = {"blocking", "select", "async", "wait", "close", "close poller"}
KINDS = ["OSError", "Exception", "TimeoutError", "KeyError", "FileNotFoundError"]


def interrupted(core: str, python: str, *arguments: str) -> dict[str, Any]:
    """Run the program with the agent alone; return what it says."""
    folder = Path(tempfile.mkdtemp(prefix="sockreel-test-"))
    (folder / "settings").write_text(f"core {core}\npayload 256\n")
    changes = {"SOCKREEL_AGENT": str(folder), "PYTHONPATH": str(AGENT / "inject")}
    done = subprocess.run([python, PROGRAM, *arguments], env=environment(changes), capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr[-3000:]
    assert not list(folder.glob("*.unrecorded"))
    tapes = [TapeReader((folder,), path) for path in folder.glob("*.head")]
    assert tapes and all(tape.lost()[0] == 0 for tape in tapes)
    shutil.rmtree(folder)
    said: dict[str, Any] = json.loads(done.stdout)
    assert "ignored" not in done.stderr
    return said


@pytest.mark.parametrize(
    ("call", "kind"),
    [pytest.param(call, KINDS[at % 5], marks=() if call in QUICK else pytest.mark.slow) for at, call in enumerate(CALLS)],
)
def test_what_a_handler_raises_at_any_instruction_of_a_hook_is_caught_by_the_program(call: str, kind: str) -> None:
    said = interrupted("python", sys.executable, "steps", kind, call)
    assert said["wrong"] == []
    assert said["raised"] > (30 if call == "setuid" else 50)  # the hook of setuid has fewer instructions
    assert said["outside"] > said["raised"]


@pytest.mark.slow
@pytest.mark.parametrize("version", ["3.8", "3.10", "3.13"])
def test_what_a_handler_raises_at_any_instruction_is_caught_under_every_python(version: str) -> None:
    said = interrupted("python", interpreter(version), "steps", "TimeoutError", *sorted(QUICK), "pair")
    assert said["wrong"] == []
    assert said["raised"] > 500


@built
@pytest.mark.parametrize("kind", ["OSError", "TimeoutError"])  # not KeyError: os.environ takes it for one of its own, bare as well
def test_what_a_handler_raises_at_any_time_is_caught_by_the_program_with_the_c_core(kind: str) -> None:
    said = interrupted("c", sys.executable, "times", kind, *CALLS, "child")
    assert said["wrong"] == []
    assert said["raised"] > 500
