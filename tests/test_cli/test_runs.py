"""`sockreel runs`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sockreel.tests.commandline import CommandLine
from sockreel.tests.examples import FOLDED, SPINNING
from sockreel.tests.synthetic import Recording, S


def test_each_run_gets_a_line_with_what_ran_how_long_and_how_it_ended(lab: Path, sockreel: CommandLine) -> None:
    head, _, blocking, nonblocking = sockreel("runs", lab).out.splitlines()
    for title in ("id", "label", "model", "command", "python", "core", "started", "duration", "calls", "lost", "ended"):
        assert title in head
    assert blocking.split("  ")[0].strip() == "1"
    for part in ("blocking", "python 'my server.py' 127.0.0.1 8000", "3.11.7", "2026-01-15 09:30:00", "2.00 s", " 6 ", "exit 0"):
        assert part in blocking
    for part in ("nonblocking", "python server.py", "1.00 s", f"{SPINNING + FOLDED + 5:,}", "killed by signal 9"):
        assert part in nonblocking


def test_a_narrow_terminal_gets_a_block_a_run_that_fits(lab: Path, sockreel: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    out = sockreel("runs", lab).out
    assert max(map(len, out.splitlines())) <= 80
    for part in ("#1 blocking  python 'my server.py'", "6 calls, none lost; exit 0", "#2 nonblocking", "killed by signal 9"):
        assert part in out


def test_json_holds_every_column_with_lists_as_lists(lab: Path, sockreel: CommandLine) -> None:
    blocking, nonblocking = sockreel("runs", lab, "--json").json
    assert blocking["command"] == ["python", "my server.py", "127.0.0.1", "8000"]
    assert (blocking["id"], blocking["duration_ns"], blocking["calls_recorded"], blocking["exit_status"]) == (1, 2 * S, 6, 0)
    assert (nonblocking["label"], nonblocking["settings"], nonblocking["blind_spots"]) == ("nonblocking", {}, [])


def test_a_reference_picks_one_run(lab: Path, sockreel: CommandLine) -> None:
    assert [run["label"] for run in sockreel("runs", f"{lab}#blocking", "--json").json] == ["blocking"]


def test_what_a_run_could_not_see_is_told(tmp_path: Path, sockreel: CommandLine) -> None:
    with Recording(tmp_path / "t.db") as recording:
        recording.run("only", blind_spots='["child 77 was started with python -I"]').finish(None, None, None)
    out = sockreel("runs", tmp_path / "t.db").out
    assert "#1 could not see: child 77 was started with python -I" in out
    assert "not ended" in out


def test_a_trace_without_a_run_says_so_and_is_an_empty_list_as_json(tmp_path: Path, sockreel: CommandLine) -> None:
    Recording(tmp_path / "t.db").close()
    said = sockreel("runs", tmp_path / "t.db")
    assert (said.status, said.out) == (0, "")
    assert "holds no run yet" in said.err
    assert sockreel("runs", tmp_path / "t.db", "--json").json == []


def test_names_and_commands_from_a_trace_cannot_drive_the_terminal(tmp_path: Path, sockreel: CommandLine) -> None:
    with Recording(tmp_path / "t.db") as recording:
        recording.run("\x1b[2Jcleared\n\u202efdp", command='["py\\u001b[31mthon"]', python="\x9b5m").finish(1 * S)
    for arguments in ((), ("--json",)):
        said = sockreel("runs", tmp_path / "t.db", *arguments)
        assert not set("\x1b\x9b\u202e\x07") & set(said.out)
        assert "cleared" in said.out


def test_every_command_that_shows_a_run_says_what_it_could_not_see(tmp_path: Path, sockreel: CommandLine) -> None:
    path = tmp_path / "t.db"
    spot = "uvloop was loaded\x1b[2J"
    with Recording(path) as recording:
        for label in ("one", "two"):
            run = recording.run(label, blind_spots=json.dumps([spot] if label == "one" else []))
            run.call(run.thread("main"), "listen", run.socket(3, "listener"), at_ns=1, duration_ns=5)
            run.finish(1_000_000)
    shown = "uvloop was loaded\\x1b[2J"
    assert f"Not seen: {shown}" in sockreel("show", f"{path}#one").out
    assert f"not seen    {shown}" in sockreel("stats", f"{path}#one").out
    assert sockreel("stats", f"{path}#one", "--json").json["blind_spots"] == [spot]
    compared = sockreel("compare", path).out
    assert f"Not seen in one: {shown}" in compared and "Not seen in two" not in compared
    for command in ("show", "stats"):
        assert "ot seen" not in sockreel(command, f"{path}#two").out
