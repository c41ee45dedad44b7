"""When the kernel had what a receive asked for (--kernel-times): asking for its times, and the Python core's receives.

Owns SO_TIMESTAMPING: which sockets get it, and that the program sees nothing of it. With the C core the receives are
led through arrival.h, which draws the whole picture; here is its twin for interpreters that have none: a receive is
carried out as recvmsg, the only call that tells a stamp, and what comes beside the data is taken out again.

What goes wrong here leaves a socket as it is: without stamps, and its calls without a ready time.
"""

import _socket
import _thread
import time
from _struct import Struct

from . import core
from .lookalike import Method
from .raised import pass_on

_Socket = _socket.socket
_getsockopt, _setsockopt, _fileno = _Socket.getsockopt, _Socket.setsockopt, _Socket.fileno
_recvmsg, _recvmsg_into = _Socket.recvmsg, _Socket.recvmsg_into
_monotonic_ns, _time_ns = time.monotonic_ns, time.time_ns
_SOL_SOCKET, _STAMPING = 1, 37  # SO_TIMESTAMPING, SCM_TIMESTAMPING: asm-generic/socket.h
_OPTIONS = (29, 35, _STAMPING, 63, 64, 65)  # whatever makes the kernel tell times: old ones, and those of 64 bits everywhere
_MARK = 1 << 3 | 1 << 4 | 1 << 14  # RX_SOFTWARE | SOFTWARE, and OPT_TX_SWHW: means nothing here, and tells ours from others
_TIME = Struct("@ll")
_HEAD_BYTES = 16  # struct cmsghdr
_STAMP_SPACE = _HEAD_BYTES + 3 * _TIME.size
_OTHERS_SPACE = 256
_MSG_OOB, _MSG_CTRUNC, _MSG_ERRQUEUE = 0x1, 0x8, 0x2000
_NEAR_NS, _SET_NS = 5_000, 1_000
_INET, _STREAM, _DGRAM = (2, 10), 1, 2

# Set by core.Recorder.begin.
local = entries = site_numbers = call_segments = next_slot = recorder = None
core.share(globals())


class Offset:
    """How CLOCK_REALTIME, by which the kernel stamps, lies to CLOCK_MONOTONIC.

    Slewing (NTP) moves both alike: the distance is the same to the nanosecond until somebody sets the clock. Stamps
    from before that cannot be told any more.
    """

    def __init__(self):
        self.distance_ns, self.since_ns = _measure()

    def monotonic_ns(self, real_ns, ended_ns):
        """Return a stamp by CLOCK_MONOTONIC, 0 where it cannot be told.

        Args:
            real_ns: the stamp.
            ended_ns: CLOCK_MONOTONIC when its call returned, read just before.
        """
        if abs(_time_ns() - ended_ns - self.distance_ns) > _NEAR_NS:
            distance_ns, at_ns = _measure()
            moved_ns = abs(distance_ns - self.distance_ns)
            if moved_ns > _SET_NS:
                self.distance_ns, self.since_ns = distance_ns, at_ns + moved_ns
        ready_ns = real_ns - self.distance_ns
        if ready_ns < self.since_ns or ready_ns > ended_ns + _SET_NS:
            return 0
        return min(ready_ns, ended_ns)


def _measure():
    """Return (CLOCK_REALTIME - CLOCK_MONOTONIC, when that was)."""
    best_ns, distance_ns, after = 1 << 62, 0, 0
    for _ in range(10):
        before, real, after = _monotonic_ns(), _time_ns(), _monotonic_ns()
        if after - before < best_ns:
            best_ns = after - before
            distance_ns = real - before - best_ns // 2
    return distance_ns, after


class Arrivals:
    """Asks the kernel for times, in one process and its forked children.

    Args:
        native: the C core, once the receives of `_socket` are led through it; None: methods carry them out.
    """

    def __init__(self, native):
        self._native = native
        self._offset = None
        self._here = _thread._local()
        if native is not None:
            native.watch_arrivals()
        else:
            self._offset = Offset()

    def stamp(self, sock, family, type_, fd):
        """Ask for times on a socket that is met.

        Returns:
            Its descriptor; -1: the kernel knows none there, or the program asked for its own.
        """
        if family not in _INET or type_ not in (_STREAM, _DGRAM):
            return -1
        try:
            if self._native is not None:
                return fd if self._native.stamp(fd) else -1
            asked = _getsockopt(sock, _SOL_SOCKET, _STAMPING)
            if asked == _MARK:
                return fd
            if asked or any([_getsockopt(sock, _SOL_SOCKET, option) for option in (29, 35)]):
                return -1
            _setsockopt(sock, _SOL_SOCKET, _STAMPING, _MARK)
        except OSError as error:
            pass_on(error)
            return -1
        return fd

    def ready_ns(self, ended_ns):
        """Return when what the running thread's last receive returned had arrived; 0: not known."""
        real_ns = getattr(self._here, "real_ns", 0)
        self._here.real_ns = 0
        return self._offset.monotonic_ns(real_ns, ended_ns) if real_ns else 0

    # The Python core's methods.

    def receiving(self, name, original):
        """Return what carries out a receive so that it tells when the data had arrived.

        Args:
            name: of the method.
            original: that method.

        Returns:
            function(sock, *args, **kw), or `original` where `name` is no receive.
        """
        make = _RECEIVES.get(name)
        if make is None:
            return self._setting(original) if name == "setsockopt" else original
        carry_out = make(self._take)
        here = self._here

        def receive(sock, *args, **kw):
            here.real_ns = 0
            entry = entries.get(id(sock))
            if entry is None or (entry.stamped < 0 and not name.startswith("recvmsg")):
                return original(sock, *args, **kw)
            given = carry_out(sock, entry, args, kw)
            if given is None:
                return original(sock, *args, **kw)
            result = given()
            if name.startswith("recvmsg") and len(args) > 2 and not _plain(args[2]):
                here.real_ns = 0  # out of band, or of what was sent
            return result

        receive.__name__ = name
        receive.__wrapped__ = original
        return receive

    def _take(self, ancillary):
        """Keep the stamp among control messages; return the others."""
        others = []
        for one in ancillary:
            if one[0] == _SOL_SOCKET and one[1] == _STAMPING:
                if len(one[2]) >= _TIME.size:
                    seconds, nanoseconds = _TIME.unpack_from(one[2])
                    self._here.real_ns = seconds * 1_000_000_000 + nanoseconds
            else:
                others.append(one)
        return others

    def _setting(self, original):
        def setsockopt(sock, *args):
            if _is_ours_to_leave(args) and _is_marked(sock):
                _setsockopt(sock, _SOL_SOCKET, _STAMPING, 0)  # from now on its times are the program's own business
            return original(sock, *args)

        return setsockopt

    def install(self, cls):
        """Put on a class what hides our asking from the program."""
        if self._native is None:
            cls.getsockopt = Method(_hiding(cls.getsockopt), cls.getsockopt)


def _is_marked(sock):
    try:
        return _getsockopt(sock, _SOL_SOCKET, _STAMPING) == _MARK
    except OSError as error:
        pass_on(error)
        return False


def _is_ours_to_leave(args):
    return len(args) > 1 and type(args[0]) is type(args[1]) is int and args[0] == _SOL_SOCKET and args[1] in _OPTIONS


def _hiding(original):
    def getsockopt(sock, *args):
        value = original(sock, *args)
        if len(args) > 1 and args[0] == _SOL_SOCKET and args[1] == _STAMPING and _is_marked(sock):
            return 0 if isinstance(value, int) else bytes(len(value))
        return value

    return getsockopt


# How each receive is carried out: function(take) -> function(sock, entry, args, kw) -> None where the original had better do it
# (it moves nothing, or raises), else what makes the call. Every check here is one that the original makes before it waits.


def _numbers(args, least, most):
    return least <= len(args) <= most and all([type(argument) is int for argument in args])


def _plain(flags):
    return type(flags) is int and not flags & (_MSG_OOB | _MSG_ERRQUEUE) and 0 <= flags < 1 << 31


def _recv(take):
    def carry_out(sock, entry, args, kw):
        if kw or not _numbers(args, 1, 2) or not 0 < args[0] < 1 << 62 or not _plain(args[1] if len(args) > 1 else 0):
            return None

        def call():
            data, ancillary, _, _ = _recvmsg(sock, args[0], _STAMP_SPACE + _OTHERS_SPACE, *args[1:])
            take(ancillary)
            return data

        return call

    return carry_out


def _recvfrom(take):
    def carry_out(sock, entry, args, kw):
        if kw or not _numbers(args, 1, 2) or not 0 < args[0] < 1 << 62 or not _plain(args[1] if len(args) > 1 else 0):
            return None

        def call():
            data, ancillary, _, address = _recvmsg(sock, args[0], _STAMP_SPACE + _OTHERS_SPACE, *args[1:])
            take(ancillary)
            return data, address

        return call

    return carry_out


def _into(take, result_of):
    def carry_out(sock, entry, args, kw):
        names = ("buffer", "nbytes", "flags")
        if len(args) > 3 or not set(kw) <= set(names[len(args) :]) or not (args or "buffer" in kw):
            return None
        buffer, wanted, flags = [args[at] if at < len(args) else kw.get(name, 0) for at, name in enumerate(names)]
        if type(wanted) is not int or not _plain(flags):
            return None
        try:
            size = memoryview(buffer).nbytes
        except (TypeError, BufferError) as error:
            pass_on(error)
            return None
        if not 0 < (wanted or size) <= size:
            return None

        def call():
            with memoryview(buffer) as view, view.cast("B") as flat, flat[: wanted or size] as part:
                moved, ancillary, _, address = _recvmsg_into(sock, [part], _STAMP_SPACE + _OTHERS_SPACE, flags)
            take(ancillary)
            return result_of(moved, address)

        return call if _is_writable(buffer) else None

    return carry_out


def _is_writable(buffer):
    with memoryview(buffer) as view:
        return view.c_contiguous and not view.readonly and view.nbytes > 0


def _recv_into(take):
    return _into(take, lambda moved, address: moved)


def _recvfrom_into(take):
    return _into(take, lambda moved, address: (moved, address))


def _with_room(take, original):
    """Return how a receive that takes control messages is carried out: with room for one more."""

    def carry_out(sock, entry, args, kw):
        room = args[1] if len(args) > 1 else 0
        if kw or not 1 <= len(args) <= 3 or type(room) is not int or not 0 <= room < (1 << 31) - _STAMP_SPACE or not _is_marked(sock):
            return None

        def call():
            data, ancillary, flags, address = original(sock, args[0], room + _STAMP_SPACE, *args[2:])
            return (data, *_fitted(take(ancillary), flags, room), address)

        return call

    return carry_out


def _fitted(ancillary, flags, room):
    """Return control messages, and the flags, as the kernel would have given them in so much room (put_cmsg, net/core/scm.c)."""
    fitting = []
    for level, kind, data in ancillary:
        if room < _HEAD_BYTES:
            flags |= _MSG_CTRUNC
            continue
        if room < _HEAD_BYTES + len(data):
            flags |= _MSG_CTRUNC
            data = data[: room - _HEAD_BYTES]
        fitting.append((level, kind, data))
        room -= min(room, (_HEAD_BYTES + len(data) + 7) & ~7)
    return fitting, flags


_RECEIVES = {
    "recv": _recv,
    "recvfrom": _recvfrom,
    "recv_into": _recv_into,
    "recvfrom_into": _recvfrom_into,
    "recvmsg": lambda take: _with_room(take, _recvmsg),
    "recvmsg_into": lambda take: _with_room(take, _recvmsg_into),
}
