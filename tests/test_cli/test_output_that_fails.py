"""Where a command's output cannot go, and where it stands itself: one line at most, never a traceback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from sockreel.tests.commandline import CommandLine

WRITERS: dict[str, tuple[str, ...]] = {
    "runs": (), "show": (), "stats": (), "compare": (), "explain": (), "figure": (), "tell": (), "check": (),
    "query": ("SELECT words FROM call_log",), "export": ("--format", "csv", "-o", "-"),
}  # fmt: skip


def _started(command: str, file: Path, redirect: str, directory: Path) -> subprocess.CompletedProcess[str]:
    line = f'exec "{sys.executable}" -m sockreel "$@" {redirect}'
    arguments = ["bash", "-c", line, "bash", command, str(file), *WRITERS[command]]
    return subprocess.run(arguments, capture_output=True, text=True, cwd=directory, timeout=60, check=False)


@pytest.mark.parametrize("command", ["show", "stats", "export"])
def test_a_full_disk_below_the_output_is_told_in_one_line(command: str, lab: Path, tmp_path: Path) -> None:
    said = _started(command, lab, "> /dev/full", tmp_path)
    assert (said.returncode, said.stderr) == (1, "sockreel: what there is to say cannot be written: No space left on device\n")


@pytest.mark.parametrize("command", [command for command in WRITERS if command != "export"])
def test_every_command_says_so_in_this_process_too(
    command: str, lab: Path, sockreel: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert sockreel(command, lab, *WRITERS[command]).status == 0
    with open("/dev/full", "w", encoding="utf-8", buffering=1) as full:
        monkeypatch.setattr(sys, "stdout", full)
        said = sockreel(command, lab, *WRITERS[command])
    assert said.status == 1
    assert said.err == "sockreel: what there is to say cannot be written: No space left on device\n"


def test_nobody_listening_at_all_is_no_failure(lab: Path, tmp_path: Path) -> None:
    said = _started("show", lab, ">&-", tmp_path)
    assert (said.returncode, said.stderr) == (0, "")
    assert _started("show", tmp_path / "nope.db", "2>&-", tmp_path).returncode == 1


def test_a_working_directory_that_is_gone_matters_only_to_what_is_written_there(lab: Path, tmp_path: Path) -> None:
    def said(*words: str) -> subprocess.CompletedProcess[str]:
        gone = tmp_path / "gone"
        gone.mkdir()
        line = f'rmdir "{gone}"; exec "{sys.executable}" -m sockreel "$@"'
        return subprocess.run(["bash", "-c", line, "bash", *words], capture_output=True, text=True, cwd=gone, timeout=60, check=False)

    listed = said("runs", str(lab), "--json")
    assert (listed.returncode, listed.stderr) == (0, "")
    assert [run["label"] for run in json.loads(listed.stdout)] == ["blocking", "nonblocking"]
    recorded = said("record", "-q", "-m", "this")
    assert recorded.returncode == 125
    assert recorded.stderr == "sockreel: the working directory is gone: No such file or directory\n"


def test_a_pipe_is_refused_without_waiting_for_its_writer(tmp_path: Path, sockreel: CommandLine) -> None:
    os.mkfifo(tmp_path / "t.db")
    for command in ("show", "check", "recover"):
        assert "is no file, but a pipe or a device" in sockreel(command, tmp_path / "t.db").failure
