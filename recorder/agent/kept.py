"""Segments that are full, kept mapped: the recorder gives the memory of one back as that of a later one.

Owns which mappings are kept and what the head says of them. Mapping a segment and giving it back to the kernel costs a
program as much as some two hundred recorded calls do; one that is found again, by the number of its file, costs nothing.
Only for the C core: every reference to a mapping tells there whether a call that stands in it may still be looked at.
"""

import os
import sys
import time
from _struct import Struct

from . import layout
from .mapping import is_limited, map_file
from .raised import pass_on

MOST = layout.RETIRED_MAX
SLOW_NS = 500_000_000  # whoever takes longer to fill a segment has others mapped for nothing
_TABLE = Struct("<%dI" % MOST)
_TABLE_AT, _TABLE_END = layout.HEAD_RETIRED_AT, layout.HEAD_RETIRED_AT + _TABLE.size
_fstat = os.fstat
_getrefcount = getattr(sys, "getrefcount", None)
_now_ns = time.monotonic_ns


class _Nothing:
    pass


class Kept:
    """The segments of calls of one process that are full."""

    def __init__(self):
        self._mappings = {None: _Nothing()}  # (device, number of the file) -> mapping
        self._numbers = {}  # the same -> number of the segment
        self._since_ns = 0
        self._unused = self._references([None])[0]
        self._mappings.clear()

    def map(self, descriptor, size):
        """Map a segment, or return the mapping that is kept of its file.

        Raises:
            OSError: as of `map_file`.
        """
        found = _fstat(descriptor)
        file = (found.st_dev, found.st_ino)
        mapping = self._mappings.pop(file, None)
        self._numbers.pop(file, None)
        if mapping is None:
            try:
                mapping = map_file(descriptor, size)
            except OSError as error:
                pass_on(error)
                self.clear()
                mapping = map_file(descriptor, size)
            mapping.file = file
        return mapping

    def keep(self, number, mapping, head):
        """Keep a segment that is full, and tell which are no longer referred to by anything that runs.

        Args:
            number: of the segment.
            mapping: as of `map`.
            head: of the tape.
        """
        now_ns = _now_ns()
        is_slow = now_ns - self._since_ns > SLOW_NS
        self._since_ns = now_ns
        if is_slow or is_limited():
            self.clear()
        else:
            self._numbers[mapping.file] = number
            self._mappings[mapping.file] = mapping
            for file in list(self._mappings)[:-MOST]:
                self._mappings.pop(file, None)
                self._numbers.pop(file, None)
        retired = self._retired()
        head[_TABLE_AT:_TABLE_END] = _TABLE.pack(*retired, *[0] * (MOST - len(retired)))

    def clear(self):
        """Give everything back to the kernel."""
        self._mappings.clear()
        self._numbers.clear()

    def _retired(self):
        files = list(self._mappings)
        counted = zip(files, self._references(files))
        numbers = [self._numbers.get(file) for file, references in counted if references == self._unused]
        return [number + 1 for number in numbers if number is not None][-MOST:]

    def _references(self, files):
        """Return how many references there are to each mapping, with ours and those that counting takes."""
        return list(map(_getrefcount, [self._mappings.get(file) for file in files]))
