"""How many clients wait to be accepted by a server of this machine, and so when the next one may come.

Owns the pace of clients that come in thousands: where more wait than the listener's backlog holds, the kernel drops
them, and they come again after a second. Standard library only, for clients.py, which loads it by path.
"""

from __future__ import annotations

import socket
import struct

# linux/netlink.h, linux/sock_diag.h, linux/inet_diag.h
_SOCK_DIAG, _BY_FAMILY = 4, 20  # NETLINK_SOCK_DIAG, SOCK_DIAG_BY_FAMILY
_DUMP = 0x301  # NLM_F_REQUEST | NLM_F_DUMP
_LISTEN = 1 << 10
_HEADER = struct.Struct("=IHHII")  # nlmsghdr: length, type, flags, sequence, port
_REQUEST = struct.Struct("=BBBBI2s46x")  # inet_diag_req_v2: family, protocol, extensions, -, states, source port; the rest is any
_ANSWER = struct.Struct("=52xIII")  # inet_diag_msg: expires, rqueue, wqueue: of a listener those who wait, and its backlog
FAMILIES: dict[int, tuple[int, ...]] = {socket.AF_INET: (socket.AF_INET, socket.AF_INET6), socket.AF_INET6: (socket.AF_INET6,)}
LOOK_NS = 2_000_000  # from one look at a full queue to the next
BLIND_NS = 150_000  # from one client to the next where the queue cannot be seen
ANSWER_S = 1.0
STUCK_NS = 1_000_000_000  # a queue that stayed full for so long is one that nobody serves: they come all the same


class Queue:
    """The clients that are connected to a server and not yet accepted.

    Args:
        most: so many may wait; half of the listener's backlog where that is less.
        family: AF_INET or AF_INET6; connecting to any other is not held up.
        address: of the listener.
    """

    def __init__(self, most: int, family: int, address: tuple[str, int] | str | bytes) -> None:
        self.most = most
        self.families = FAMILIES.get(family, ())
        self.port = address[1] if isinstance(address, tuple) else 0
        self.credit = 0  # so many may come before the next look
        self.blind = False
        self.waiting = 0
        self.full_since_ns: int | None = None
        self.stuck = False

    def hold_ns(self, now_ns: int) -> int:
        """Return how long the next client is to wait; 0: it comes now, and is counted."""
        if self.credit or not self.families or self.stuck:
            self.credit = max(0, self.credit - 1)
            return 0
        waiting = self.look()
        if waiting is None:
            self.blind = not self.blind  # every other time: a client comes, the next one is held
            return 0 if self.blind else BLIND_NS
        if waiting < self.most:
            self.credit, self.full_since_ns = self.most - waiting - 1, None
            return 0
        if self.full_since_ns is None or waiting < self.waiting:
            self.full_since_ns = now_ns
        self.waiting = waiting
        self.stuck = now_ns - self.full_since_ns >= STUCK_NS
        return LOOK_NS

    def look(self) -> int | None:
        """Return how many wait just now, and learn how many may; None where nothing tells (sock_diag(7))."""
        try:
            with socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, _SOCK_DIAG) as asking:
                asking.settimeout(ANSWER_S)
                found = [queue for family in self.families for queue in self.ask(asking, family)]
        except (OSError, struct.error):
            return None
        self.most = min([self.most, *(max(1, backlog // 2) for _, backlog in found)])
        return max((waiting for waiting, _ in found), default=None)

    def ask(self, asking: socket.socket, family: int) -> list[tuple[int, int]]:
        """Return (who wait, backlog) of all listeners of a family at our port."""
        request = _REQUEST.pack(family, socket.IPPROTO_TCP, 0, 0, _LISTEN, struct.pack("!H", self.port))
        asking.send(_HEADER.pack(_HEADER.size + len(request), _BY_FAMILY, _DUMP, 1, 0) + request)
        found: list[tuple[int, int]] = []
        while True:
            answer = asking.recv(1 << 16)
            while answer:
                length, kind = _HEADER.unpack_from(answer)[:2]
                if kind != _BY_FAMILY:
                    return found  # all told, or an error
                _, waiting, backlog = _ANSWER.unpack_from(answer, _HEADER.size)
                found.append((waiting, backlog))
                answer = answer[(length + 3) & ~3 :]
