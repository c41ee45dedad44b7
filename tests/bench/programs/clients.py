"""The other side of a load: `clients.py PORT CONNECTIONS ROUNDS`. Runs outside every tool.

Opens all connections, then, ROUNDS times, says 64 bytes on each and reads each answer; ends with status 1 if an
answer is not what was said.
"""

from __future__ import annotations

import os
import resource
import socket
import sys

MESSAGE = b"sixty-four bytes, so that each message is one segment and one recv"[:64]


def main() -> None:
    """Talk, and leave."""
    port, connections, rounds = map(int, sys.argv[1:])
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 4096)), hard))
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})  # with the load: see there
    open_ones = [socket.create_connection(("127.0.0.1", port)) for _ in range(connections)]
    for conn in open_ones:
        conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for _ in range(rounds):
        for conn in open_ones:
            conn.sendall(MESSAGE)
        for conn in open_ones:
            answer = conn.recv(len(MESSAGE), socket.MSG_WAITALL)
            if answer != MESSAGE:
                sys.exit(f"the answer was {answer!r}")
    for conn in open_ones:
        conn.close()


if __name__ == "__main__":
    main()
