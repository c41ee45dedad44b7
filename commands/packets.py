"""`sockreel packets`: what was on the wire, with the calls that sent and read it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from ._options import MOMENT, LookCommand, opened_run

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

END_OF_TIME_NS = 2**63 - 1
_ID = click.IntRange(-(2**63), 2**63 - 1)  # what SQLite takes


@click.command("packets", cls=LookCommand)
@click.argument("reference", metavar="FILE[#RUN]")
@click.option("--from", "from_ns", type=MOMENT, help="Begin here: 1.5s, 200ms, 3us, or plain seconds since the run's start.")
@click.option("--to", "to_ns", type=MOMENT, help="End here.")
@click.option("--call", type=_ID, metavar="ID", help="Only the packets that this call sent or read.")
@click.option("--socket", type=_ID, metavar="ID", help="Only those of this socket.")
@click.option("--packet", type=_ID, metavar="ID", help="Only this one.")
@click.option("--dissect", is_flag=True, help="Show every field of each, as scapy reads it.")
@click.option("--no-payload", is_flag=True, help="Only the headers of each.")
@click.option("--lines", type=click.IntRange(1, 2**63 - 2), default=100, show_default=True, help="At most so many packets.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list, one object a packet; frames in hexadecimal.")
def command(
    reference: str, from_ns: int | None, to_ns: int | None, call: int | None, socket: int | None, packet: int | None, dissect: bool,
    no_payload: bool, lines: int, as_json: bool,
) -> None:
    """List the packets of a run, with the calls that sent or read each.

    They are there if the run was recorded with --packets, or a capture was imported. docs/packets.md tells how they are joined.

    \b
    Example:
      sockreel packets lab.db#blocking
      sockreel packets lab.db --call 16 --dissect
    """
    with opened_run(reference) as (trace, run):
        rows = trace.named(
            "packets_listed", run=run.id, first=packet or 0, start=from_ns or 0, end=END_OF_TIME_NS if to_ns is None else to_ns, call=call,
            socket=socket, most=1 if packet is not None else lines + 1)
        rows = [row for row in rows if packet is None or row["id"] == packet]
        shown_of = _headers if no_payload else _frame
        if as_json:
            from ._screen import print_json_rows

            print_json_rows(_object(row, shown_of) for row in rows[:lines])
            return
        if not rows:
            _say_why_none(run.packets_captured, run.name)
            return
        _print(rows[:lines], shown_of if dissect else None)
        if len(rows) > lines:
            click.echo(f"... and more: {lines:,} are shown; --lines N shows more")


def _frame(row: Any) -> bytes:
    return row["frame"] if isinstance(row["frame"], bytes) else b""


def _headers(row: Any) -> bytes:
    from ..recorder.capture.wire import headers_of

    return headers_of(_frame(row))


def _object(row: Any, shown_of: Callable[[Any], bytes]) -> dict[str, Any]:
    calls = [int(id_) for id_ in str(row["calls"]).split(",")] if row["calls"] else []
    return {**{key: row[key] for key in row.keys()}, "frame": shown_of(row).hex(), "calls": calls}  # noqa: SIM118 - a Row yields its values


def _say_why_none(captured: int | None, name: str) -> None:
    from ..replay.words import visible

    if captured is None:
        click.echo(f"{visible(name)} has no packets: record with --packets, or import a capture", err=True)
    else:
        click.echo("no such packet", err=True)


def _print(rows: Sequence[Any], dissected_of: Callable[[Any], bytes] | None) -> None:
    from ..replay.words import moment, visible
    from ._screen import line
    from ._table import Column, print_table

    def cells(row: Any) -> list[str]:
        return [str(row["id"]), moment(row["at_ns"], 1_000), visible(row["source"]), visible(row["destination"]),
                visible(row["flags"] or "UDP"), f"{row['payload_bytes']:,}", visible(row["calls"] or "-")]

    columns = [Column("id", right=True), Column("at", right=True), Column("from", least=12), Column("to", least=12), Column("flags"),
               Column("bytes", right=True), Column("calls", least=6)]
    if dissected_of is None:
        print_table(columns, map(cells, rows))
        return
    from ..recorder.capture.dissecting import dissected

    for row in rows:
        id_, at, source, destination, flags, size, calls = cells(row)
        line(f"packet {id_} at {at}: {source} to {destination}, {flags}, {size} bytes; calls {calls}", "bold")
        for text in dissected(dissected_of(row)).split("\n"):
            line(f"  {visible(text)}")
