"""Files that are no trace, to every command that reads one: one clear line, exit 1, never a traceback."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sockreel.tests.commandline import CommandLine
from sockreel.tests.examples import write_lab
from sockreel.traces import FORMAT_VERSION, create_trace

READERS: dict[str, tuple[str, ...]] = {
    "runs": (), "show": (), "stats": (), "compare": (), "query": ("SELECT * FROM call_log",), "check": (),
}  # fmt: skip
readers = pytest.mark.parametrize("command", READERS)


def _text(path: Path) -> None:
    path.write_text("not a trace\n" * 100)


def _binary(path: Path) -> None:
    path.write_bytes(bytes(range(256)) * 40)


def _other_sqlite(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE runs (a)")
    connection.close()


def _header_only(path: Path) -> None:
    path.write_bytes(b"SQLite format 3\x00")


def _newer(path: Path) -> None:
    write_lab(path)
    with sqlite3.connect(path) as connection:
        connection.execute(f"PRAGMA user_version = {FORMAT_VERSION + 1}")
    connection.close()


def _cut_in_half(path: Path) -> None:
    write_lab(path)
    os.truncate(path, path.stat().st_size // 2)


def _tables_gone(path: Path) -> None:
    write_lab(path)
    with sqlite3.connect(path) as connection:
        connection.execute("DROP TABLE calls")
    connection.close()


BROKEN: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing": (lambda path: None, "; `sockreel record -o FILE` makes a trace, `sockreel runs --sample` lists some"),
    "directory": (Path.mkdir, "is a folder: name the trace in it"),
    "empty": (Path.touch, "is empty: not a sockreel trace"),
    "text": (_text, "is not a sockreel trace"),
    "binary": (_binary, "is not a sockreel trace"),
    "other SQLite file": (_other_sqlite, "is an SQLite file, but not a sockreel trace"),
    "header only": (_header_only, "is cut short"),
    "cut in half": (_cut_in_half, "is cut short"),
    "newer format": (_newer, f"is a trace of format {FORMAT_VERSION + 1}"),
    "tables gone": (_tables_gone, "its tables are missing"),
    "dangling link": (lambda path: path.symlink_to("nowhere"), "no such file"),
}


@readers
@pytest.mark.parametrize("kind", BROKEN)
def test_a_file_that_is_no_trace_gets_one_line_that_names_it(command: str, kind: str, tmp_path: Path, sockreel: CommandLine) -> None:
    make, says = BROKEN[kind]
    path = tmp_path / "my trace.db"
    make(path)
    failure = sockreel(command, path, *READERS[command]).failure
    assert says in failure
    assert str(path) in failure


@readers
def test_a_run_that_is_not_there_gets_the_names_of_those_that_are(command: str, lab: Path, sockreel: CommandLine) -> None:
    failure = sockreel(command, f"{lab}#nope", *READERS[command]).failure
    assert failure == f"no run #nope in {lab}; it holds #blocking, #nonblocking"


@pytest.mark.parametrize("command", ["show", "stats", "compare"])
def test_a_trace_that_holds_no_run_says_so(command: str, tmp_path: Path, sockreel: CommandLine) -> None:
    create_trace(tmp_path / "t.db").close()
    assert "holds no run" in sockreel(command, tmp_path / "t.db").failure


@readers
def test_a_file_that_may_not_be_read_gets_one_line(command: str, tmp_path: Path, sockreel: CommandLine) -> None:
    path = write_lab(tmp_path / "t.db")
    assert sockreel(command, path, *READERS[command]).status == 0
    path.chmod(0)
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)  # Root may read everything.
    try:
        said = sockreel(command, path, *READERS[command])
    finally:
        os.seteuid(user)
    assert "Permission denied" in said.failure


@readers
def test_a_name_too_long_for_the_system_gets_one_line(command: str, sockreel: CommandLine) -> None:
    assert "File name too long" in sockreel(command, "x" * 5000 + "#1", *READERS[command]).failure


@readers
def test_a_file_cut_at_any_page_gets_one_line(command: str, tmp_path: Path, sockreel: CommandLine) -> None:
    whole = write_lab(tmp_path / "whole.db").read_bytes()
    cut = tmp_path / "cut.db"
    for size in [1, 15, 16, 50, 99, 100, 512, *range(4096, len(whole), 4096), len(whole) - 1]:
        cut.write_bytes(whole[:size])
        assert "cut.db" in sockreel(command, cut, *READERS[command]).failure


@readers
@settings(max_examples=60)
@given(data=st.data())
def test_a_file_with_bytes_overwritten_is_read_or_refused_but_never_a_surprise(
    command: str, tmp_path: Path, sockreel: CommandLine, data: st.DataObject
) -> None:
    whole = tmp_path / "whole.db"
    content = bytearray((whole if whole.exists() else write_lab(whole)).read_bytes())
    place = data.draw(st.integers(min_value=0, max_value=len(content) - 1), label="place")
    junk = data.draw(st.binary(min_size=1, max_size=64), label="junk")
    content[place : place + len(junk)] = junk
    damaged = tmp_path / "damaged.db"
    damaged.write_bytes(content)
    said = sockreel(command, damaged, *READERS[command])
    assert said.status in (0, 1)
    assert said.err.count("\n") <= 1
    if said.status:
        assert said.err or command == "check"


def _columns(path: Path) -> list[tuple[str, str]]:
    connection = sqlite3.connect(path)
    tables = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")]
    columns = [(table, row[1]) for table in tables for row in connection.execute(f"PRAGMA table_info({table})")]
    connection.close()
    return columns


# Each also with NULL where the schema lets it: what a stray hand or a damaged page may leave in a column.
ODD_VALUES = [None, "", "x", "\x1b[31m\n", "[", "{}", "[[]]", '{"1": "x"}', -1, 0, 2**63 - 1, -(2**63), 1e300, b"\xff\x00", "9" * 400]


@pytest.mark.parametrize("command", ["runs", "stats", "compare", "query", "check"])
@settings(max_examples=60)
@given(data=st.data())
def test_values_that_nobody_wrote_are_shown_or_refused_but_never_a_surprise(
    command: str, tmp_path: Path, lab: Path, sockreel: CommandLine, data: st.DataObject
) -> None:
    table, column = data.draw(st.sampled_from(_columns(lab)), label="column")
    value = data.draw(st.sampled_from(ODD_VALUES), label="value")
    odd = tmp_path / "odd.db"
    odd.write_bytes(lab.read_bytes())
    connection = sqlite3.connect(odd)
    try:
        connection.execute(f"UPDATE OR IGNORE {table} SET {column} = ?", [value])
        connection.commit()
    except sqlite3.IntegrityError:
        pass  # What the schema itself refuses needs no reader to be careful.
    finally:
        connection.close()
    said = sockreel(command, odd, *READERS[command])
    assert said.status in (0, 1)
    assert said.err.count("\n") <= 1
    assert "\x1b" not in said.out + said.err
