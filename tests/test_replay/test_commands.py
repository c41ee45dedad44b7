"""`sockreel show` and `sockreel compare` as they are typed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sockreel.tests.commandline import CommandLine
from sockreel.tests.synthetic import MS, Recording


def test_show_lists_only_failures(sockreel: CommandLine, lecture_file: Path) -> None:
    """One connection was reset."""
    said = sockreel("show", f"{lecture_file}#nonblocking", "--failed")
    assert (said.status, said.out.count("reset by peer")) == (0, 1)
    assert "sendall" not in said.out


def test_show_takes_times_in_any_unit(sockreel: CommandLine, lecture_file: Path) -> None:
    """The same window, said in four ways."""
    ways = [("1.4s", "1.5s"), ("1400ms", "1500ms"), ("1400000us", "1500000us"), ("1.4", "1.5")]
    pages = {sockreel("show", f"{lecture_file}#blocking", "--from", start, "--to", end).out for start, end in ways}
    assert len(pages) == 1
    assert "From 1.4000 s to 1.5000 s: 100 ms" in pages.pop()


@pytest.mark.parametrize("wrong", ["soon", "1 parsec", "-3s", "", "1e99s", "nan"])
def test_what_is_no_time_is_wrong_use(sockreel: CommandLine, lecture_file: Path, wrong: str) -> None:
    """Exit 2, and the way to write it."""
    said = sockreel("show", lecture_file, f"--from={wrong}")
    assert said.status == 2 and "Error" in said.err


def test_a_window_with_nothing_in_it_is_wrong_use(sockreel: CommandLine, lecture_file: Path) -> None:
    """Turned round, or behind the end."""
    assert "--from must lie before --to" in sockreel("show", lecture_file, "--from", "2ms", "--to", "1ms").err
    assert "which is 2 s long" in sockreel("show", lecture_file, "--from", "5s").err


def test_show_draws_one_socket_or_one_thread(sockreel: CommandLine, lecture_file: Path) -> None:
    """fd 4 was three sockets in the blocking run; what is not there is named."""
    said = sockreel("show", f"{lecture_file}#blocking", "--socket", "fd=4", "--thread", "MainThread", "--json").json
    assert [lane["name"] for lane in said["sockets"]] == ["fd 4 ada", "fd 4 ben", "fd 4 cyd"]
    assert [lane["name"] for lane in said["threads"]] == ["MainThread"]
    assert "it has fd=3, fd=4" in sockreel("show", f"{lecture_file}#blocking", "--socket", "fd=9").failure
    assert "it has MainThread" in sockreel("show", lecture_file, "--thread", "x").failure


def test_json_holds_lanes_spans_and_exchanges(sockreel: CommandLine, lecture_file: Path) -> None:
    """Times are nanoseconds; the calls are all there where they are few."""
    said = sockreel("show", f"{lecture_file}#blocking", "--json").json
    assert said["run"]["name"] == "blocking" and said["end_ns"] == 2_000 * MS
    assert said["calls_complete"] and len(said["calls"]) == 18
    assert [call["call_id"] for call in said["calls"] if call["unfinished"]] == [18]
    assert said["threads"][0]["ns"]["blocked"] == 1937 * MS
    assert [exchange["latency_ns"] for exchange in said["exchanges"]] == [2 * MS, 2 * MS, 1353 * MS, None]


def test_one_file_means_all_of_its_runs(sockreel: CommandLine, lecture_file: Path) -> None:
    """The same as naming both."""
    alone = sockreel("compare", lecture_file)
    both = sockreel("compare", f"{lecture_file}#blocking", f"{lecture_file}#nonblocking")
    assert alone.status == 0 and alone.out == both.out
    said = sockreel("compare", lecture_file, "--json", "--align", "clock").json
    assert said["runs"] == ["blocking", "nonblocking"] and said["offsets_ns"] == [0, 0]
    assert said["figures"]["resets"] == {"blocking": 1, "nonblocking": 1}


def test_one_run_is_nothing_to_compare(sockreel: CommandLine, lecture_file: Path) -> None:
    """One clear line."""
    assert "one run only" in sockreel("compare", f"{lecture_file}#blocking").failure


def test_runs_of_one_name_in_two_files_keep_their_files_names(sockreel: CommandLine, tmp_path: Path) -> None:
    """monday.db#echo and tuesday.db#echo."""
    for day in ("monday", "tuesday"):
        with Recording(tmp_path / f"{day}.db") as recording:
            recording.run("echo").finish(MS)
    said = sockreel("compare", tmp_path / "monday.db", tmp_path / "tuesday.db", "--json").json
    assert said["runs"] == ["monday.db#echo", "tuesday.db#echo"]


def test_redirected_output_is_plain_and_a_hundred_columns_wide(
    sockreel: CommandLine, lecture_file: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    """COLUMNS and --width say otherwise; FORCE_COLOR colours it, NO_COLOR has the last word."""
    plain = sockreel("show", lecture_file).out
    assert "\x1b" not in plain and max(map(len, plain.splitlines())) in range(90, 101)
    monkeypatch.setenv("COLUMNS", "60")
    assert max(map(len, sockreel("show", lecture_file).out.splitlines())) <= 60
    assert max(map(len, sockreel("show", lecture_file, "--width", "130").out.splitlines())) in range(115, 131)
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "\x1b[" in sockreel("show", lecture_file).out
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in sockreel("show", lecture_file).out


def test_the_json_of_a_comparison_is_ascii(sockreel: CommandLine, lecture_file: Path) -> None:
    """No control character of a trace reaches a terminal through it."""
    text = sockreel("compare", lecture_file, "--json").out
    assert text.isascii() and json.loads(text)["sentences"]
