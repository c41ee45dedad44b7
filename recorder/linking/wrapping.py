"""Which socket calls carried what TLS in memory read and wrote.

Owns that rule. An SSLObject touches no socket: the program receives, decrypts in memory, encrypts in memory, sends.
Known by the agent is which socket's bytes it gets (layout.NOTE_OVER_MEMORY). From then on, in the order of the tape:

- What decrypts (tls_read, do_handshake, unwrap) worked on what the last receive on that socket brought, until a call
  wanted to read more: then all of that is used up.
- What encrypts (tls_write, do_handshake, unwrap) left with the next send on that socket; of a handshake only if no
  receive came before, since not every step of one has something to say.

Knows slots and notes of one process, no file.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..agent import layout
from ..tapes.slots import slot_column

_OPERATIONS = layout.OPERATIONS
_RECEIVES = frozenset(code for name, code in _OPERATIONS.items() if name.startswith("recv"))
_SENDS = frozenset(code for name, code in _OPERATIONS.items() if name.startswith("send"))
_STEPS = frozenset(_OPERATIONS[name] for name in ("do_handshake", "unwrap"))
_DECRYPTS = _STEPS | {_OPERATIONS["tls_read"]}
_ENCRYPTS = _STEPS | {_OPERATIONS["tls_write"]}
_WANT_READ = layout.OUTCOMES["want_read"]


class Wrapping:
    """TLS in memory of one process, in its own numbers of slots and sockets."""

    def __init__(self) -> None:
        self._sockets: set[int] = set()
        self._received: dict[int, int] = {}  # socket -> last receive that is not used up
        self._written: dict[int, list[tuple[int, bool]]] = {}  # socket -> calls whose output was not sent yet; whether they are steps

    def begin(self, socket: int, receive: int) -> None:
        """Take the note that TLS in memory was given what a socket received.

        Args:
            receive: number of the call that received it.
        """
        self._sockets.add(socket)
        self._received[socket] = receive

    def links(self, arrived: Sequence[tuple[int, bytes]]) -> Iterator[tuple[int, int]]:
        """Follow the calls, and yield (number of a TLS call, number of the socket call that carried it).

        Args:
            arrived: (number of the first slot, slots), in the order of the tape; their notes were taken before.
        """
        if not self._sockets:
            return
        for first, slots in arrived:
            columns = (slot_column(slots, name) for name in ("socket", "operation", "outcome", "result"))
            for number, (socket, operation, outcome, result) in enumerate(zip(*columns, strict=True), first):
                if socket not in self._sockets:
                    continue
                if operation in _RECEIVES and result > 0:
                    self._receive(socket, number)
                elif operation in _SENDS and result > 0:
                    yield from ((written, number) for written, _ in self._written.pop(socket, ()))
                else:
                    yield from self._tls(number, socket, operation, outcome)

    def _receive(self, socket: int, number: int) -> None:
        self._received[socket] = number
        if socket in self._written:
            self._written[socket] = [(written, step) for written, step in self._written[socket] if not step]

    def _tls(self, number: int, socket: int, operation: int, outcome: int) -> Iterator[tuple[int, int]]:
        receive = self._received.get(socket)
        if operation in _DECRYPTS and receive is not None and receive < number:
            yield number, receive
            if outcome == _WANT_READ:
                del self._received[socket]
        if operation in _ENCRYPTS:
            self._written.setdefault(socket, []).append((number, operation in _STEPS))
