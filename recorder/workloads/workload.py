"""A workload: what clients do to a server, and when; a small TOML file as frozen values.

Owns the words of that file, its limits and every complaint about it (docs/workloads.md shows them
to users). Knows nothing of sockets, processes or traces: clients.py plays a workload, crowd.py
starts it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from typing import Any

from ...errors import SockreelError
from ._table import MAX_TIME_NS, Table, WorkloadTableError

_toml = import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")

SHIPPED_FOLDER = Path(__file__).parent
MAX_FILE_BYTES = 1 << 20
MAX_CLIENTS = 20_000
MAX_REPEAT = 1_000_000
MAX_EXCHANGES = 10_000_000
REPEAT_IN_TIME = 100_000  # so often at most, where only a time is given
MAX_PAYLOAD_BYTES = 64 << 20
MAX_NAME_LENGTH = 64
DEFAULT_LIMIT_NS = 30_000_000_000

LEAVINGS = ("close", "half-close", "reset", "stay")
EXPECTATIONS = ("upper", "any", "none")
ALPHABET = b"abcdefghijklmnopqrstuvwxyz"


class WorkloadError(SockreelError):
    """A workload that cannot be used: names the file and what is wrong in it."""


@dataclass(frozen=True)
class Payload:
    """Bytes to say: `pattern`, again and again, `size_bytes` in all."""

    pattern: bytes
    size_bytes: int


@dataclass(frozen=True)
class Expectation:
    """The answer a client waits for.

    kind: upper (the message in upper case), literal (these bytes), any (whatever comes first),
    none (no answer: the exchange is over when the message is out).
    """

    kind: str
    literal: bytes = b""


@dataclass(frozen=True)
class Message:
    """One thing to say, perhaps several times; times in nanoseconds.

    at_ns: since the start, None if it is said after_ns after the previous exchange instead.
    every_ns: from the begin of one repetition to the begin of the next (never before its answer).
    for_ns: none begins later than this after the first began; None: only their number ends them.
    piece_bytes: 0 when written whole, otherwise so many bytes every piece_every_ns.
    timeout_ns: how long an exchange may take; None: as long as the workload.
    """

    payload: Payload
    at_ns: int | None
    after_ns: int
    repeat: int
    every_ns: int
    piece_bytes: int
    piece_every_ns: int
    expect: Expectation
    timeout_ns: int | None
    for_ns: int | None = None


@dataclass(frozen=True)
class Group:
    """Clients that do the same: one, or `count` of them, connecting `stagger_ns` apart."""

    name: str
    count: int | None
    connect_ns: int
    stagger_ns: int
    messages: tuple[Message, ...]
    leave: str
    leave_after_ns: int
    timeout_ns: int | None

    def names(self) -> Iterator[str]:
        """Yield the clients' names: `name`, or `name-1`, `name-2` ... where there is a count."""
        if self.count is None:
            yield self.name
        else:
            yield from (f"{self.name}-{number}" for number in range(1, self.count + 1))


@dataclass(frozen=True)
class Workload:
    """What clients do, and when; over after `limit_ns` at the latest.

    most_waiting: they come later than planned while so many wait to be accepted; None: they come as planned.
    server_first: whether the server is ended while those who stay are still there.
    """

    name: str
    description: str
    limit_ns: int
    groups: tuple[Group, ...]
    most_waiting: int | None = None
    server_first: bool = False

    @property
    def clients(self) -> int:
        """How many clients there are."""
        return sum(group.count or 1 for group in self.groups)


def shipped_workloads() -> dict[str, str]:
    """Return the workloads that come with sockreel: name -> its description in one line."""
    return {path.stem: load_workload(path.stem).description for path in sorted(SHIPPED_FOLDER.glob("*.toml"))}


def load_workload(name_or_path: str) -> Workload:
    """Read a workload.

    Args:
        name_or_path: the name of a shipped workload, or the path of a TOML file.

    Returns:
        The workload, checked: every name, time and count in it is usable.

    Raises:
        WorkloadError: there is no such workload, or its file is malformed; one line says where and why.
    """
    path = Path(name_or_path)
    if not path.suffix and path.name == name_or_path:
        shipped = SHIPPED_FOLDER / f"{name_or_path}.toml"
        path = shipped if shipped.is_file() else path
    text = _read(path, name_or_path)
    try:
        document = _toml.loads(text)
    except RecursionError as error:
        raise WorkloadError(f"{path}: not a workload: nested too deeply") from error
    except ValueError as error:
        raise WorkloadError(f"{path}: not valid TOML: {error}") from error
    try:
        return _workload(path.stem, Table(document, "", ("description", "limit", "clients")))
    except WorkloadTableError as error:
        raise WorkloadError(f"{path}: {error}") from error


def _read(path: Path, asked: str) -> str:
    """Return a workload file's text, never more than the largest that is allowed."""
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_FILE_BYTES + 1)
    except FileNotFoundError as error:
        raise WorkloadError(_missing(asked)) from error
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the path
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise WorkloadError(f"{asked!r}: cannot be read as a workload: {reason}") from error
    if len(raw) > MAX_FILE_BYTES:
        raise WorkloadError(f"{path}: not a workload: larger than {MAX_FILE_BYTES:,} bytes")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise WorkloadError(f"{path}: not a workload: byte {error.start} is not UTF-8") from error


def _missing(asked: str) -> str:
    names = sorted(path.stem for path in SHIPPED_FOLDER.glob("*.toml"))
    near = get_close_matches(asked, names, 1)
    hint = f"did you mean {near[0]}? " if near else ""
    return f"no workload {asked!r}: {hint}shipped are {', '.join(names)}; any other is the path of a TOML file (docs/workloads.md)"


def _workload(name: str, table: Table) -> Workload:
    limit_ns = table.time("limit", DEFAULT_LIMIT_NS, low_ns=1_000_000)
    groups = tuple(_group(each, limit_ns) for each in table.tables("clients", _GROUP_KEYS))
    if not groups:
        raise WorkloadTableError("no clients: write at least one [[clients]]")
    workload = Workload(name, table.line("description", ""), limit_ns, groups)
    if workload.clients > MAX_CLIENTS:
        raise WorkloadTableError(f"{workload.clients:,} clients: more than {MAX_CLIENTS:,}")
    seen: set[str] = set()
    for client in (each for group in groups for each in group.names()):
        if client in seen:
            raise WorkloadTableError(f"two clients are called {client!r}: give each a name of its own")
        seen.add(client)
    exchanges = sum((group.count or 1) * sum(message.repeat for message in group.messages) for group in groups)
    if exchanges > MAX_EXCHANGES:
        raise WorkloadTableError(f"{exchanges:,} exchanges: more than {MAX_EXCHANGES:,}")
    payload_bytes = sum(message.payload.size_bytes for group in groups for message in group.messages)
    if payload_bytes > MAX_PAYLOAD_BYTES:
        raise WorkloadTableError(f"messages of {payload_bytes:,} bytes in all: more than {MAX_PAYLOAD_BYTES:,}")
    return workload


_GROUP_KEYS = ("name", "count", "connect", "stagger", "say", "expect", "timeout", "leave", "leave_after")
_MESSAGE_KEYS = ("text", "bytes", "size", "at", "after", "repeat", "every", "for", "piece", "piece_every", "expect", "timeout")


def _group(table: Table, limit_ns: int) -> Group:
    count = table.number("count", None, 1, MAX_CLIENTS)
    table.only_with("stagger", "count")
    name = table.line("name", "client")
    if not name or len(name) > MAX_NAME_LENGTH:
        raise table.error("name", f"must have 1 to {MAX_NAME_LENGTH} characters")
    timeout_ns = table.time("timeout", None, low_ns=1_000_000)
    expect = _expectation(table, Expectation("upper"))
    connect_ns = table.time("connect", 0)
    stagger_ns = table.time("stagger", 0)
    if connect_ns >= limit_ns:
        raise table.error("connect", "is not before the workload's limit")
    if connect_ns + stagger_ns * ((count or 1) - 1) >= limit_ns:
        raise table.error("stagger", "lets the last client connect after the workload's limit")
    says = table.tables("say", _MESSAGE_KEYS, short="text")
    return Group(
        name=name,
        count=count,
        connect_ns=connect_ns,
        stagger_ns=stagger_ns,
        messages=tuple(_message(each, expect, timeout_ns, limit_ns) for each in says),
        leave=table.word("leave", LEAVINGS, "close"),
        leave_after_ns=table.time("leave_after", 0),
        timeout_ns=timeout_ns,
    )


def _message(table: Table, expect: Expectation, timeout_ns: int | None, limit_ns: int) -> Message:
    table.at_most_one("at", "after")
    for_ns = table.time("for", None)
    if for_ns is None:
        table.only_with("every", "repeat")
    table.only_with("piece_every", "piece")
    at_ns = table.time("at", None)
    if at_ns is not None and at_ns >= limit_ns:
        raise table.error("at", "is not before the workload's limit")
    return Message(
        payload=_payload(table),
        at_ns=at_ns,
        after_ns=table.time("after", 0),
        repeat=table.number("repeat", 1 if for_ns is None else REPEAT_IN_TIME, 1, MAX_REPEAT),
        every_ns=table.time("every", 0),
        piece_bytes=table.number("piece", 0, 1, MAX_PAYLOAD_BYTES),
        piece_every_ns=table.time("piece_every", 0),
        expect=_expectation(table, expect),
        timeout_ns=table.time("timeout", timeout_ns, low_ns=1_000_000),
        for_ns=for_ns,
    )


def _payload(table: Table) -> Payload:
    table.exactly_one("text", "bytes", "size")
    size_bytes = table.number("size", None, 1, MAX_PAYLOAD_BYTES)
    if size_bytes is not None:
        return Payload(ALPHABET, size_bytes)
    data = table.data()
    return Payload(data, len(data))


def _expectation(table: Table, default: Expectation) -> Expectation:
    value: Any = table.values.get("expect")
    if isinstance(value, dict):
        literal = table.table("expect", ("text", "bytes"))
        literal.exactly_one("text", "bytes")
        return Expectation("literal", literal.data())
    if value is None:
        return default
    return Expectation(table.word("expect", EXPECTATIONS, "", ' (a literal answer is { text = "..." })'))


__all__ = [
    "MAX_CLIENTS",
    "MAX_TIME_NS",
    "Expectation",
    "Group",
    "Message",
    "Payload",
    "Workload",
    "WorkloadError",
    "load_workload",
    "shipped_workloads",
]
