"""`sockreel query`: any question to a trace, in SQL or by name."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from ._options import LookCommand, opened_trace

if TYPE_CHECKING:
    from ..traces.ask import Answer


@click.command("query", cls=LookCommand)
@click.argument("trace", metavar="FILE[#RUN]", required=False)
@click.argument("question", metavar="SQL|NAME", required=False)
@click.option("--param", "-p", "parameters", multiple=True, metavar="NAME=VALUE", help="Value of a parameter :NAME of the query.")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV; bytes in hexadecimal.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list of objects, one a row.")
@click.option("--list", "list_names", is_flag=True, help="Name the queries that have a name, and what they answer.")
def command(trace: str | None, question: str | None, parameters: tuple[str, ...], as_csv: bool, as_json: bool, list_names: bool) -> None:
    """Ask a trace in SQL, or by the name of a query.

    FILE#LABEL or FILE#ID gives :run that id. The file is only read: whatever
    writes, attaches or loads is refused. SQL - is read from standard input. docs/trace-format.md tells the tables.

    \b
    Example:
      sockreel query lab.db "SELECT words FROM call_log LIMIT 20"
      sockreel query --list
      sockreel query lab.db#blocking requests
      sockreel query lab.db "SELECT * FROM calls WHERE errno = :e" -p e=104 --csv
    """
    from ..traces import split_reference
    from ..traces.ask import ask, bound_memory, find_query

    if as_csv and as_json:
        raise click.UsageError("--csv and --json exclude each other.")
    values: dict[str, int | float | str | None] = dict(map(_parameter, parameters))
    if list_names:
        _print_names(as_csv, as_json)
        return
    if trace is None:
        raise click.UsageError("Name a run: FILE, FILE#LABEL or FILE#ID; then a query in SQL or by name, of which --list tells the names.")
    file, selector = split_reference(trace)
    with opened_trace(file) as opened:
        if question is None:
            raise click.UsageError("Give a query in SQL or by name; --list tells the names.")
        text = sys.stdin.read() if question == "-" else question
        bound_memory(opened)
        named = find_query(text)
        if selector is not None:
            values.setdefault("run", opened.find_run(selector).id)
        if named:
            unknown = [name for name in values if name not in (*named.parameters, "run")]
            if unknown:
                wanted = ", ".join(named.parameters) or "none"
                raise click.UsageError(f"{named.name} has no parameter {unknown[0]} (it has: {wanted}).")
            for name in named.parameters:
                values.setdefault(name, None)
        _print_answer(ask(opened, named.sql if named else text, values), as_csv, as_json)


def _parameter(text: str) -> tuple[str, int | float | str]:
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise click.BadParameter(f"{text!r} is not NAME=VALUE.", param_hint="'-p'")
    for number in (int, float):
        try:
            return name.strip().lstrip(":"), number(value)
        except ValueError:
            continue
    return name.strip().lstrip(":"), value


def _print_names(as_csv: bool, as_json: bool) -> None:
    from ..traces.ask import Answer, list_queries

    rows = ((query.name, " ".join(f":{name}" for name in query.parameters), query.answers) for query in list_queries())
    _print_answer(Answer(["name", "parameters", "answers"], iter(rows)), as_csv, as_json)


def _print_answer(answer: Answer, as_csv: bool, as_json: bool) -> None:
    from ..replay.words import visible
    from ._screen import csv_rows, print_json_rows
    from ._table import Column, print_table

    names = _distinct(answer.columns)
    if as_json:
        print_json_rows(dict(zip(names, row, strict=True)) for row in answer.rows)
    elif as_csv:
        csv.writer(sys.stdout, lineterminator="\n").writerows(csv_rows(answer.columns, answer.rows))
    else:
        first = next(answer.rows, None)
        right = [isinstance(cell, int | float) for cell in first] if first else [False] * len(names)
        columns = [Column(visible(name), is_right, None if is_right else 8) for name, is_right in zip(answer.columns, right, strict=True)]
        print_table(columns, (_cells(row) for row in _again(first, answer.rows)))


def _cells(row: Sequence[Any]) -> list[str]:
    from ..replay.words import visible, visible_bytes

    return ["" if cell is None else visible_bytes(cell, len(cell), 64) if isinstance(cell, bytes) else visible(str(cell)) for cell in row]


def _again(first: tuple[Any, ...] | None, rest: Iterator[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
    if first is not None:
        yield first
        yield from rest


def _distinct(names: Sequence[str]) -> list[str]:
    """Return names that differ, for objects: a, b, a -> a, b, a_2."""
    taken: dict[str, int] = {}
    distinct = []
    for name in names:
        taken[name] = taken.get(name, 0) + 1
        distinct.append(name if taken[name] == 1 else f"{name}_{taken[name]}")
    return distinct
