"""Which send each receive read, where both ends of a connection were recorded: by the position of bytes in the stream.

Owns the rules. A stream keeps the order of its bytes, so the n-th byte received is the n-th byte sent. On one machine
what is sent arrives inside the sender's call: a recorded send brackets the moment its bytes were ready. Where the
order of two calls is not certain, where bytes moved that nobody counted (TLS by itself, a sendall that failed half way),
and where what was received contradicts what was sent, nothing more is said of that direction.

Runs at the end of a run, over rows sorted by the database: its memory does not grow with them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ...traces.sending import Sending, StreamSocket, Transfer, Way
from ...traces.writer import RunWriter

_MSG_OOB, _MSG_PEEK, _MSG_WAITALL = 0x1, 0x2, 0x100
# A send longer than this (or than its receive, which cannot end before it began to arrive) was held up: it tells no moment.
_BRACKET_NS = 1_000_000
# From the start of an unhindered send to the arrival on loopback; what a send takes longer it waits, mostly behind it:
# for the processor that its receiver got, or for the interpreter's lock.
_ARRIVAL_NS = 20_000
Found = tuple[int, list[int], "int | None"]


def join_senders(writer: RunWriter, calls_lost: int = 0) -> None:
    """Link sends and receives of one run, and write when receives were ready: into the transaction that is open.

    Args:
        writer: of that run, with all of its rows written.
        calls_lost: of that run: after a lost call no position is certain.
    """
    if writer.muted or calls_lost:
        return
    sending = Sending(writer)
    ends = list(_directions(connections(sending.sockets(), sending.unix_connects)))
    if not ends:
        return
    try:
        sending.join(ends, [(id_, way) for name, id_ in sending.operations().items() for way in [way_of(name)] if way is not None])
        sending.write(matched(sending.given(), sending.taken()))
    finally:
        sending.forget()


def way_of(operation: str) -> Way | None:
    """Return which way an operation moves the bytes of a stream.

    Args:
        operation: its name.

    Returns:
        "unclear" where it moves others than it is given; None where it moves none.
    """
    name = operation.removeprefix("ring_")
    if name.startswith(("tls_recv", "tls_send", "do_handshake", "unwrap", "splice")):
        return "unclear"
    if name.startswith(("send", "write")):
        return "send"
    return "receive" if name.startswith(("recv", "read")) else None


# Who talked to whom.


def _directions(pairs: Iterable[tuple[list[int], list[int]]]) -> Iterator[tuple[int, int, int]]:
    """Number the two directions of each connection: (socket, direction of its sends, of its receives)."""
    for number, (one, other) in enumerate(pairs):
        there, back = 2 * number, 2 * number + 1
        yield from ((socket, there, back) for socket in one)
        yield from ((socket, back, there) for socket in other)


def connections(sockets: list[StreamSocket], unix_connects: Iterable[tuple[int, int, int]] | object) -> list[tuple[list[int], list[int]]]:
    """Return connections of which both ends were recorded.

    Args:
        sockets: of one run, in the order they were met.
        unix_connects: function() -> (socket, started_ns, ended_ns) of connects of UNIX sockets, asked where there are such.

    Returns:
        Pairs of ends, each all the sockets that stand for it (a descriptor may be copied, and inherited).
    """
    by_id = {socket.id: socket for socket in sockets}
    copies: dict[int, list[int]] = defaultdict(list)
    whole: dict[int, StreamSocket] = {}
    for socket in sockets:
        root = _root(socket, by_id)
        copies[root.id].append(socket.id)
        if root.origin in ("created", "accepted"):  # of others we do not know what moved before
            whole[root.id] = root
    found = [*_pairs(whole), *_mirrored(whole.values())]
    if callable(unix_connects) and any(end.kind == "unix" and end.role == "accepted" for end in whole.values()):
        found += _queued(whole, unix_connects())
    return [(copies[one], copies[other]) for one, other in found]


def _root(socket: StreamSocket, by_id: dict[int, StreamSocket]) -> StreamSocket:
    """Return the socket that another one is a copy of."""
    seen = {socket.id}
    while socket.origin_id is not None and socket.origin_id in by_id and socket.origin_id not in seen:
        socket = by_id[socket.origin_id]
        seen.add(socket.id)
    return socket


def _pairs(ends: dict[int, StreamSocket]) -> Iterator[tuple[int, int]]:
    for end in ends.values():
        if end.pair_id is not None and end.pair_id > end.id and end.pair_id in ends:
            yield end.id, end.pair_id


def _mirrored(ends: Iterable[StreamSocket]) -> Iterator[tuple[int, int]]:
    """Pair TCP sockets whose addresses mirror each other; where ports were used again, in order."""
    by_address: dict[tuple[str, str], list[int]] = defaultdict(list)
    for end in ends:
        if end.kind == "tcp" and end.local and end.peer:
            by_address[_plain(end.local), _plain(end.peer)].append(end.id)
    for (local, peer), one in by_address.items():
        other = by_address.get((peer, local), [])
        if local < peer and len(one) == len(other):  # of as many on either side the first met the first
            yield from zip(one, other, strict=True)


def _plain(address: str) -> str:
    """Return an address as IPv4 has it, where IPv6 only carries it."""
    host, _, port = address.rpartition(":")
    return f"{host[8:-1]}:{port}" if host.lower().startswith("[::ffff:") and "." in host else address


def _queued(ends: dict[int, StreamSocket], connects: list[tuple[int, int, int]]) -> Iterator[tuple[int, int]]:
    """Pair UNIX sockets, whose clients have no address: a listener accepts in the order of the connects.

    Only where each connect has its accept: somebody unseen may have connected in between.
    """
    asked: dict[str, list[tuple[int, int, int]]] = defaultdict(list)
    for socket, started_ns, ended_ns in connects:
        if socket in ends and ends[socket].peer:
            asked[ends[socket].peer or ""].append((socket, started_ns, ended_ns))
    given: dict[str, list[StreamSocket]] = defaultdict(list)
    for end in ends.values():
        if end.kind == "unix" and end.role == "accepted" and end.local:
            given[end.local].append(end)
    for path, accepted in given.items():
        clients = asked.get(path, [])
        if len(clients) != len(accepted):
            continue
        for at, ((client, started_ns, ended_ns), server) in enumerate(zip(clients, accepted, strict=True)):
            alone = (at == 0 or clients[at - 1][2] <= started_ns) and (at + 1 == len(clients) or ended_ns <= clients[at + 1][1])
            if alone:  # of two at the same time nobody knows which was first
                yield client, server.id


# Which bytes are whose.


@dataclass(slots=True)
class _Send:
    call: Transfer
    first: int  # position of its first byte
    behind: int  # and of the one behind its last


class _Stream:
    """The sends of all directions, read alongside the receives."""

    def __init__(self, given: Iterator[Transfer]) -> None:
        self._given = given
        self._next: Transfer | None = next(given, None)
        self.direction = -1
        self._position = 0
        self._last_ns = 0
        self._known = True  # whether the next send's place is
        self.held: list[_Send] = []  # sends that receives still to come may have read

    def enter(self, direction: int) -> None:
        """Go to the sends of a direction."""
        while self._next is not None and self._next.direction < direction:
            self._next = next(self._given, None)
        self.direction, self._position, self._last_ns, self._known, self.held = direction, 0, 0, True, []

    def reach(self, first: int, behind: int) -> list[_Send] | None:
        """Return the sends of the bytes from `first` to before `behind`; None where they are not known."""
        while self.held and self.held[0].behind <= first:
            self.held.pop(0)
        while (self.held[-1].behind if self.held else self._position) < behind:
            send = self._advance()
            if send is None:
                return None
            if send.behind > first:
                self.held.append(send)
        return [send for send in self.held if send.first < behind]

    def _advance(self) -> _Send | None:
        call = self._next
        if call is None or call.direction != self.direction or not self._known:
            return None
        if call.size is None or call.ended_ns is None or call.flags & _MSG_OOB or call.started_ns < self._last_ns:
            self._known = False  # nobody knows how much went, or which of two went first
            return None
        self._next = next(self._given, None)
        following = self._next
        if following is not None and following.direction == self.direction and following.started_ns < call.ended_ns:
            self._known = False
            return None
        send = _Send(call, self._position, self._position + call.size)
        self._position, self._last_ns = send.behind, call.ended_ns
        return send


def matched(given: Iterator[Transfer], taken: Iterator[Transfer]) -> Iterator[Found]:
    """Find which sends each receive read.

    Args:
        given: sends by direction, in the order of their starts.
        taken: receives by direction, in the order of their returns.

    Yields:
        (receive's call id, ids of the sends, when its first bytes arrived or None where that is known already or cannot be).
    """
    stream = _Stream(given)
    position, last_ns, known = 0, 0, False
    for receive in taken:
        if receive.direction != stream.direction:
            stream.enter(receive.direction)
            position, last_ns, known = 0, 0, True
        if not known:
            continue
        if receive.size is None or receive.ended_ns is None or receive.flags & _MSG_OOB or receive.started_ns < last_ns:
            known = False
            continue
        sends = stream.reach(position, position + receive.size)
        if sends is None or not _agree(sends, position, receive):
            known = False
            continue
        yield receive.id, [send.call.id for send in sends], _ready_ns(sends, receive) if receive.ready_ns is None else None
        if not receive.flags & _MSG_PEEK:
            position += receive.size
        last_ns = receive.ended_ns


def _agree(sends: list[_Send], position: int, receive: Transfer) -> bool:
    """Say whether a receive can have read these sends: none began behind its return, and the first bytes are the same."""
    ended_ns = receive.ended_ns or 0
    if not sends or any(send.call.started_ns > ended_ns for send in sends):
        return False
    first = sends[0]
    same = min(len(first.call.data), len(receive.data), first.behind - position)
    return first.first != position or first.call.data[:same] == receive.data[:same]


def _ready_ns(sends: list[_Send], receive: Transfer) -> int | None:
    """Return when a receive had something to return: its first bytes, or with MSG_WAITALL its last ones, had arrived."""
    send = sends[-1 if receive.flags & _MSG_WAITALL else 0].call
    until_ns = min(send.ended_ns or 0, receive.ended_ns or 0)
    if until_ns - send.started_ns > _BRACKET_NS:
        return None
    return send.started_ns + min(max(0, until_ns - send.started_ns) // 2, _ARRIVAL_NS)
