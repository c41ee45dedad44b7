"""Children of the recorded program: they are recorded too, whatever environment they are given.

Owns the three doors through which Python starts another program (`_posixsubprocess.fork_exec`,
`os.execve`, `os.posix_spawn` and its sibling). A child that inherits the C environment needs
nothing but that changes of PYTHONPATH leave our folder in it; one with an environment of its own
gets our keys added, unless that environment holds an empty SOCKREEL_AGENT: then it is left alone
and named in the trace.
"""

import os
import sys

from . import layout
from .lookalike import put_in_place, stand_in
from .raised import pass_on

_AGENT = b"SOCKREEL_AGENT"
_PATH = b"PYTHONPATH"
_EMPTY = b"SOCKREEL_EMPTY_PYTHONPATH"  # what the program sees as an empty PYTHONPATH is our folder alone


class Doors:
    """What a child's environment needs.

    Args:
        folder: the tape directory.
        recorder: whose tape notes the children.
    """

    def __init__(self, folder, recorder):
        self.recorder = recorder
        self.folder = os.fsencode(folder)
        self.inject = os.fsencode(os.path.join(os.path.dirname(os.path.abspath(__file__)), "inject"))

    def extended(self, pairs):
        """Return an environment with our keys.

        Args:
            pairs: list of (name, value) in bytes.

        Returns:
            The list to use, and why the child goes unrecorded or "".
        """
        known = dict(pairs)
        if known.get(_AGENT) == b"":
            return pairs, "its environment holds an empty SOCKREEL_AGENT"
        path = known.get(_PATH)
        known.pop(_EMPTY, None)
        if path == b"":
            known[_EMPTY] = b"1"
        known[_AGENT] = self.folder
        known[_PATH] = self.inject + b":" + path if path else self.inject
        return list(known.items()), ""

    def note(self, pid, started_by, why_not, command):
        """Note a child that was started."""
        try:
            self.recorder.tape.note(layout.NOTE_CHILD, pid, started_by, why_not, *command)
        except Exception as error:
            pass_on(error)


def _as_bytes(value):
    return value if isinstance(value, bytes) else os.fsencode(value)


def _with_mapping(doors, env):
    """Extend an environment given as a mapping; anything odd is left for the original to complain of."""
    if env is None:
        return env, ""
    try:
        pairs, why_not = doors.extended([(_as_bytes(name), _as_bytes(value)) for name, value in env.items()])
    except Exception as error:
        pass_on(error)
        return env, ""
    return dict(pairs), why_not


def _hook_fork_exec(doors, original):
    def fork_exec(*args, **kw):
        why_not = ""
        command = ()
        try:
            command = [_as_bytes(part) for part in args[0]]
            if args[5] is not None:
                pairs = [tuple(_as_bytes(item).split(b"=", 1)) for item in args[5]]
                if all([len(pair) == 2 for pair in pairs]):
                    pairs, why_not = doors.extended(pairs)
                    args = (*args[:5], [name + b"=" + value for name, value in pairs], *args[6:])
        except Exception as error:
            pass_on(error)
        pid = original(*args, **kw)
        doors.note(pid, "spawn", why_not, command)
        return pid

    return fork_exec


def _hook_posix_spawn(doors, original):
    def posix_spawn(*args, **kw):
        why_not, argv = "", args[1:2] and args[1]
        if len(args) == 3:  # otherwise it raises what it always raised
            env, why_not = _with_mapping(doors, args[2])
            args = (*args[:2], env)
        pid = original(*args, **kw)
        try:
            command = [_as_bytes(part) for part in argv]
        except Exception as error:
            pass_on(error)
            command = ()
        doors.note(pid, "spawn", why_not, command)
        return pid

    return posix_spawn


def _hook_execve(doors, original):
    def execve(*args, **kw):
        if len(args) == 3 and not kw:
            return original(args[0], args[1], _with_mapping(doors, args[2])[0])
        if isinstance(kw.get("env"), dict):
            kw = {**kw, "env": _with_mapping(doors, kw["env"])[0]}
        return original(*args, **kw)

    return execve


def _hook_putenv(doors, original, forget):
    def putenv(*args, **kw):
        if len(args) != 2 or kw:
            return original(*args, **kw)  # raises what it always raised
        name, value = args
        if _as_bytes(name) == _PATH:
            value = _as_bytes(value)
            if value:
                forget(_EMPTY)
            else:
                original(_EMPTY, b"1")
            value = doors.inject + b":" + value if value else doors.inject
        return original(name, value)

    return putenv


def _hook_unsetenv(doors, original, put):
    def unsetenv(*args, **kw):
        if len(args) != 1 or kw:
            return original(*args, **kw)  # raises what it always raised
        (name,) = args
        if _as_bytes(name) != _PATH:
            return original(name)
        original(_EMPTY)
        return put(_PATH, doors.inject)

    return unsetenv


def install(folder, recorder):
    """Put the doors in place."""
    import _posixsubprocess

    doors = Doors(folder, recorder)
    original = _posixsubprocess.fork_exec
    _posixsubprocess.fork_exec = stand_in(_hook_fork_exec(doors, original), original)
    subprocess = sys.modules.get("subprocess")
    if getattr(subprocess, "_fork_exec", None) is original:
        subprocess._fork_exec = _posixsubprocess.fork_exec
    execve = os.execve
    put_in_place(os, "execve", stand_in(_hook_execve(doors, execve), execve))
    # Whatever the program does to its PYTHONPATH, the C environment, which children inherit, keeps our folder in front.
    putenv, unsetenv = os.putenv, os.unsetenv
    put_in_place(os, "putenv", stand_in(_hook_putenv(doors, putenv, unsetenv), putenv))
    put_in_place(os, "unsetenv", stand_in(_hook_unsetenv(doors, unsetenv, putenv), unsetenv))
    if hasattr(os.environ, "putenv"):  # before Python 3.9 the mapping keeps functions of its own
        os.environ.putenv = os.environb.putenv = os.putenv
        os.environ.unsetenv = os.environb.unsetenv = os.unsetenv
    for name in ("posix_spawn", "posix_spawnp"):
        spawn = getattr(os, name, None)
        if spawn is not None:
            put_in_place(os, name, stand_in(_hook_posix_spawn(doors, spawn), spawn))
