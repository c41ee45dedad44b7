"""The kernel's habit of stamping packets: kept awake for as long as a run asks for its times.

Owns nothing else. The kernel begins to stamp when the first socket of the machine asks for it, and does so a little
later than it says (net_enable_timestamp, net/core/dev.c, leaves it to a worker): the program's first receives would
have no time. So the recorder asks first.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager

_SO_TIMESTAMPING = 37  # asm-generic/socket.h
_RX_SOFTWARE, _SOFTWARE = 1 << 3, 1 << 4


@contextmanager
def awake(wanted: bool) -> Iterator[None]:
    """Let the kernel stamp what arrives.

    Args:
        wanted: False: do nothing.
    """
    if not wanted:
        yield
        return
    try:
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    except OSError:  # no network at all: nothing will arrive
        yield
        return
    with sock:
        try:
            sock.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPING, _RX_SOFTWARE | _SOFTWARE)
        except OSError:
            pass  # a kernel without them: calls have no ready time, as their trace says
        yield
