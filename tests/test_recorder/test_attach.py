"""`record --pid`: a program that runs already is not entered, and its owner is told what to do instead."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sockreel.recorder.launching.attach import python_version

from .recording import SOCKREEL, Recorder, environment

WAITING = "import sys; print('here', flush=True); sys.stdin.read()"


def attach(pid: int, *more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*SOCKREEL, "record", "--pid", str(pid), *more], capture_output=True, text=True, timeout=60)


@pytest.fixture
def waiting(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A Python that waits, started in a folder whose name needs quotes."""
    folder = tmp_path / "my programs"
    folder.mkdir()
    command = [sys.executable, "-c", WAITING, "two words"]
    with subprocess.Popen(command, cwd=folder, env=environment(), text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stdout.readline() == "here\n"
        yield process
        process.communicate("", timeout=60)


def test_a_running_python_is_named_with_its_version_and_the_command_that_records_it(waiting: subprocess.Popen[str]) -> None:
    done = attach(waiting.pid)
    assert done.returncode == 2 and done.stdout == "" and "Traceback" not in done.stderr
    (line,) = done.stderr.splitlines()
    why, instead = line.split(": cd ")
    assert f"process {waiting.pid} runs Python {sys.version_info[0]}.{sys.version_info[1]}" in why
    program = f"&& sockreel record -- {shlex.quote(sys.executable)} -c"
    assert instead.startswith("'") and program in instead and instead.endswith("'two words'")
    assert waiting.poll() is None


def test_the_command_that_is_given_records_the_same_program(waiting: subprocess.Popen[str], tmp_path: Path) -> None:
    instead = "cd " + attach(waiting.pid).stderr.split(": cd ")[1]
    ours = instead.replace("sockreel record", f"{shlex.join(SOCKREEL)} record -o {shlex.quote(str(tmp_path / 'again.db'))}")
    done = subprocess.run(ours, shell=True, capture_output=True, text=True, env=environment(), input="", timeout=60)
    assert (done.returncode, done.stdout) == (0, "here\n"), done


def test_what_is_no_python_is_said_to_be_none() -> None:
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as process:
        done = attach(process.pid)
        assert done.returncode == 2 and "is no Python" in done.stderr and len(done.stderr.splitlines()) == 1
        process.communicate(b"", timeout=60)


def test_a_program_that_is_being_recorded_is_not_offered_a_second_recording(record: Recorder) -> None:
    with record.running(record.script(WAITING + "\n")) as running:
        assert running.line() == "here"
        (main,) = [pid for pid in map(int, filter(str.isdigit, os.listdir("/proc"))) if _child_of(pid) == running.process.pid]
        done = attach(main)
        assert done.returncode == 2 and "was started under sockreel record" in done.stderr
        assert running.process.stdin is not None
        running.process.stdin.close()
        running.process.stdin = None
        assert running.ended().status == 0


def _child_of(pid: int) -> int | None:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return None


def test_a_process_that_is_not_there_and_a_second_program_are_refused() -> None:
    assert "there is no process 4194399" in attach(4194399).stderr
    done = attach(os.getpid(), "server.py")
    assert done.returncode == 2 and "give no other one" in done.stderr


@pytest.mark.parametrize("maps, version", [
    (b"7f00-7f01 r-xp 0 fe:00 1 /usr/lib/x86_64-linux-gnu/libpython3.12.so.1.0\n", (3, 12)),
    (b"7f00-7f01 r-xp 0 fe:00 1 /usr/lib/python3.9/lib-dynload/_ssl.cpython-39-x86_64-linux-gnu.so\n", (3, 9)),
    (b"7f00-7f01 r-xp 0 fe:00 1 /usr/lib/libc.so.6\n", None),
    (b"", None),
])  # fmt: skip
def test_an_interpreter_inside_another_program_shows_by_its_library(maps: bytes, version: tuple[int, int] | None) -> None:
    assert python_version("/usr/bin/uwsgi", maps) == version


@pytest.mark.parametrize("name, version", [("python3.14", (3, 14)), ("python3.13t", (3, 13)), ("bash", None)])
def test_an_interpreter_shows_by_its_name(name: str, version: tuple[int, int] | None) -> None:
    assert python_version(f"/usr/bin/{name}", b"") == version
