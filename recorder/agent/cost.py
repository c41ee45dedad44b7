"""What recording one call costs here and now.

Owns the measurement: a receive that finds nothing, bare and recorded in turn, on a tape that
nobody reads. Runs before anything else of the agent does, and leaves nothing behind: no
descriptor, no class, no slot.
"""

import _socket
import time

from . import core, methods
from .tape import ScratchTape

_ROUNDS = 8
_CALLS = 30  # of each kind in a round: 8 rounds take 1 to 2 ms, with the Python core as well
_BYTES = 64
_LEAST_NS = 20  # two looks at the clock alone take longer: what comes out shorter was measured beside another load
_TRIES = 3


class _Rehearsal(core.Recorder):
    """Records as a Recorder does, on a tape that nobody reads."""

    tape_type = ScratchTape


def measure(native, kernel_times=False):
    """Return what recording one call adds to it, in nanoseconds; 0 where that cannot be measured.

    Each kind of call is timed in rounds and the quickest round of each counts: whatever else the machine
    does can only make a round longer.

    Args:
        native: the module `_core` if the C core writes the tape, else None.
        kernel_times: as calls are made that ask the kernel when data arrived.
    """
    try:
        sock = _socket.socket(_socket.AF_INET if kernel_times else _socket.AF_UNIX, _socket.SOCK_DGRAM)
    except OSError:
        return 0
    try:
        sock.setblocking(False)
        recorder = _Rehearsal((), (), 0, native, 0, kernel_times)
        recorder.sockets.keep_unnoted(sock)
        bare = _socket.socket.recv
        recorded = methods.recording("recv", bare, False, recorder)
        time_bare = _as_the_program(_time_direct)
        time_recorded = _as_the_program(_time_direct if native else _time_bound)
        for _ in range(_TRIES):
            pairs = [(time_bare(bare, sock, time.monotonic_ns), time_recorded(recorded, sock, time.monotonic_ns)) for _ in range(_ROUNDS)]
            cost_ns = (min(pair[1] for pair in pairs) - min(pair[0] for pair in pairs)) // _CALLS
            if cost_ns >= _LEAST_NS:
                return cost_ns
        return 0
    except Exception:
        return 0
    finally:
        sock.close()


def _as_the_program(function):
    """Return a copy whose calls look as if the program made them: a call of ours is searched for its site outside of us."""
    names = {"__builtins__": __builtins__, "CALLS": range(_CALLS), "BYTES": _BYTES}
    return type(function)(function.__code__.replace(co_filename="<cost>"), names)


# The loops name nothing of this module: each copy has names of its own, and code that the interpreter fits to one kind of call.


def _time_direct(recv, sock, now):
    # `sock.recv(64)` calls a method written in C without making a bound one.
    begun = now()
    for _ in CALLS:  # noqa: F821
        try:
            recv(sock, BYTES)  # noqa: F821
        except BlockingIOError:
            pass
    return now() - begun


def _time_bound(recv, sock, now):
    # One that is written in Python is bound first.
    begun = now()
    for _ in CALLS:  # noqa: F821
        try:
            recv.__get__(sock)(BYTES)  # noqa: F821
        except BlockingIOError:
            pass
    return now() - begun
