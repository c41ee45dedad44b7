"""Numbers that a program gave to a call, or got from one, in the names that Linux has for them.

Owns the tables: flags, options, commands, signals and error numbers as they are on x86 and ARM (asm-generic),
wherever the trace is looked at. Knows calls, no picture.
"""

from __future__ import annotations

from collections.abc import Mapping

from .values import MOVING, Span

_F_SETFL, _F_SETOWN, _F_SETSIG = 4, 8, 10
_COMMANDS = {_F_SETFL: "F_SETFL", _F_SETOWN: "F_SETOWN", _F_SETSIG: "F_SETSIG", 15: "F_SETOWN_EX"}  # fcntl(2)
# What F_SETFL can change; it passes over the rest, such as O_RDWR.
_STATUS = {0o2000: "O_APPEND", 0o4000: "O_NONBLOCK", 0o20000: "O_ASYNC", 0o40000: "O_DIRECT", 0o1000000: "O_NOATIME"}
_UNCHANGED = 0o3 | 0o100000  # O_ACCMODE, and O_LARGEFILE as the kernel keeps it
_MESSAGE = {
    0x1: "MSG_OOB", 0x2: "MSG_PEEK", 0x4: "MSG_DONTROUTE", 0x8: "MSG_CTRUNC", 0x20: "MSG_TRUNC", 0x40: "MSG_DONTWAIT", 0x80: "MSG_EOR",
    0x100: "MSG_WAITALL", 0x800: "MSG_CONFIRM", 0x2000: "MSG_ERRQUEUE", 0x4000: "MSG_NOSIGNAL", 0x8000: "MSG_MORE",
    0x4000000: "MSG_ZEROCOPY", 0x20000000: "MSG_FASTOPEN", 0x40000000: "MSG_CMSG_CLOEXEC",
}  # fmt: skip
_HOW = {0: "SHUT_RD", 1: "SHUT_WR", 2: "SHUT_RDWR"}
_LEVELS = {0: "IPPROTO_IP", 1: "SOL_SOCKET", 6: "IPPROTO_TCP", 17: "IPPROTO_UDP", 41: "IPPROTO_IPV6", 263: "SOL_PACKET", 282: "SOL_TLS"}
_OPTIONS: Mapping[int, Mapping[int, str]] = {
    1: {  # socket(7)
        1: "SO_DEBUG", 2: "SO_REUSEADDR", 5: "SO_DONTROUTE", 6: "SO_BROADCAST", 7: "SO_SNDBUF", 8: "SO_RCVBUF", 9: "SO_KEEPALIVE",
        10: "SO_OOBINLINE", 12: "SO_PRIORITY", 13: "SO_LINGER", 15: "SO_REUSEPORT", 16: "SO_PASSCRED", 18: "SO_RCVLOWAT",
        19: "SO_SNDLOWAT", 20: "SO_RCVTIMEO", 21: "SO_SNDTIMEO", 25: "SO_BINDTODEVICE", 26: "SO_ATTACH_FILTER", 29: "SO_TIMESTAMP",
        32: "SO_SNDBUFFORCE", 33: "SO_RCVBUFFORCE", 35: "SO_TIMESTAMPNS", 36: "SO_MARK", 37: "SO_TIMESTAMPING", 40: "SO_RXQ_OVFL",
        46: "SO_BUSY_POLL", 49: "SO_INCOMING_CPU", 60: "SO_ZEROCOPY",
    },
    0: {  # ip(7)
        1: "IP_TOS", 2: "IP_TTL", 3: "IP_HDRINCL", 8: "IP_PKTINFO", 10: "IP_MTU_DISCOVER", 11: "IP_RECVERR", 12: "IP_RECVTTL",
        13: "IP_RECVTOS", 15: "IP_FREEBIND", 19: "IP_TRANSPARENT", 24: "IP_BIND_ADDRESS_NO_PORT", 32: "IP_MULTICAST_IF",
        33: "IP_MULTICAST_TTL", 34: "IP_MULTICAST_LOOP", 35: "IP_ADD_MEMBERSHIP", 36: "IP_DROP_MEMBERSHIP",
    },
    6: {  # tcp(7)
        1: "TCP_NODELAY", 2: "TCP_MAXSEG", 3: "TCP_CORK", 4: "TCP_KEEPIDLE", 5: "TCP_KEEPINTVL", 6: "TCP_KEEPCNT", 7: "TCP_SYNCNT",
        8: "TCP_LINGER2", 9: "TCP_DEFER_ACCEPT", 10: "TCP_WINDOW_CLAMP", 12: "TCP_QUICKACK", 13: "TCP_CONGESTION",
        18: "TCP_USER_TIMEOUT", 23: "TCP_FASTOPEN", 25: "TCP_NOTSENT_LOWAT", 30: "TCP_FASTOPEN_CONNECT", 31: "TCP_ULP",
    },
    17: {1: "UDP_CORK", 103: "UDP_SEGMENT", 104: "UDP_GRO"},  # udp(7)
    41: {  # ipv6(7)
        16: "IPV6_UNICAST_HOPS", 17: "IPV6_MULTICAST_IF", 18: "IPV6_MULTICAST_HOPS", 19: "IPV6_MULTICAST_LOOP", 20: "IPV6_JOIN_GROUP",
        21: "IPV6_LEAVE_GROUP", 26: "IPV6_V6ONLY", 49: "IPV6_RECVPKTINFO", 67: "IPV6_TCLASS",
    },
}  # fmt: skip


def argument_words(call: Span) -> tuple[str, ...]:
    """Return what a call was given beside its socket, as its source would say it: `F_SETFL`, `O_ASYNC|O_NONBLOCK`.

    Args:
        call: any. Sizes, timeouts and addresses are told elsewhere; nothing is said of what is usual (no flags).
    """
    if call.operation == "fcntl":
        return _fcntl_words(call.flags, call.asked)
    if call.operation == "setsockopt":
        return _option_words(call.flags, call.asked)
    if call.operation == "shutdown" and call.asked is not None:
        return (_HOW.get(call.asked, str(call.asked)),)
    if call.layer == "socket" and call.flags and call.operation.startswith(MOVING):
        return (_bits(call.flags, _MESSAGE),)
    return ()


def _fcntl_words(command: int | None, asked: int | None) -> tuple[str, ...]:
    if command is None:
        return ()
    name = _COMMANDS.get(command, f"command {command}")
    if asked is None:
        return (name,)
    if command == _F_SETFL:
        return name, _bits(asked & ~_UNCHANGED, _STATUS)
    if command == _F_SETOWN:
        return name, f"process {asked}" if asked > 0 else f"group {-asked}" if asked else "nobody"
    if command == _F_SETSIG:
        return name, signal_name(asked) if asked else "SIGIO, untold"
    return name, str(asked)


def _option_words(flags: int | None, asked: int | None) -> tuple[str, ...]:
    if flags is None:
        return ()
    level, option = flags >> 16 & 0xFFFF, flags & 0xFFFF
    known = _OPTIONS.get(level, {}).get(option)
    named = (known,) if known else (_LEVELS.get(level, f"level {level}"), f"option {option}")
    return named if asked is None else (*named, str(asked))


def _bits(value: int, names: Mapping[int, str]) -> str:
    """Return a number as the names of its bits, those with the most value first; what has no name in hexadecimal."""
    value &= 0xFFFFFFFF
    told = [name for bit, name in sorted(names.items(), reverse=True) if value & bit]
    rest = value & ~sum(names)
    return "|".join([*told, hex(rest)] if rest else told) or "0"


def signal_name(number: int) -> str:
    """Return the name of a signal on Linux; real-time ones by their place in the row."""
    from signal import SIGRTMAX, SIGRTMIN, Signals

    if SIGRTMIN < number < SIGRTMAX:
        return f"SIGRTMIN+{number - SIGRTMIN}"
    try:
        return Signals(number).name
    except ValueError:
        return f"number {number}"


def errno_name(errno: int) -> str:
    """Return the name of an error number on Linux, as far as this system knows it."""
    from errno import errorcode

    return errorcode.get(errno, f"number {errno}")
