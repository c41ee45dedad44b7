"""Writes docs/trace-format.md from the SQL of the traces room, so that the two cannot drift apart.

Owns the page's wording around the tables; what tables and columns mean stands in traces/schema.sql
beside each of them. `--check` only says whether the page is stale.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "trace-format.md"

INTRODUCTION = """\
# The trace format

A trace is one SQLite file (`.db`), readable by any SQLite tool. It holds one or more runs. `PRAGMA application_id` is
0x534B524C ("SKRL"), `PRAGMA user_version` the version of this format: {version}.

{conventions}

While a run is recorded the file is in WAL mode and may be read at the same time; the newest rows then stand in `FILE-wal`
beside it. A finished trace is one file.

This page is made from traces/schema.sql by `make docs`.

    sqlite3 -readonly lab.db "SELECT words FROM call_log LIMIT 10"
    sockreel query lab.db "SELECT words FROM call_log LIMIT 10"
"""


@dataclass(frozen=True)
class Column:
    """One column of a table, as declared, and what it means."""

    name: str
    declaration: str
    meaning: str


@dataclass(frozen=True)
class Table:
    """One table: what a row is, its columns, and what is said around it."""

    name: str
    meaning: str
    columns: tuple[Column, ...]
    note: str


def read_tables(sql: str) -> Iterator[Table]:
    """Yield the tables of schema.sql in their order, with the comments that stand in them."""
    found = re.finditer(r"((?:^--[^\n]*\n)*)^CREATE TABLE (\w+) \((?: -- ([^\n]*))?\n(.*?)^\)[^;]*;", sql, re.DOTALL | re.MULTILINE)
    for before, name, meaning, body in (match.groups() for match in found):
        columns = tuple(_columns(body))
        yield Table(name, meaning or "", columns, _comment(before))


def _columns(body: str) -> Iterator[Column]:
    for line in body.splitlines():
        declaration, _, meaning = line.strip().partition("--")
        declaration = declaration.strip().rstrip(",")
        if declaration and not declaration.startswith("PRIMARY KEY"):
            name, _, rest = declaration.partition(" ")
            yield Column(name, rest, meaning.strip())


def read_views(sql: str) -> Iterator[tuple[str, str]]:
    """Yield the views: name, and the comment above each."""
    for before, name in re.findall(r"((?:^--[^\n]*\n)+)CREATE VIEW (\w+) AS", sql, re.MULTILINE):
        yield name, _comment(before)


def read_questions() -> Iterator[tuple[str, str]]:
    """Yield the named queries made for people: name, and the first line of each."""
    for path in sorted((ROOT / "traces" / "questions").glob("*.sql")):
        yield path.stem, _comment(path.read_text(encoding="utf-8").split("\n", 1)[0])


def read_words(sql: str, table: str) -> list[str]:
    """Return the words that words.sql puts into a table, in the order of their ids."""
    values = re.search(rf"INTO {table} \([^)]*\) VALUES(.*?);", sql, re.DOTALL)
    return re.findall(r"\(\d+, '(\w+)'", values.group(1)) if values else []


def _comment(text: str) -> str:
    return " ".join(line.removeprefix("--").strip() for line in text.splitlines())


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _two_columns(first: str, second: str, rows: Iterable[tuple[str, str]]) -> str:
    return "\n".join([f"| {first} | {second} |", "| --- | --- |", *(f"| `{name}` | {_cell(text)} |" for name, text in rows)])


def _type(declaration: str) -> str:
    kind = declaration.split(" ", 1)[0]
    reference = re.search(r"REFERENCES (\w+)\((\w+)\)", declaration)
    always = "" if "NOT NULL" in declaration or "PRIMARY KEY" in declaration else ", may be NULL"
    return f"{kind.lower()}{f', id in {reference.group(1)}' if reference else ''}{always}"


def page() -> str:
    """Return the whole page."""
    schema, words, views = ((ROOT / "traces" / name).read_text(encoding="utf-8") for name in ("schema.sql", "words.sql", "views.sql"))
    version = re.search(r"format, version (\d+)", schema)
    assert version is not None
    head, _, rest = schema.partition("\n\n")
    conventions = _comment(head.partition("\n--\n")[2])
    parts = [INTRODUCTION.format(version=version.group(1), conventions=conventions), "## Tables"]
    for table in read_tables(rest):
        rows = [f"| `{column.name}` | {_type(column.declaration)} | {_cell(column.meaning)} |" for column in table.columns]
        note = [table.note] if table.note else []
        title = f"### {table.name}\n\n{table.meaning[:1].upper()}{table.meaning[1:]}{'.' if table.meaning else ''}".rstrip()
        parts += [title, *note, "\n".join(["| column | kind | meaning |", "| --- | --- | --- |", *rows])]
    parts.append("## Words")
    for name in ("operations", "outcomes"):
        parts.append(f"{name.capitalize()}: {', '.join(f'`{word}`' for word in read_words(words, name))}.")
    parts += ["## Views", "They hold nothing of their own."]
    parts.append(_two_columns("view", "what it shows", read_views(views)))
    parts += ["## Named queries", "`sockreel query FILE NAME` asks these of the whole file, `sockreel query FILE#RUN NAME` of one run."]
    parts.append(_two_columns("name", "what it answers", read_questions()))
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"


def main(arguments: list[str]) -> int:
    """Write the page, or with `--check` say whether it is as it would be written."""
    if "--check" in arguments:
        fresh = PAGE.is_file() and PAGE.read_text(encoding="utf-8") == page()
        print("docs/trace-format.md is up to date" if fresh else "docs/trace-format.md is stale: make docs")
        return 0 if fresh else 1
    PAGE.write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
