"""Children of the recorded program: they are recorded too, whatever environment they are given.

Owns the three doors through which Python starts another program (`_posixsubprocess.fork_exec`,
`os.execve`, `os.posix_spawn` and its sibling). A child that inherits the C environment needs
nothing; one with an environment of its own gets our keys added, unless that environment holds an
empty SOCKREEL_AGENT: then it is left alone and named in the trace.
"""

import os
import sys

from . import layout
from .lookalike import stand_in

_AGENT = b"SOCKREEL_AGENT"
_PATH = b"PYTHONPATH"


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
        self.path_at_start = os.environ._data.get(_PATH)

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
        known[_AGENT] = self.folder
        known[_PATH] = self.inject + b":" + path if path else self.inject
        return list(known.items()), ""

    def changed(self):
        """Say whether the program set PYTHONPATH: then the C environment does not hold our folder any more."""
        return os.environ._data.get(_PATH) != self.path_at_start

    def environment(self):
        """Return the program's environment as it sees it, with our keys."""
        return self.extended(list(os.environ._data.items()))[0]

    def note(self, pid, started_by, why_not, command):
        """Note a child that was started."""
        try:
            self.recorder.tape.note(layout.NOTE_CHILD, pid, started_by, why_not, *command)
        except Exception:
            pass


def _as_bytes(value):
    return value if isinstance(value, bytes) else os.fsencode(value)


def _with_mapping(doors, env):
    """Extend an environment given as a mapping; anything odd is left for the original to complain of."""
    if env is None:
        return env, ""
    try:
        pairs, why_not = doors.extended([(_as_bytes(name), _as_bytes(value)) for name, value in env.items()])
    except Exception:
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
                if all(len(pair) == 2 for pair in pairs):
                    pairs, why_not = doors.extended(pairs)
                    args = (*args[:5], [name + b"=" + value for name, value in pairs], *args[6:])
            elif doors.changed():
                args = (*args[:5], [name + b"=" + value for name, value in doors.environment()], *args[6:])
        except Exception:
            pass
        pid = original(*args, **kw)
        doors.note(pid, "spawn", why_not, command)
        return pid

    return fork_exec


def _hook_posix_spawn(doors, original):
    def posix_spawn(path, argv, env, *args, **kw):
        env, why_not = _with_mapping(doors, env)
        pid = original(path, argv, env, *args, **kw)
        try:
            command = [_as_bytes(part) for part in argv]
        except Exception:
            command = ()
        doors.note(pid, "spawn", why_not, command)
        return pid

    return posix_spawn


def _hook_execve(doors, original):
    def execve(path, argv, env):
        return original(path, argv, _with_mapping(doors, env)[0])

    return execve


def _hook_execv(doors, original, execve):
    def execv(path, argv, *args):
        if not args and doors.changed():
            return execve(path, argv, dict(doors.environment()))
        return original(path, argv, *args)

    return execv


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
    os.execve = stand_in(_hook_execve(doors, execve), execve)
    os.execv = stand_in(_hook_execv(doors, os.execv, execve), os.execv)
    for name in ("posix_spawn", "posix_spawnp"):
        spawn = getattr(os, name, None)
        if spawn is not None:
            setattr(os, name, stand_in(_hook_posix_spawn(doors, spawn), spawn))
