"""A forwarder on loopback that counts what passes: the witness of bytes and connections that is not the recorder.

Owns its sockets and threads. Knows no protocol.
"""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from dataclasses import dataclass

PATIENCE_S = 60.0


@dataclass
class Passed:
    """What passed in one connection."""

    to_target: int = 0
    from_target: int = 0


class Proxy:
    """Forwards connections to a target, while it is entered.

    Args:
        target: host and port.
    """

    def __init__(self, target: tuple[str, int]) -> None:
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._threads: list[threading.Thread] = []
        self.passed: list[Passed] = []
        self.port: int = self._listener.getsockname()[1]

    def __enter__(self) -> Proxy:
        self._start(self._accept)
        return self

    def __exit__(self, *error: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._threads[0].join(PATIENCE_S)
        self.settle()
        self._listener.close()

    def settle(self) -> None:
        """Wait until every connection has ended: its client or its server closed it."""
        for thread in self._threads[1:]:
            thread.join(PATIENCE_S)

    def _start(self, what: object, *arguments: object) -> None:
        thread = threading.Thread(target=what, args=arguments, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                count = Passed()
                self.passed.append(count)
                self._start(self._forward, client, count)

    def _forward(self, client: socket.socket, count: Passed) -> None:
        with client, socket.create_connection(self._target) as server:
            back = threading.Thread(target=_copy, args=(server, client, count, "from_target"), daemon=True)
            back.start()
            _copy(client, server, count, "to_target")
            back.join(PATIENCE_S)


def _copy(source: socket.socket, sink: socket.socket, count: Passed, name: str) -> None:
    """Copy until the source ends, and pass its end on."""
    with suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
            setattr(count, name, getattr(count, name) + len(data))
    with suppress(OSError):
        sink.shutdown(socket.SHUT_WR)
