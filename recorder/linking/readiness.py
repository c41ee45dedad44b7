"""Which wait made which call possible.

Owns that rule: a wait that reported a socket enables the same thread's first call on it, before that
thread's next wait, that could have had to wait for what was reported: a receive or accept where it was
readable, a send or connect where it was writable. Knows slots and readiness notes in the order of the tape, no file.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..agent import layout
from ..tapes.slots import slot_column

_WAITS = frozenset(layout.OPERATIONS[name] for name in ("select", "poll", "epoll_wait"))
_FIRST_WAIT = min(_WAITS)
_READABLE = 0x1 | 0x2 | 0x40 | 0x80  # POLLIN, POLLPRI, POLLRDNORM, POLLRDBAND (poll(2))
_WRITABLE = 0x4 | 0x100 | 0x200  # POLLOUT, POLLWRNORM, POLLWRBAND
_EITHER = 0x8 | 0x10 | 0x2000  # POLLERR, POLLHUP, POLLRDHUP: whatever is asked next is answered at once
NEEDS = {
    layout.OPERATIONS[name]: needs | _EITHER
    for names, needs in (
        (("accept", "recv", "recv_into", "recvfrom", "recvfrom_into", "recvmsg", "recvmsg_into", "read", "readv"), _READABLE),
        (("send", "sendall", "sendto", "sendmsg", "sendfile", "write", "writev", "connect", "connect_ex"), _WRITABLE),
        # A record of TLS may have to be read before one can be written, and the other way; splice moves either way.
        (("tls_recv", "tls_send", "do_handshake", "unwrap", "splice"), _READABLE | _WRITABLE),
    )
    for name in names
}
"""Events that let a call go on without waiting. What is missing never waits: setblocking, setsockopt, register, close, ..."""


class Readiness:
    """The waits of one process, in its own numbers of slots, threads and sockets."""

    def __init__(self) -> None:
        self._reported: dict[int, dict[int, int]] = {}  # wait whose slot is still to come -> socket -> events
        self._enabled: dict[int, tuple[int, dict[int, int]]] = {}  # thread -> its last wait, and who was ready for what

    def note(self, number: int, fields: Sequence[str]) -> list[tuple[int, int | None, int | None]]:
        """Take a readiness note.

        Args:
            number: of the slot it belongs to.
            fields: socket, interest, events and so on, in decimal; -1: none.

        Returns:
            (socket, interest, events) of every socket that is known.
        """
        values = [int(field) for field in fields]
        rows = [
            (socket, None if interest < 0 else interest, None if events < 0 else events)
            for socket, interest, events in zip(values[::3], values[1::3], values[2::3], strict=True)
            if socket
        ]
        ready: dict[int, int] = {}
        for socket, _, events in rows:
            if events:
                ready[socket] = ready.get(socket, 0) | events
        if ready:
            self._reported[number] = ready
        return rows

    def links(self, arrived: Sequence[tuple[int, bytes]]) -> Iterator[tuple[int, int]]:
        """Follow the calls, and yield (number of a wait, number of the call that it made possible).

        Args:
            arrived: (number of the first slot, slots), in the order of the tape; their notes were taken before.
        """
        for first, slots in arrived:
            operations = slot_column(slots, "operation")
            if not self._enabled and not self._reported and max(operations) < _FIRST_WAIT:
                continue
            columns = {name: slot_column(slots, name) for name in ("thread", "socket")}
            for number, (thread, socket, operation) in enumerate(zip(columns["thread"], columns["socket"], operations, strict=True), first):
                if operation in _WAITS:
                    ready = self._reported.pop(number, None)
                    if ready is not None:
                        self._enabled[thread] = (number, ready)
                    else:
                        self._enabled.pop(thread, None)
                elif socket and operation in NEEDS:
                    wait = self._enabled.get(thread)
                    if wait is not None and wait[1].get(socket, 0) & NEEDS[operation]:
                        del wait[1][socket]
                        yield wait[0], number
