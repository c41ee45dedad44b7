"""What people type into the player: a moment to jump to, and breakpoints.

Owns both little languages. Knows the words of a run, no screen.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from ..reading import Reader
from ..words import brief
from .timeline import Playhead, Signature, Timeline

_TIME = re.compile(r"(\d+\.?\d*|\.\d+)\s*(ns|us|µs|ms|s|min)")
_UNITS_NS = {"ns": 1, "us": 1_000, "µs": 1_000, "ms": 1_000_000, "s": 1_000_000_000, "min": 60_000_000_000}
_CALL = re.compile(r"#?(\d[\d,]*)")
_LINE = re.compile(r"(.*):(\d{1,9})")


class Misread(ValueError):
    """What was typed means nothing here; the text says what could be typed."""


@dataclass(frozen=True)
class Break:
    """A breakpoint: as it was typed, and whether it wants a step.

    `lines` are those of the program that it names, as (file, line); () where it names none.
    """

    text: str
    wants: Callable[[Signature], bool]
    lines: frozenset[tuple[str, int]] = frozenset()


def read_jump(text: str, line: Timeline) -> Playhead:
    """Return where to jump: `1.5s`, `200ms` to a moment; `1234` or `#1234` behind so many steps; `50%` into the run.

    Raises:
        Misread: it is neither.
    """
    text = text.strip().lower()
    if found := _TIME.fullmatch(text):
        return line.at_time(int(min(float(found.group(1)) * _UNITS_NS[found.group(2)], 2**62)))
    if found := _CALL.fullmatch(text):
        return line.at_call(int(found.group(1).replace(",", "")))
    if found := re.fullmatch(r"(\d+\.?\d*)\s*%", text):
        return line.at_time(int(line.end_ns * min(100.0, float(found.group(1))) / 100))
    raise Misread(text)


def read_break(text: str, reader: Reader) -> Break:
    """Return a breakpoint of one or more words, all of which must fit a step.

    A word is an operation (recv), an outcome (would_block, eof, reset), a socket (fd=4, a client's name or address, listener), or a
    line of the program (server.py:18, or :18).

    Raises:
        Misread: a word fits nothing in the run.
    """
    words = text.split()
    parts = [_read_word(word, reader) for word in words]
    if not parts:
        raise Misread(text)
    sites = _sites(words[0], reader) if len(words) == 1 else set()
    return Break(" ".join(words), lambda signature: all(part(signature) for part in parts),
                 frozenset((reader.sites[id_].file, reader.sites[id_].line) for id_ in sites))


def break_at(file: str, line: int, reader: Reader) -> Break | None:
    """Return a breakpoint at a line of the program, None where nothing was called from it."""
    sites = {id_ for id_, site in reader.sites.items() if (site.file, site.line) == (file, line)}
    name = brief(file.rpartition("/")[2], 30)
    return Break(f"{name}:{line}", lambda signature: signature.site_id in sites, frozenset({(file, line)})) if sites else None


def _sites(word: str, reader: Reader) -> set[int]:
    """Return the places in the program that `server.py:18`, `app/server.py:18` or `:18` names."""
    found = _LINE.fullmatch(word)
    if found is None:
        return set()
    file, number = found.group(1), int(found.group(2))
    return {id_ for id_, site in reader.sites.items()
            if site.line == number and (not file or site.file == file or site.file.endswith(f"/{file}"))}


def _read_word(word: str, reader: Reader) -> Callable[[Signature], bool]:
    sites = _sites(word, reader)
    if sites:
        return lambda signature: signature.site_id in sites
    sockets = _sockets(word, reader)
    if sockets:
        return lambda signature: signature.socket_id in sockets
    operations = reader.operations_named(word)
    if operations:
        return lambda signature: signature.operation_id in operations
    outcomes = reader.outcomes_named(word)
    if outcomes:
        return lambda signature: signature.outcome_id in outcomes
    raise Misread(word)


def _sockets(word: str, reader: Reader) -> set[int]:
    lowered = word.lower()
    if lowered.startswith("fd="):
        return {id_ for id_, row in reader.sockets.items() if str(row["fd"]) == lowered[3:]}
    clients = {exchange.socket_id for exchange in reader.exchanges(requests=False)[0] if exchange.client == word}
    return {id_ for id_, row in reader.sockets.items() if id_ in clients or row["role"] == lowered or (row["peer"] and row["peer"] == word)}
