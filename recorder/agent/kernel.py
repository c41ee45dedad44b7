"""What the kernel counted on a TCP connection: asked once, just before it is closed.

Owns TCP_INFO and FIONREAD. Bytes that moved without a recorded call show by it, whoever moved them:
a C extension, `ctypes`, a raw system call. It costs about 3 us a connection.
"""

import _ctypes
import _socket
from _struct import Struct

from .mapping import _Address, _Int, _Library, _Size

_getsockopt = _socket.socket.getsockopt
_INET = (2, 10)
_ROLES = ("accepted", "connected")
_IPPROTO_TCP, _TCP_INFO, _FIONREAD = 6, 11, 0x541B
# linux/tcp.h, struct tcp_info: bytes_received at 128, notsent_bytes at 144, bytes_sent at 200, bytes_retrans at 208 (from Linux 4.19 on).
_INFO = Struct("<128xQ8xI52xQQ")


class _Ioctl(_ctypes.CFuncPtr):
    _flags_ = _ctypes.FUNCFLAG_CDECL
    _restype_ = _Int
    _argtypes_ = (_Int, _Size, _Address)


_ioctl = _Ioctl(("ioctl", _Library()))  # type: ignore[arg-type]
_addressof = _ctypes.addressof


def counted(entry, sock):
    """Return (bytes received, bytes given to the kernel to be sent, bytes received that nobody read), or None where it does not say.

    Args:
        entry: what is known of the socket.
        sock: the socket, still open.
    """
    if not entry.stream or entry.family not in _INET or entry.role not in _ROLES:
        return None
    info = _getsockopt(sock, _IPPROTO_TCP, _TCP_INFO, 256)
    if len(info) < _INFO.size:
        return None
    received, not_sent, sent, again = _INFO.unpack_from(info)
    unread = _Int(0)
    _ioctl(entry.fd, _FIONREAD, _addressof(unread))
    return received, sent - again + not_sent, unread.value
