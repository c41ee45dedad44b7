"""What a running program does behind the agent's back, as /proc shows it from outside.

Owns two looks at each recorded process: which shared libraries it has mapped (those of known.py are
named), and which sockets it holds that no recorded call ever named. Both end in blind spots.

A socket that Python made and never used is nothing to be named: only one that is connected, listens or
has a port has done something, and Python does that by calls that are recorded. A socket is judged at
its second look, so that the note of its first call has had time to arrive.
"""

from __future__ import annotations

import os
import time
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from .known import by_library, libraries
from .moved import inherited_inodes

if TYPE_CHECKING:
    from .census import Census
    from .process import Process
    from .spots import BlindSpots

_LOOK_S = 0.25
_SHARE = 50  # a look may take one part in so many of our time
_MOST_KNOWN = 200_000
_MOST_NAMED = 3
_TABLES = ("tcp", "tcp6", "udp", "udp6")
_UNCONNECTED = {"tcp": "07", "udp": ""}  # TCP_CLOSE: nothing has happened to it
_LISTENING = "0A"
_RESOLVER = ":53"  # the C library's own question for a name


class Unseen:
    """What was seen of it so far in a run.

    Args:
        census: whose processes are looked at.
        spots: takes what is found.
    """

    def __init__(self, census: Census, spots: BlindSpots) -> None:
        self._census = census
        self._spots = spots
        self._known: OrderedDict[str, None] = OrderedDict.fromkeys(inherited_inodes())
        self._suspected: dict[str, int] = {}  # inode -> how often it was looked at
        self._found: dict[str, str] = {}  # inode -> what it is
        self._sentence = ""
        self._next_s = 0.0

    def met(self, inode: str) -> None:
        """Take in a socket that a recorded call was made on."""
        self._known[inode] = None
        if len(self._known) > _MOST_KNOWN:
            self._known.popitem(last=False)

    def look_when_due(self) -> None:
        """Look at every process, several times a second where that is cheap. All notes so far must have been read."""
        begun_s = time.monotonic()
        if begun_s < self._next_s:
            return
        seen: dict[str, Process] = {}
        for process in self._census.alive:
            self._look_at_libraries(process.pid)
            seen.update((inode, process) for inode in _sockets(process.pid) if inode not in self._known and inode not in self._found)
        again = {inode: process for inode, process in seen.items() if self._is_due(inode)}
        self._suspected = {inode: self._suspected.get(inode, 0) + 1 for inode in seen}
        for pid in {process.pid for process in again.values()}:
            for inode, what in _used(pid):
                if inode in again and inode not in self._found:
                    self._found[inode] = what
        self._say()
        ended_s = time.monotonic()
        self._next_s = ended_s + max(_LOOK_S, _SHARE * (ended_s - begun_s))

    def _is_due(self, inode: str) -> bool:
        """Say whether to judge a socket now: at looks 2, 4, 8, ...: the tables of a busy machine are long."""
        looks = self._suspected.get(inode, 0)
        return looks > 0 and looks & (looks - 1) == 0

    def _look_at_libraries(self, pid: int) -> None:
        try:
            maps = Path(f"/proc/{pid}/maps").read_bytes()
        except OSError:
            return
        for file in libraries(maps):
            known = by_library(file)
            if known is not None:
                self._spots.add(known.sentence)

    def _say(self) -> None:
        if not self._found:
            return
        kinds = sorted(self._found.values())
        one = len(kinds) == 1
        named = ", ".join(kinds[:_MOST_NAMED]) + (f" and {len(kinds) - _MOST_NAMED:,} more" if len(kinds) > _MOST_NAMED else "")
        sentence = (f"{'a socket was' if one else f'{len(kinds):,} sockets were'} opened outside of Python's socket module, "
                    f"and what {'it' if one else 'they'} did is not in this trace: {named}")  # fmt: skip
        self._spots.replace(self._sentence, sentence)
        self._sentence = sentence


def _sockets(pid: int) -> Iterator[str]:
    """Yield the inodes of the sockets that a process holds."""
    folder = f"/proc/{pid}/fd"
    try:
        names = os.listdir(folder)
    except OSError:
        return
    for name in names:
        try:
            target = os.readlink(f"{folder}/{name}")
        except OSError:
            continue
        if target.startswith("socket:["):
            yield target[8:-1]


def _used(pid: int) -> Iterator[tuple[str, str]]:
    """Yield (inode, what it is) of every TCP and UDP socket of a process' network that has done something (proc_net(5))."""
    for table in _TABLES:
        try:
            lines = Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]
        except OSError:
            continue
        kind = table[:3]
        for line in lines:
            fields = line.split()
            local, peer, state, inode = _address(fields[1]), _address(fields[2]), fields[3], fields[9]
            if state == _UNCONNECTED[kind] or (kind == "udp" and peer.endswith(_RESOLVER)):
                continue
            if kind == "tcp" and state == _LISTENING:
                yield inode, f"{kind} listening on {local}"
            else:
                yield inode, f"{kind} {local}" + ("" if peer.endswith(":0") else f" to {peer}")


def _address(text: str) -> str:
    """Return an address of those tables, words of four bytes in the machine's order, as people write it."""
    host, _, port = text.partition(":")
    words = bytes.fromhex(host)
    if len(words) == 4:
        return f"{'.'.join(str(byte) for byte in reversed(words))}:{int(port, 16)}"
    from ipaddress import IPv6Address

    whole = IPv6Address(b"".join(words[at : at + 4][::-1] for at in range(0, 16, 4)))
    # Some C libraries open sockets of IPv6 for IPv4, too.
    return f"[{f'::ffff:{whole.ipv4_mapped}' if whole.ipv4_mapped else whole}]:{int(port, 16)}"
