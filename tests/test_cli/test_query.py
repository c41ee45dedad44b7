"""`sockreel query`: asks anything, changes nothing."""

from __future__ import annotations

import csv
import io
import os
import signal
import subprocess
import sys
from base64 import b64decode
from pathlib import Path

import pytest
from sockreel.tests.commandline import CommandLine
from sockreel.tests.examples import HOSTILE, SPINNING
from sockreel.traces.ask import list_queries

FOREVER = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)"


def test_an_answer_is_a_table(lab: Path, sockreel: CommandLine) -> None:
    out = sockreel("query", lab, "SELECT id, label FROM runs ORDER BY id").out
    assert out.splitlines() == ["id  label", "──  ───────────", " 1  blocking", " 2  nonblocking"]


def test_an_answer_as_csv_is_read_back_by_any_reader(lab: Path, sockreel: CommandLine) -> None:
    out = sockreel("query", lab, """SELECT 1 AS a, 'x,"y"' || char(10) || 'z' AS b, NULL AS c, x'00ff' AS d""", "--csv").out
    assert list(csv.reader(io.StringIO(out))) == [["a", "b", "c", "d"], ["1", 'x,"y"\nz', "", "00ff"]]


def test_an_answer_as_json_keeps_numbers_nulls_and_bytes(lab: Path, sockreel: CommandLine) -> None:
    (row,) = sockreel("query", lab, "SELECT 1 AS a, 2 AS a, 1.5 AS b, NULL AS c, '你' AS d, 9e999 AS e", "--json").json
    assert row == {"a": 1, "a_2": 2, "b": 1.5, "c": None, "d": "你", "e": "inf"}
    payload = sockreel("query", lab, "SELECT data FROM payloads ORDER BY call_id LIMIT 1", "--json").json[0]["data"]
    assert b64decode(payload["encoded"]) == HOSTILE


def test_no_rows_are_an_empty_table_and_an_empty_list(lab: Path, sockreel: CommandLine) -> None:
    assert sockreel("query", lab, "SELECT id FROM calls WHERE 0").out.splitlines() == ["id", "──"]
    assert sockreel("query", lab, "SELECT id FROM calls WHERE 0", "--json").json == []
    assert sockreel("query", lab, "SELECT id FROM calls WHERE 0", "--csv").out == "id\n"


def test_many_rows_all_come(lab: Path, sockreel: CommandLine) -> None:
    for arguments, more in (((), 2), (("--csv",), 1), (("--json",), 0)):
        assert sockreel("query", lab, "SELECT id FROM calls", *arguments).out.count("\n") == 6 + SPINNING + 5 + more


def test_payloads_and_names_cannot_drive_the_terminal(lab: Path, sockreel: CommandLine) -> None:
    sql = "SELECT p.data, CAST(p.data AS TEXT) AS text, char(27, 91, 50, 74, 155, 8238) AS evil FROM payloads p LIMIT 1"
    table = sockreel("query", lab, sql).out
    assert "\\x1b[31mred\\x07\\x9b2J\\r\\n" in table
    assert "\\x1b[2J\\x9b\\u202e" in table
    for arguments in ((), ("--json",)):
        assert not set("\x1b\x07\x9b\u202e\r") & set(sockreel("query", lab, sql, *arguments).out)
    assert not {"\x1b", "\x9b"} & set(sockreel("query", lab, "SELECT 1 AS \"\x1b[31m\x9b\"").out)


@pytest.mark.parametrize(
    ("sql", "named"),
    [
        ("DELETE FROM calls", "DELETE"),
        ("UPDATE runs SET label = 'x' RETURNING id", "UPDATE"),
        ("INSERT INTO runs (id) VALUES (9)", "INSERT"),
        ("REPLACE INTO runs (id) VALUES (9)", "REPLACE"),
        ("DROP TABLE calls", "DROP"),
        ("ALTER TABLE calls ADD COLUMN x", "ALTER"),
        ("CREATE TABLE x (a)", "CREATE"),
        ("CREATE TEMP TABLE x AS SELECT 1", "CREATE"),
        ("CREATE TEMP VIEW x AS SELECT 1", "CREATE"),
        ("CREATE VIRTUAL TABLE x USING fts5(a)", "CREATE"),
        ("/* hm */ ATTACH 'other.db' AS other", "ATTACH"),
        ("VACUUM INTO 'stolen.db'", "VACUUM"),
        ("VACUUM main", "VACUUM"),
        ("BEGIN IMMEDIATE", "BEGIN"),
        ("SAVEPOINT a", "SAVEPOINT"),
        ("ANALYZE calls", "ANALYZE"),
        ("REINDEX calls", "REINDEX"),
        ("WITH x AS (SELECT 1) DELETE FROM calls", "DELETE"),
        ("PRAGMA journal_mode = WAL", "PRAGMA journal_mode"),
        ("PRAGMA user_version = 7", "PRAGMA user_version"),
        ("PRAGMA query_only = 0", "PRAGMA query_only"),
        ("PRAGMA writable_schema = 1", "PRAGMA writable_schema"),
        ("PRAGMA wal_checkpoint(TRUNCATE)", "PRAGMA wal_checkpoint"),
        ("PRAGMA temp_store_directory = '/'", "PRAGMA temp_store_directory"),
        ("SELECT load_extension('evil')", "function load_extension"),
    ],
)
def test_whatever_would_do_more_than_read_is_refused_by_name(sql: str, named: str, lab: Path, sockreel: CommandLine) -> None:
    before = (lab.read_bytes(), sorted(os.listdir(lab.parent)))
    assert sockreel("query", lab, sql).failure == f"query only reads a trace: {named} is refused"
    assert (lab.read_bytes(), sorted(os.listdir(lab.parent))) == before


@pytest.mark.parametrize(
    "sql", ["UPDATE sqlite_master SET sql = ''", "DELETE FROM sqlite_master", "INSERT INTO sqlite_master VALUES (1, 2, 3, 4, 5)"]
)
def test_the_schema_itself_cannot_be_changed(sql: str, lab: Path, sockreel: CommandLine) -> None:
    before = lab.read_bytes()
    assert sockreel("query", lab, sql).failure
    assert lab.read_bytes() == before


@pytest.mark.parametrize(
    "sql",
    [
        "PRAGMA table_info(calls)",
        "SELECT name FROM pragma_table_info('calls')",
        "SELECT value FROM json_each('[1, 2]')",
        "PRAGMA user_version",
        "PRAGMA integrity_check",
        "EXPLAIN QUERY PLAN SELECT * FROM call_log",
        "SELECT count(*) OVER (), sum(calls) FILTER (WHERE bytes > 0) FROM summary",
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 3) SELECT * FROM n",
        "SELECT 1; -- and a comment",
        "SELECT ':notaparameter', \":nor this\", 1 -- :nor :these\n/* :nor this */",
    ],
)
def test_whatever_only_reads_is_answered(sql: str, lab: Path, sockreel: CommandLine) -> None:
    said = sockreel("query", lab, sql)
    assert (said.status, said.err) == (0, "")
    assert said.out.count("\n") > 2 or "quer" in said.out or len(said.out.splitlines()) == 3


@pytest.mark.parametrize(
    ("sql", "says"),
    [
        ("SELECT * FROM nope", "the query is wrong: no such table: nope"),
        ("SELEKT 1", "the query is wrong: near"),
        ("SELECT 1; SELECT 2", "one query at a time"),
        ("SELECT :a", "the query asks for :a: give it with -p a=VALUE"),
        ("SELECT ?", "the query is wrong"),
        ("", "the query holds no question"),
        ("/* nothing */", "the query holds no question"),
        ("frutless", "no query is named frutless; did you mean fruitless?"),
        ("SELECT randomblob(99999999999)", "the query is wrong: string or blob too big"),
        ("SELECT '\x00'", "the query is wrong"),
    ],
)
def test_a_query_that_is_wrong_gets_one_line(sql: str, says: str, lab: Path, sockreel: CommandLine) -> None:
    assert says in sockreel("query", lab, sql).failure


def test_parameters_are_bound_never_pasted(lab: Path, sockreel: CommandLine) -> None:
    (row,) = sockreel("query", lab, "SELECT :a AS a, :b AS b, :c AS c", "-p", "a=1", "-p", "b=x' OR 1 --", "-p", "c=1.5", "--json").json
    assert row == {"a": 1, "b": "x' OR 1 --", "c": 1.5}


def test_a_parameter_without_a_value_is_wrong_use(lab: Path, sockreel: CommandLine) -> None:
    said = sockreel("query", lab, "SELECT 1", "-p", "a")
    assert said.status == 2
    assert "is not NAME=VALUE" in said.err


def test_the_run_of_a_reference_is_the_parameter_run(lab: Path, sockreel: CommandLine) -> None:
    assert sockreel("query", f"{lab}#blocking", "SELECT count(*) AS n FROM calls WHERE run_id = :run", "--json").json == [{"n": 6}]
    both = sockreel("query", lab, "connections", "--json").json
    one = sockreel("query", f"{lab}#nonblocking", "connections", "--json").json
    assert [row["run"] for row in both] == ["blocking", "nonblocking"]
    assert one == both[1:]


@pytest.mark.parametrize("query", list_queries(), ids=lambda query: query.name)
def test_every_named_query_says_what_it_answers_and_answers_it(query: object, lab: Path, sockreel: CommandLine) -> None:
    name = query.name  # type: ignore[attr-defined]
    rows = sockreel("query", lab, name, "--json").json
    assert rows, f"{name} finds nothing in a trace that has everything"
    listed = {row["name"]: row["answers"] for row in sockreel("query", lab, "--list", "--json").json}
    assert len(listed[name]) > 10


def test_a_parameter_that_a_named_query_does_not_have_is_wrong_use(lab: Path, sockreel: CommandLine) -> None:
    said = sockreel("query", lab, "fruitless", "-p", "label=x")
    assert said.status == 2
    assert "fruitless has no parameter label (it has: run)" in said.err


def test_sql_can_come_from_standard_input(lab: Path, sockreel: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("-- how many\nSELECT count(*) AS n FROM runs"))
    assert sockreel("query", lab, "-", "--json").json == [{"n": 2}]


def test_two_formats_or_no_question_are_wrong_use(lab: Path, sockreel: CommandLine) -> None:
    assert sockreel("query", lab, "SELECT 1", "--csv", "--json").status == 2
    assert sockreel("query", lab).status == 2


@pytest.mark.parametrize(
    "sql",
    [
        # Python is always one row behind SQLite: the second 'begun' lets the first one out.
        f"{FOREVER} SELECT 'begun' UNION ALL SELECT 'begun' UNION ALL SELECT max(i) FROM n",
        f"{FOREVER} SELECT i FROM n",
    ],
    ids=["inside SQLite", "between rows"],
)
def test_ctrl_c_ends_a_query_that_has_no_end(sql: str, lab: Path) -> None:
    query = [sys.executable, "-u", "-m", "sockreel", "query", str(lab), sql, "--csv"]
    with subprocess.Popen(query, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=lab.parent) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        # The first row is out: the query is at work.
        header, first = process.stdout.readline(), process.stdout.readline()
        assert header
        assert first in ("begun\n", "1\n")
        process.send_signal(signal.SIGINT)
        process.stdout.read()
        assert process.stderr.read().strip() == ""
        assert process.wait() == 130


def test_a_reader_that_leaves_ends_the_query_quietly(lab: Path) -> None:
    query = [sys.executable, "-m", "sockreel", "query", str(lab), f"{FOREVER} SELECT i FROM n", "--csv"]
    with subprocess.Popen(query, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=lab.parent) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait() in (0, 1)


def test_named_queries_are_listed_without_a_trace_and_a_query_without_one_says_what_to_name(sockreel: CommandLine) -> None:
    listed = sockreel("query", "--list")
    assert listed.status == 0 and "requests" in listed.out
    missing = sockreel("query")
    assert missing.status == 2 and "Name a run: FILE" in missing.err
