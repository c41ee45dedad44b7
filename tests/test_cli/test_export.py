"""`sockreel export`: the command, and the formats that are rows."""

from __future__ import annotations

import csv
import io
import json
import stat
from pathlib import Path

import pytest
from sockreel.commands._formats import FORMATS
from sockreel.tests.commandline import CommandLine
from sockreel.tests.examples import HOSTILE
from sockreel.tests.synthetic import MS, Recording


def _csv(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_csv_and_json_lines_hold_the_same_calls_as_the_trace(lab: Path, sockreel: CommandLine) -> None:
    made = sockreel("query", f"{lab}#blocking", "SELECT id, started_ns FROM calls WHERE run_id = :run ORDER BY id", "--json").json
    lines = [json.loads(line) for line in sockreel("export", f"{lab}#blocking", "--format", "jsonl", "-o", "-").out.splitlines()]
    table = _csv(sockreel("export", f"{lab}#blocking", "--format", "csv", "-o", "-").out)
    assert len(made) == 6
    assert [(row["id"], row["started_ns"]) for row in lines] == [(row["id"], row["started_ns"]) for row in made]
    assert [(row["id"], row["started_ns"]) for row in table] == [(str(row["id"]), str(row["started_ns"])) for row in made]
    assert [list(row) for row in lines] == [list(table[0])] * 6
    accept = lines[0]
    said = tuple(accept[name] for name in ("run", "operation", "layer", "outcome", "line"))
    assert said == ("blocking", "accept", "socket", "ok", 12)
    assert (lines[-1]["outcome"], lines[-1]["duration_ns"], table[-1]["duration_ns"]) == (None, None, "")


def test_payloads_are_hexadecimal_and_can_be_left_out(lab: Path, sockreel: CommandLine) -> None:
    with_payload = sockreel("export", f"{lab}#blocking", "--format", "jsonl", "-o", "-").out
    assert HOSTILE.hex() in with_payload
    without = sockreel("export", f"{lab}#blocking", "--format", "jsonl", "-o", "-", "--no-payload").out
    assert HOSTILE.hex() not in without
    assert all(json.loads(line)["payload"] is json.loads(line)["payload_size"] is None for line in without.splitlines())


def test_a_window_holds_the_calls_that_touch_it(lab: Path, sockreel: CommandLine) -> None:
    out = sockreel("export", f"{lab}#blocking", "--format", "jsonl", "-o", "-", "--from", "1.7s", "--to", "1.91s").out
    assert [json.loads(line)["operation"] for line in out.splitlines()] == ["recv", "sendall"]


def test_hostile_texts_become_no_formula_no_terminal_code_and_no_second_line(tmp_path: Path, sockreel: CommandLine) -> None:
    names = ("=1+1", "@cmd", "a\r\nb,\"c\"", "\x1b[31m\x9b", "nul\0")
    with Recording(tmp_path / "t.db") as recording:
        run = recording.run("only")
        for n, name in enumerate(names):
            run.call(run.thread(name), "recv", run.socket(3 + n), at_ns=n * MS, duration_ns=10, result=1)
        run.finish(10 * MS)
    table = _csv(sockreel("export", tmp_path / "t.db", "--format", "csv", "-o", "-").out)
    assert [row["thread"] for row in table] == ["'=1+1", "'@cmd", 'a\r\nb,"c"', "\x1b[31m\x9b", "nul\\x00"]
    text = sockreel("export", tmp_path / "t.db", "--format", "jsonl", "-o", "-").out
    assert [json.loads(line)["thread"] for line in text.splitlines()] == list(names)
    assert all(" " <= letter <= "~" or letter == "\n" for letter in text)


def test_several_runs_go_into_one_file_where_the_format_holds_them(lab: Path, sockreel: CommandLine, tmp_path: Path) -> None:
    said = sockreel("export", f"{lab}#blocking", f"{lab}#nonblocking", "-o", tmp_path / "both.csv")
    assert (said.status, said.out) == (0, "")
    assert {row["run"] for row in _csv((tmp_path / "both.csv").read_text())} == {"blocking", "nonblocking"}


def test_the_file_is_named_after_the_run_is_private_and_is_not_written_over(
    lab: Path, sockreel: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert sockreel("export", f"{lab}#blocking", "--format", "csv").err == (
        f"sockreel: {lab.stem}-blocking.csv: {FORMATS['csv'].about}; payloads included\n")
    made = tmp_path / f"{lab.stem}-blocking.csv"
    assert stat.S_IMODE(made.stat().st_mode) == 0o600
    made.write_text("mine")
    assert "--force" in sockreel("export", f"{lab}#blocking", "--format", "csv").err
    assert made.read_text() == "mine"
    assert sockreel("export", f"{lab}#blocking", "--format", "csv", "--force").status == 0
    assert made.read_text() != "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted({made.name, lab.name} if lab.parent == tmp_path else {made.name})


def test_the_trace_is_never_written_over(lab: Path, sockreel: CommandLine) -> None:
    before = lab.read_bytes()
    said = sockreel("export", lab, "--format", "csv", "--force", "-o", lab)
    assert (said.status, lab.read_bytes() == before) == (2, True)
    assert "trace itself" in said.err


@pytest.mark.parametrize("wrong", [("--format", "csv", "-o", "no/such/folder/x.csv"), ("-o", "calls.xyz"), ("--format", "nonsense"), ()])
def test_wrong_use_is_one_clear_message(wrong: tuple[str, ...], lab: Path, sockreel: CommandLine) -> None:
    said = sockreel("export", lab, *wrong)
    assert said.status in (1, 2)
    assert said.out == ""
    assert "Traceback" not in said.err


def test_every_format_is_listed_and_its_writer_is_there(sockreel: CommandLine) -> None:
    listed = [line.split()[0] for line in sockreel("export", "--list").out.splitlines()]
    assert listed == list(FORMATS)
    assert all(callable(one.load()) for one in FORMATS.values())
