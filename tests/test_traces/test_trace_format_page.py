"""docs/trace-format.md is what its script makes of the schema, and leaves nothing of it out."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from sockreel.tools import trace_format


@pytest.fixture
def schema(lab: Path) -> dict[str, list[str]]:
    """Tables and views of a real trace: name -> columns."""
    connection = sqlite3.connect(lab)
    names = connection.execute("SELECT name FROM sqlite_master WHERE type IN ('table', 'view')").fetchall()
    columns = {name: [row[1] for row in connection.execute(f"PRAGMA table_info({name})")] for (name,) in names}
    connection.close()
    return columns


def test_the_page_is_not_stale() -> None:
    assert trace_format.PAGE.read_text(encoding="utf-8") == trace_format.page(), "make docs"


def test_every_table_column_and_view_of_a_real_trace_is_on_the_page(schema: dict[str, list[str]]) -> None:
    sql = (trace_format.ROOT / "traces" / "schema.sql").read_text(encoding="utf-8")
    tables = {table.name: [column.name for column in table.columns] for table in trace_format.read_tables(sql)}
    views = dict(trace_format.read_views((trace_format.ROOT / "traces" / "views.sql").read_text(encoding="utf-8")))
    assert set(schema) == set(tables) | set(views)
    assert all(schema[name] == columns for name, columns in tables.items())
    assert all(text.endswith(".") for text in views.values())


def test_the_words_on_the_page_are_those_of_a_real_trace(lab: Path) -> None:
    sql = (trace_format.ROOT / "traces" / "words.sql").read_text(encoding="utf-8")
    connection = sqlite3.connect(lab)
    for table in ("operations", "outcomes"):
        assert trace_format.read_words(sql, table) == [row[0] for row in connection.execute(f"SELECT name FROM {table} ORDER BY id")]
    connection.close()
