"""What the cases of outcomes.py share: how a case says what its calls are, and preparations.

Preparations stand here, so their calls have other sites than those of the cases.
"""
# Runs under Python 3.8, too.
# ruff: noqa: UP031

import contextlib
import socket
import struct
import sys
import tempfile

expected = {}
seen = []
FOLDER = tempfile.mkdtemp()


def expect(*row, **more):
    """Say what the last call of the case is: (operation, outcome, result)."""
    operation, outcome, result = (*row, None)[:3]
    expected[sys._getframe(1).f_code.co_name].append({"operation": operation, "outcome": outcome, "result": result, **more})


def failing(call, *args, **kw):
    """Make a call that must fail, and keep what it said."""
    try:
        call(*args, **kw)
    except BaseException as error:
        seen.append((type(error).__name__, str(error)))
        return error
    raise AssertionError("%r did not fail" % (call,))


def stream():
    """A connected pair over TCP."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        one = socket.create_connection(listener.getsockname())
        other, _ = listener.accept()
    return one, other


def datagrams():
    one, other = socket.socket(socket.AF_INET, socket.SOCK_DGRAM), socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    one.bind(("127.0.0.1", 0))
    other.bind(("127.0.0.1", 0))
    return one, other, other.getsockname()


def listener(timeout=None, family=socket.AF_INET, address=("127.0.0.1", 0)):
    found = socket.socket(family)
    found.bind(address)
    found.listen()
    found.settimeout(timeout)
    return found


def full(sock):
    """Fill what the kernel takes from a nonblocking socket."""
    with contextlib.suppress(BlockingIOError):
        while True:
            sock.send(b"." * 65536)


def resetting(sock):
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def readable(sock):
    import select

    assert select.select([sock], [], [], 30)[0]


def unused_port():
    """A port that nobody listens on, and the socket that holds it."""
    held = socket.socket()
    held.bind(("127.0.0.1", 0))
    return held, held.getsockname()


def nonblocking(*socks):
    for sock in socks:
        sock.setblocking(False)
