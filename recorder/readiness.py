"""Which wait made which call possible.

Owns that rule: a wait that reported a socket enables the same thread's first call on it before that
thread's next wait. Knows slots and readiness notes in the order of the tape, no file.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from .agent import layout
from .tape import slot_column

_WAITS = frozenset(layout.OPERATIONS[name] for name in ("select", "poll", "epoll_wait"))
_FIRST_WAIT = min(_WAITS)
_ON_TLS_SOCKET = frozenset(layout.OPERATIONS[name] for name in ("tls_recv", "tls_send", "do_handshake", "unwrap"))


class Readiness:
    """The waits of one process, in its own numbers of slots, threads and sockets."""

    def __init__(self) -> None:
        self._reported: dict[int, set[int]] = {}  # wait whose slot is still to come -> sockets
        self._enabled: dict[int, tuple[int, set[int]]] = {}  # thread -> its last wait, and who was ready

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
        ready = {socket for socket, _, events in rows if events}
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
                elif socket and (operation < _FIRST_WAIT or operation in _ON_TLS_SOCKET):
                    wait = self._enabled.get(thread)
                    if wait is not None and socket in wait[1]:
                        wait[1].discard(socket)
                        yield wait[0], number
