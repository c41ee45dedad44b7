"""Where in the program a call was made.

Owns the search for the nearest caller outside the standard library, and its numbers. Knows the
tape's notes, not what is called.
"""

import itertools
import os
import sys

from . import layout
from .raised import pass_on
from .whereabouts import AGENT

_LIBRARY = os.path.dirname(os.path.abspath(os.__file__)) + os.sep
_ADDED = (os.path.join(_LIBRARY, "site-packages") + os.sep, os.path.join(_LIBRARY, "dist-packages") + os.sep)
_PLUMBING = tuple(_LIBRARY + name for name in ("socket.py", "ssl.py", "selectors.py"))
_START = os.getcwd() if os.path.isdir(".") else os.sep  # relative file names are meant from here
_stat = os.stat  # the program may put another in its place
_MOST_SITES = 100_000  # a program that makes code for ever must not fill our memory

PROGRAM, LIBRARY, PLUMBING = 0, 1, 2
_passed_over: list = []  # folders of libraries that stand in for socket.py


class Sites:
    """The sites of one process.

    Args:
        tape: where new ones are noted.
    """

    def __init__(self, tape):
        self.tape = tape
        self.numbers = {}  # (id of code, instruction) -> site, only where the immediate caller is the site
        self._placed = {}  # the same for sites found further out
        self._lines = {}  # (id of code, line) -> site
        self._codes = {}  # id of code -> (code, PROGRAM | LIBRARY | PLUMBING): holding the code keeps its id its own
        self._next = itertools.count(1).__next__

    def find(self, frame):
        """Return the number of the site of a call.

        Args:
            frame: of the immediate caller.
        """
        immediate = frame
        second = None
        while frame is not None:
            kind = self.kind(frame.f_code)
            if kind == PROGRAM:
                break
            if kind == LIBRARY and second is None:
                second = frame
            frame = frame.f_back
        if frame is None:
            frame = second or immediate
        key = (id(frame.f_code), frame.f_lasti)
        number = self._placed.get(key)
        if number is None:
            if len(self._placed) >= _MOST_SITES:
                self._placed.clear()
                self._lines.clear()
                self.numbers.clear()
                self._codes.clear()
            line = (key[0], frame.f_lineno)
            number = self._lines.get(line)
            if number is None:
                number = self._lines[line] = self._next()
                self._describe(number, frame)
            self._placed[key] = number
            self.kind(frame.f_code)
        if frame is immediate and self.kind(frame.f_code) == PROGRAM:
            self.numbers[key] = number
        return number

    def kind(self, code):
        """Return PROGRAM, LIBRARY or PLUMBING."""
        known = self._codes.get(id(code))
        if known is None:
            known = self._codes[id(code)] = (code, _kind_of(code.co_filename))
        return known[1]

    def _describe(self, number, frame):
        code = frame.f_code
        file = code.co_filename
        text = ""
        if not file.startswith("<"):
            file = _absolute(file)
        if not _is_there(file):
            text = _text_from_loader(frame)
        function = getattr(code, "co_qualname", code.co_name)
        self.tape.note(layout.NOTE_SITE, number, file, frame.f_lineno or code.co_firstlineno, function, text)


def _absolute(file):
    """Return a file's whole name without asking `os.path`, whose functions use the builtins of the program."""
    folders = []
    for part in (file if file.startswith("/") else _START + "/" + file).split("/"):
        if part == "..":
            del folders[-1:]
        elif part and part != ".":
            folders.append(part)
    return "/" + "/".join(folders)


def _is_there(file):
    try:
        _stat(file)
    except (OSError, ValueError) as error:
        pass_on(error)
        return False
    return True


def pass_over(folder):
    """Treat a library that stands in for socket.py as one that comes with Python."""
    _passed_over.append(folder + os.sep)


def _kind_of(file):
    if file.startswith(AGENT) or file.startswith(_PLUMBING):
        return PLUMBING
    if file.startswith("<frozen ") or (_passed_over and file.startswith(tuple(_passed_over))):
        return LIBRARY
    if file.startswith(_LIBRARY) and not file.startswith(_ADDED):
        return LIBRARY
    return PROGRAM


def _text_from_loader(frame):
    """Return the source of a module that is no file (a zip, `python -c`), or ""."""
    if frame.f_code.co_filename == "<string>" and frame.f_globals.get("__name__") == "__main__":
        arguments = getattr(sys, "orig_argv", [])
        if "-c" in arguments[:-1]:
            return arguments[arguments.index("-c") + 1]
    loader = frame.f_globals.get("__loader__")
    try:
        return loader.get_source(frame.f_globals["__name__"]) or ""
    except Exception as error:
        pass_on(error)
        return ""
