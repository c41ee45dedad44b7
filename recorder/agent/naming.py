"""What sockets, addresses and timeouts are called in a trace.

Owns those words. Knows no socket and no tape.
"""

import os

_STREAM, _DGRAM = 1, 2
_UNIX, _INET, _INET6 = 1, 2, 10


def kind_name(family, type_):
    """Return the trace's word for a family and type."""
    if family in (_INET, _INET6) and type_ in (_STREAM, _DGRAM):
        return "tcp" if type_ == _STREAM else "udp"
    return "unix" if family == _UNIX else "other"


def address_text(family, address):
    """Return an address as the trace writes it: 127.0.0.1:80, [::1]:80, unix:/path, unix:@abstract, "" for none."""
    if not address:
        return ""
    if family in (_INET, _INET6) and isinstance(address, tuple):
        host, port = address[:2]
        if isinstance(host, (bytes, bytearray)):
            host = bytes(host).decode("utf-8", "backslashreplace")
        return ("[%s]:%s" if family == _INET6 else "%s:%s") % (host, port)
    if family == _UNIX:
        if isinstance(address, bytes):
            return "unix:@" + address[1:].decode("utf-8", "backslashreplace") if address[:1] == b"\0" else "unix:" + os.fsdecode(address)
        return "unix:@" + address[1:] if address[:1] == "\0" else "unix:%s" % (address,)
    return str(address)


def timeout_to_ns(seconds):
    """Return a Python timeout in nanoseconds, -1 for None. Raises for what is no number: text times a billion fills memory."""
    if seconds is None:
        return -1
    return int((seconds if isinstance(seconds, (int, float)) else float(seconds)) * 1_000_000_000)
