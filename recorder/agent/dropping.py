"""A program that gives up what it started with: its user, its root directory.

Owns hooks on os.setuid and its kin: before another user's id is taken, the folders of the tape and what is in them are
given to that user, so that the program can go on writing. One that changes its root directory loses sight of them, and
keeps what it has mapped: that is named.
"""

import os

from . import core, layout
from .lookalike import put_in_place, stand_in
from .raised import pass_on

_chown, _geteuid, _listdir, _stat = os.chown, os.geteuid, os.listdir, os.stat
_CHROOT = (
    "a process changed its root directory: calls that no longer found room on its tape, and children it forked since,"
    " are not in this trace"
)
_SEGMENTS_TAKEN = 16  # of calls (131,072 of them, 12 MB) and of notes, before a program can see no more of them
_EFFECTIVE_AT = {"setuid": 0, "seteuid": 0, "setreuid": 1, "setresuid": 1}  # which argument is the id that files are opened with


def _hand_over(uid):
    """Give the tape to another user, as long as we may."""
    if uid <= 0 or _geteuid():
        return
    for folder in core.recorder.folders:
        try:
            # The folder first: what the recorder makes in it from now on belongs to whoever has the folder.
            _chown(folder, uid, -1)
            for name in _listdir(folder):
                try:
                    _chown("%s/%s" % (folder, name), uid, -1, follow_symlinks=False)
                except FileNotFoundError as error:
                    pass_on(error)  # the recorder was done with it
        except OSError as error:
            pass_on(error)  # then its calls are lost, and counted


def _hook(name, original):
    at = _EFFECTIVE_AT[name]

    def setuid(*args):
        try:
            if len(args) > at and isinstance(args[at], int):
                _hand_over(args[at])
        except Exception as error:
            pass_on(error)
        return original(*args)

    return setuid


def _hook_chroot(original):
    def chroot(*args, **kw):
        try:
            for stream in ("c", "n"):
                core.recorder.tape.take_along(stream, _SEGMENTS_TAKEN)
        except Exception as error:
            pass_on(error)
        result = original(*args, **kw)
        try:
            if not _sees(core.recorder.folders):
                core.recorder.tape.note(layout.NOTE_BLIND, 0, _CHROOT)
        except Exception as error:
            pass_on(error)
        return result

    return chroot


def _sees(folders):
    try:
        return all([_stat(folder) for folder in folders])
    except OSError as error:
        pass_on(error)
        return False


def install():
    """Put the hooks on `os`."""
    if hasattr(os, "chroot"):
        put_in_place(os, "chroot", stand_in(_hook_chroot(os.chroot), os.chroot))
    for name in _EFFECTIVE_AT:
        original = getattr(os, name, None)
        if original is not None:
            put_in_place(os, name, stand_in(_hook(name, original), original))
