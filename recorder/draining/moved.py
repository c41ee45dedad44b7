"""Bytes that moved unseen: what the kernel counted on each TCP connection against what recorded calls moved.

Owns the accounts of a run and the sentence they end in. The kernel's side comes with the note of a
close (agent/kernel.py). One connection may have several sockets, by dup or fork, in several processes:
its inode tells. Where it cannot be known, nothing is said: over TLS (more bytes travel than are asked
for), after calls that failed half way or were lost, on a connection that was there before us.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from ..agent import layout
from ..tapes.slots import slot_columns

try:
    from ..tapes._slots import moved as _moved
except ImportError:  # not built
    moved_quickly = None
else:
    moved_quickly = _moved

NOWHERE, RECEIVES, SENDS, UNCLEAR = range(4)
_MOST_KEPT = 50_000  # connections whose sockets are all closed: a forked child may still speak of one
_SLACK_BYTES = 2  # a FIN counts as a byte, and so does an urgent one that nobody took
_FIN_BYTES = 1  # of one that shutdown queued behind what is not sent yet
_MSG_PEEK = 2
_MOST_NAMED = 3
Row = tuple[int, int, int, int, bool]  # socket, received, sent, spared, unclear


def _way(name: str) -> int:
    name = name.removeprefix("ring_")
    if name.startswith(("tls_", "do_handshake", "unwrap", "splice")):
        return UNCLEAR  # other bytes than were asked for, or either way
    if name.startswith(("recv", "read")):
        return RECEIVES
    return SENDS if name.startswith(("send", "write")) else NOWHERE


def ways_of(operations: dict[str, int]) -> bytes:
    """Return which way bytes go in each operation: 256 codes."""
    ways = bytearray(256)
    for name, code in operations.items():
        ways[code] = _way(name)
    return bytes(ways)


_WAYS = ways_of(layout.OPERATIONS)


def moved_slowly(slots: bytes, ways: bytes) -> list[Row]:
    """Sum the bytes of complete slots per socket.

    Args:
        slots: whole slots.
        ways: of each operation.

    Returns:
        Rows of (socket, received, sent, spared, unclear). Spared: bytes offered by calls that failed, of which
        some may have gone.
    """
    columns = slot_columns(slots)
    found: dict[int, list[int]] = {}
    names = ("operation", "socket", "result", "asked", "flags")
    for operation, socket, result, asked, flags in zip(*(columns[name] for name in names), strict=True):
        way = ways[operation] if operation < 256 else NOWHERE
        if way == NOWHERE or not socket or (way == RECEIVES and flags & _MSG_PEEK):
            continue
        spared = asked if way == SENDS and result < 0 and asked > 0 else 0
        if result <= 0 and not spared and way != UNCLEAR:
            continue
        account = found.setdefault(socket, [0, 0, 0, 0])
        account[way - 1] += result if way != UNCLEAR and result > 0 else 0
        account[2] += spared
        account[3] |= way == UNCLEAR
    return [(socket, received, sent, spared, bool(unclear)) for socket, (received, sent, spared, unclear) in found.items()]


@dataclass
class _Account:
    received: int = 0
    sent: int = 0
    spared: int = 0
    unclear: bool = False


@dataclass
class _Connection:
    name: str = ""
    sockets: list[tuple[int, int]] = field(default_factory=list)  # (process, socket)
    open: int = 0
    counted: tuple[int, int, int] | None = None  # received, sent, unread: the most that a close was told


class Moved:
    """The accounts of one run."""

    def __init__(self) -> None:
        self.known = True  # False: calls were missed, nothing can be said
        self._accounts: dict[tuple[int, int], _Account] = {}
        self._open: dict[str, _Connection] = {}  # inode -> it
        self._closed: OrderedDict[str, _Connection] = OrderedDict()
        self._before = inherited_inodes()
        self._unseen: list[tuple[int, str]] = []  # of connections no longer kept: bytes, peer

    def take(self, process: int, slots: bytes) -> None:
        """Add the bytes of finished calls.

        Args:
            process: id.
            slots: whole slots.
        """
        if not self.known:
            return
        rows: Iterable[Row] = moved_quickly(slots, _WAYS) if moved_quickly is not None else moved_slowly(slots, _WAYS)
        for socket, received, sent, spared, unclear in rows:
            account = self._accounts.get((process, socket))
            if account is None:
                account = self._accounts[process, socket] = _Account()
            account.received += received
            account.sent += sent
            account.spared += spared
            account.unclear |= unclear

    def opened(self, process: int, socket: int, told: dict[str, str]) -> None:
        """Take in a socket that was met."""
        if not self.known or told["kind"] != "tcp" or told["inode"] in self._before:
            return
        inode = told["inode"]
        connection = self._open[inode] = self._open.get(inode) or self._closed.pop(inode, None) or _Connection()
        connection.name = told["peer"] or connection.name
        connection.sockets.append((process, socket))
        connection.open += 1

    def closed(self, process: int, socket: int, told: dict[str, str], counted: Sequence[str]) -> None:
        """Take in the end of a socket.

        Args:
            process, socket: whose.
            told: what its note said.
            counted: what the kernel said: received, sent, unread; or nothing.
        """
        inode = told.get("inode", "")
        connection = self._open.get(inode)
        if connection is None or (process, socket) not in connection.sockets:
            self._accounts.pop((process, socket), None)
            return
        connection.name = told.get("peer", "") or connection.name
        if len(counted) == 3:
            received, sent, unread = map(int, counted)
            before = connection.counted or (0, 0, 0)
            connection.counted = (max(before[0], received), max(before[1], sent), unread)
        connection.open -= 1
        if not connection.open:
            self._closed[inode] = self._open.pop(inode)
            if len(self._closed) > _MOST_KEPT:
                self._settle(self._closed.popitem(last=False)[1])

    def _settle(self, connection: _Connection) -> None:
        unseen = self._unseen_of(connection)
        if unseen:
            self._unseen.append((unseen, connection.name))
        for key in connection.sockets:
            self._accounts.pop(key, None)

    def _unseen_of(self, connection: _Connection) -> int:
        if connection.counted is None:
            return 0
        accounts = [self._accounts[key] for key in connection.sockets if key in self._accounts]
        if any(account.unclear for account in accounts):
            return 0
        received, sent, unread = connection.counted
        more_received = received - unread - sum(account.received for account in accounts)
        more_sent = sent - sum(account.sent + account.spared for account in accounts)
        return (more_received if more_received > _SLACK_BYTES else 0) + (more_sent if more_sent > _FIN_BYTES else 0)

    def sentence(self) -> str:
        """Return what moved unseen, "" where nothing did."""
        if not self.known:
            return ""
        kept = [*self._open.values(), *self._closed.values()]
        found = [(unseen, connection.name) for connection in kept if (unseen := self._unseen_of(connection))]
        found = sorted([*self._unseen, *found], reverse=True)
        if not found:
            return ""
        total, several = sum(bytes_ for bytes_, _ in found), len(found) > 1
        named = ", ".join(f"{name or 'one'}: {bytes_:,}" for bytes_, name in found[:_MOST_NAMED])
        more = f", and {len(found) - _MOST_NAMED:,} more" if len(found) > _MOST_NAMED else ""
        connections = f"{len(found):,} TCP connections" if several else "a TCP connection"
        return f"{connections} moved {total:,} bytes in calls that were not recorded (by peer: {named}{more}), as the kernel counted"


def inherited_inodes() -> set[str]:
    """Return the inodes of sockets that we hold: a program that inherits one has no part in what moved before."""
    inodes = set()
    for name in os.listdir("/proc/self/fd"):
        try:
            target = os.readlink(f"/proc/self/fd/{name}")
        except OSError:
            continue
        if target.startswith("socket:["):
            inodes.add(target[8:-1])
    return inodes
