"""`sockreel check`: what it says, and its exit status. What it finds is in tests/test_traces/test_checking.py."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from sockreel.tests.commandline import CommandLine
from sockreel.tests.examples import write_lab


def test_a_whole_trace_is_called_whole_and_ends_with_0(lab: Path, sockreel: CommandLine) -> None:
    said = sockreel("check", lab)
    assert said.status == 0
    assert said.out.splitlines() == [f"{lab}: whole", "  #1 blocking: 6 calls, none lost", "  #2 nonblocking: 6,005 calls, none lost"]


def test_a_trace_that_is_not_whole_says_what_is_wrong_with_which_run_and_ends_with_1(tmp_path: Path, sockreel: CommandLine) -> None:
    path = write_lab(tmp_path / "t.db")
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE runs SET calls_lost = 3, duration_ns = NULL WHERE id = 2")
    connection.close()
    said = sockreel("check", path)
    assert (said.status, said.err) == (1, "")
    assert said.out.splitlines() == [
        f"{path}: not whole",
        "  #1 blocking: 6 calls, none lost",
        "  #2 nonblocking: 6,005 calls, 3 lost",
        "      3 calls happened and were not recorded",
        "      not finished: the recorder died or is still running",
    ]
    found = sockreel("check", path, "--json")
    assert found.status == 1
    assert found.json["whole"] is False
    assert [finding["run"] for finding in found.json["findings"]] == [2, 2]
    assert sockreel("check", f"{path}#blocking").status == 0
