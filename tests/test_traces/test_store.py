"""Opening, creating and naming traces."""

from __future__ import annotations

import os
import sqlite3
import stat
from pathlib import Path

import pytest
from sockreel.tests.examples import write_lab
from sockreel.tests.synthetic import Recording, S
from sockreel.traces import FORMAT_VERSION, TraceError, create_trace, open_trace, split_reference

AWKWARD_NAMES = [
    "with space.db", "50%.db", "a?b=c.db", "a#b.db", "#.db", "%23.db", "ümläut 你好.db", "'quote\".db", "-dash.db", "semi;colon&.db",
]  # fmt: skip


@pytest.mark.parametrize("name", AWKWARD_NAMES)
def test_any_file_name_is_written_and_read_back(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    with Recording(path) as recording:
        recording.run("only").finish(1 * S)
    assert os.listdir(tmp_path) == [name]
    file, selector = split_reference(str(path))
    with open_trace(file) as trace:
        assert (file, selector) == (path, None)
        assert trace.find_run(selector).label == "only"
    assert os.listdir(tmp_path) == [name]


@pytest.mark.parametrize("name", AWKWARD_NAMES)
def test_a_run_is_found_in_a_file_of_any_name(name: str, tmp_path: Path) -> None:
    write_lab(tmp_path / name)
    assert split_reference(f"{tmp_path / name}#blocking") == (tmp_path / name, "blocking")


def test_a_reference_without_a_selector_means_the_last_run(lab: Path) -> None:
    with open_trace(lab) as trace:
        assert trace.find_run().label == "nonblocking"
        assert trace.find_run("1").label == "blocking"
        assert trace.find_run("blocking").id == 1


def test_a_label_is_found_before_an_id(tmp_path: Path) -> None:
    with Recording(tmp_path / "t.db") as recording:
        recording.run("2").finish(1 * S)
        recording.run("1").finish(1 * S)
    with open_trace(tmp_path / "t.db") as trace:
        assert trace.find_run("2").id == 1


def test_a_new_trace_is_for_its_owner_only(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        Recording(tmp_path / "t.db").close()
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "t.db").stat().st_mode) == 0o600


def test_an_existing_file_is_neither_replaced_nor_added_to_unasked(tmp_path: Path) -> None:
    (tmp_path / "t.db").write_text("precious")
    with pytest.raises(TraceError, match=r"exists: add to it with --append, or write over it with --force"):
        create_trace(tmp_path / "t.db")
    assert (tmp_path / "t.db").read_text() == "precious"


def test_appending_keeps_what_was_there(tmp_path: Path) -> None:
    path = write_lab(tmp_path / "t.db")
    with Recording(path, "append") as recording:
        recording.run("third").finish(1 * S)
    with open_trace(path) as trace:
        assert [run.label for run in trace.runs()] == ["blocking", "nonblocking", "third"]


def test_appending_to_something_else_leaves_it_alone(tmp_path: Path) -> None:
    (tmp_path / "t.db").write_text("precious")
    with pytest.raises(TraceError, match="is not a sockreel trace"):
        create_trace(tmp_path / "t.db", "append")
    assert (tmp_path / "t.db").read_text() == "precious"


def test_replacing_removes_what_an_older_recorder_left_beside_the_file(tmp_path: Path) -> None:
    path = write_lab(tmp_path / "t.db")
    for suffix in ("-wal", "-journal"):
        (tmp_path / f"t.db{suffix}").write_bytes(b"left over")
    with Recording(path, "replace") as recording:
        recording.run("fresh").finish(1 * S)
    with open_trace(path) as trace:
        assert [run.label for run in trace.runs()] == ["fresh"]


def test_what_is_written_is_read_while_the_writer_is_still_at_it(tmp_path: Path) -> None:
    writer = create_trace(tmp_path / "t.db").conn
    assert writer is not None
    writer.execute("INSERT INTO runs (command, started_at, recorder_version) VALUES ('[]', '2026-01-01', '0')")
    with open_trace(tmp_path / "t.db") as trace:
        assert len(trace.runs()) == 1
        writer.execute("INSERT INTO runs (command, started_at, recorder_version) VALUES ('[]', '2026-01-01', '0')")
        assert len(trace.runs()) == 2
    writer.close()


def test_reading_changes_not_one_byte(tmp_path: Path) -> None:
    path = write_lab(tmp_path / "t.db")
    before = path.read_bytes()
    with open_trace(path) as trace:
        trace.runs()
        with pytest.raises(TraceError, match="readonly"):
            trace.rows("DELETE FROM calls")
    assert path.read_bytes() == before


def test_a_value_of_the_wrong_kind_is_damage_not_a_surprise(tmp_path: Path) -> None:
    path = write_lab(tmp_path / "t.db")
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE runs SET duration_ns = 'long' WHERE id = 2")
    connection.close()
    with open_trace(path) as trace, pytest.raises(TraceError, match="duration_ns of run 2 is 'long'"):
        trace.runs()


def test_text_that_is_not_utf_8_is_read_as_well_as_it_can_be(tmp_path: Path) -> None:
    path = write_lab(tmp_path / "t.db")
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE runs SET label = CAST(x'62ff63' AS TEXT) WHERE id = 2")
    connection.close()
    with open_trace(path) as trace:
        assert trace.find_run().label == "b\ufffdc"


def test_every_trace_says_its_format(lab: Path) -> None:
    with sqlite3.connect(lab) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (FORMAT_VERSION,)
        assert connection.execute("PRAGMA application_id").fetchone() == (int.from_bytes(b"SKRL", "big"),)
    connection.close()


def test_our_own_views_answer_whatever_the_file_holds_under_their_names(tmp_path: Path) -> None:
    path = write_lab(tmp_path / "t.db")
    with open_trace(path) as trace:
        words = [row["words"] for row in trace.rows("SELECT words FROM call_log ORDER BY id LIMIT 9")]
    with sqlite3.connect(path) as connection:
        connection.execute("DROP VIEW spins")
        connection.execute("DROP VIEW call_log")
        endless = "WITH RECURSIVE n(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n) SELECT id, 'x' AS words FROM n"
        connection.execute(f"CREATE VIEW call_log AS {endless}")
    connection.close()
    with open_trace(path) as trace:
        assert [row["words"] for row in trace.rows("SELECT words FROM call_log ORDER BY id LIMIT 9")] == words
        assert len(words) == 9
        assert trace.rows("SELECT sum(calls) FROM spins")[0][0] == 6_001


def test_a_view_in_the_place_of_a_table_is_refused_unread(tmp_path: Path) -> None:
    path = write_lab(tmp_path / "t.db")
    with sqlite3.connect(path) as connection:
        connection.execute("DROP TABLE links")
        connection.execute("CREATE VIEW links AS WITH RECURSIVE n(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n) SELECT id FROM n")
    connection.close()
    with pytest.raises(TraceError, match="is no trace of ours: its links is no table"):
        open_trace(path)


def test_rows_that_nobody_took_to_the_end_cause_no_trouble_after_the_trace_is_closed(tmp_path: Path) -> None:
    with open_trace(write_lab(tmp_path / "t.db")) as trace:
        rows = trace.iterate("SELECT id FROM calls ORDER BY id")
        assert next(rows)[0] == 1
    rows.close()  # type: ignore[attr-defined]
