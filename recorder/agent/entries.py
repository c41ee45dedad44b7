"""What is known of one socket, and how to ask a fresh one about itself.

Owns Entry and Numbers, which the C core has twins of, and the questions put to the kernel about one object. Knows
nothing of other sockets, nor of the tape.
"""

import _socket
import os

from .naming import address_text
from .raised import pass_on

_fstat = os.fstat
_Socket = _socket.socket
_getpeername, _getsockopt = _Socket.getpeername, _Socket.getsockopt
_SO_ACCEPTCONN = 30
STREAM, DGRAM, SEQPACKET = 1, 2, 5
UNIX = 1


class Numbers(set):
    """Descriptors."""

    def discard_range(self, low, high):
        """Take out every number from `low` to `high` - 1."""
        self.difference_update([number for number in list(self) if low <= number < high])


class Entry:
    """What is known of one socket. `timeout_ns` is -1 where a call may block for ever.

    `stamped` is the descriptor where the kernel tells when data arrived, else -1 (see arrivals.py).
    `memory` marks what is no socket but TLS in memory: `id` is the socket whose bytes it gets, 0 until that is known.
    """

    __slots__ = (
        "family", "fd", "id", "inode", "internal", "local", "memory", "open", "parent",
        "peer", "ref", "role", "stamped", "stream", "timeout_ns", "waiting",
    )  # fmt: skip


def memory_entry(entry_type):
    """Return the Entry of what has no descriptor: TLS in memory."""
    entry = entry_type()
    entry.id = 0
    entry.fd = entry.family = entry.stamped = -1
    entry.inode = 0
    entry.open = entry.waiting = False
    entry.stream = entry.memory = True
    entry.timeout_ns = 0
    entry.local = entry.peer = entry.role = ""
    entry.parent = entry.internal = 0
    entry.ref = None
    return entry


def is_socket(mode):
    """Say whether a file's mode is that of a socket."""
    return mode & 0o170000 == 0o140000


def inode_of(fd):
    """Return the inode that is open on a descriptor, -1 where nothing is."""
    try:
        return _fstat(fd).st_ino
    except OSError as error:
        pass_on(error)
        return -1


def ask(method, sock, family):
    """Return the address that getsockname or getpeername gives, as text; "" where there is none."""
    try:
        return address_text(family, method(sock))
    except OSError as error:
        pass_on(error)
        return ""


def role_of(sock, family, type_, local, peer):
    """Return what a socket is there for, as far as the kernel says."""
    if type_ not in (STREAM, SEQPACKET):
        return "datagram" if type_ == DGRAM else "other"
    try:
        if _getsockopt(sock, _socket.SOL_SOCKET, _SO_ACCEPTCONN):
            return "listener"
    except OSError as error:
        pass_on(error)
    if peer:
        return "connected"
    if family == UNIX and not local:
        try:
            _getpeername(sock)
        except OSError as error:
            pass_on(error)
            return "other"
        return "pair"
    return "other"
