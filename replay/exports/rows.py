"""Calls as CSV and as JSON Lines: one call a line.

Owns how a row is written where a spreadsheet or a script reads it. Payloads are in hexadecimal.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO

from ...traces.excerpt import Excerpt

# A spreadsheet takes a cell that begins like this for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
_BLOCK_BYTES = 1 << 20


def _rows(excerpts: Sequence[Excerpt]) -> Iterator[dict[str, Any]]:
    for excerpt in excerpts:
        for row in excerpt.calls():
            data = row["payload"]
            row["payload"] = data.hex() if isinstance(data, bytes) else None
            yield {"run": excerpt.run.name, **row}


def write_csv(excerpts: Sequence[Excerpt], out: BinaryIO) -> None:
    """Write calls as CSV (RFC 4180) in UTF-8 with a header; unknown is empty.

    Args:
        excerpts: whose calls.
        out: an open binary file.

    Raises:
        TraceError: the trace is damaged.
    """
    text = io.TextIOWrapper(out, encoding="utf-8", errors="backslashreplace", newline="", write_through=False)
    writer = csv.writer(text, lineterminator="\r\n")
    names: tuple[str, ...] | None = None
    for row in _rows(excerpts):
        if names is None:
            names = tuple(row)
            writer.writerow(names)
        writer.writerow([_harmless(cell) if isinstance(cell, str) else cell for cell in row.values()])
    text.flush()
    text.detach()


def _harmless(cell: str) -> str:
    """Return a text that no spreadsheet computes; NUL, which CSV readers refuse, is shown."""
    cell = cell.replace("\0", "\\x00")
    return "'" + cell if cell.startswith(_FORMULA) else cell


def write_jsonl(excerpts: Sequence[Excerpt], out: BinaryIO) -> None:
    """Write calls as JSON Lines, ASCII only, each line an object with the same keys; unknown is null.

    Args, Raises: as `write_csv`.
    """
    lines: list[str] = []
    size = 0
    for row in _rows(excerpts):
        line = json.dumps(row, ensure_ascii=True, separators=(",", ":"), allow_nan=False).replace("\x7f", "\\u007f")
        lines.append(line + "\n")
        size += len(line)
        if size > _BLOCK_BYTES:
            out.write("".join(lines).encode("ascii"))
            lines.clear()
            size = 0
    out.write("".join(lines).encode("ascii"))
