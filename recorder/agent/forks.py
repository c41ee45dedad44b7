"""The time of a fork: from its first hook until its last, in which a child may run with the counters and the tape of its parent.

The interpreter lets go of what the parent's other threads kept to themselves (threading.local) before any hook of the child:
sockets and descriptors are closed. Until the fork is over, whoever draws a number is asked which process it is.
Knows the core's state, not what is recorded.
"""

import atexit as _atexit
import os

from . import core
from .raised import pass_on

_getpid = os.getpid


def before():
    """In the process that forks: its numbers must not be drawn by the child as well."""
    recorder = core.recorder
    recorder.forks.append(None)
    tape = recorder.tape
    if tape.drawn is None:
        tape.drawn = tape.next_cell
        tape.next_cell = _guarded_cell
        core.replace("next_slot", _guarded_slot)
    if recorder.core is not None:
        recorder.core.forks(True)


def after_in_parent():
    """In the process that has forked, or has failed to: its numbers are its own again."""
    recorder = core.recorder
    recorder.forks.pop()
    tape = recorder.tape
    if recorder.forks or tape.drawn is None:
        return
    tape.next_cell, tape.drawn = tape.drawn, None
    core.replace("next_slot", tape.next_call)
    if recorder.core is not None:
        recorder.core.forks(False)


def _guarded_slot():
    """Draw the number of a slot: in the child from a tape of its own."""
    core.recorder.after_fork()
    return core.recorder.tape.next_call()


def _guarded_cell():
    """Draw the number of a cell; None in the child: what it would note concerns the parent."""
    recorder = core.recorder
    return recorder.tape.drawn() if recorder.pid == _getpid() and recorder.tape.drawn is not None else None


def _bury():
    """Note what is gone when the interpreter ends."""
    try:
        core.recorder.sockets.bury()
    except Exception as error:
        pass_on(error)


def install():
    """Take part in every fork from now on."""
    if core.recorder.core is None:
        _atexit.register(_bury)
    os.register_at_fork(before=before, after_in_child=core.restart_after_fork, after_in_parent=after_in_parent)
