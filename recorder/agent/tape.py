"""The writing side of the tape: files reserved, mapped, never held open.

Owns how memory for slots and cells is had and given back. Knows the layout, not what a call is.
Nothing here takes a lock: numbers come from atomic counters, so threads, signal handlers and the
garbage collector may enter at any point.
"""

import _thread
import errno
import itertools
import os
import time

from . import layout
from .kept import Kept
from .mapping import map_file, map_memory
from .raised import pass_on

_open, _close, _link, _rename, _unlink, _write, _stat = os.open, os.close, os.link, os.rename, os.unlink, os.write, os.stat
_reserve, _chmod = os.posix_fallocate, os.fchmod
_getpid, _getppid = os.getpid, os.getppid
_ident = _thread.get_ident
_monotonic_ns, _time_ns = time.monotonic_ns, time.time_ns


def _publish(private, path):
    """Give a file its real name, unless that exists; where the file system knows no links, by renaming."""
    try:
        _link(private, path)
    except FileExistsError:
        raise
    except OSError as error:
        pass_on(error)
        try:
            _stat(path)
        except FileNotFoundError as missing:
            pass_on(missing)
            _rename(private, path)
        else:
            raise FileExistsError(errno.EEXIST, path)


_NO_MORE = (errno.EMFILE, errno.ENFILE)
_NO_DESCRIPTOR = "a process had no descriptor left (EMFILE) to go on with its tape: calls that found no room on it then were counted only"


class Tape:
    """The files of one process. Opened at once in a fresh interpreter, at the first call after a fork.

    Args:
        folders: where to put files: the tape directory, then where to go if that is full.
        parent: name of the tape of the process this one was forked from, or "".
        cost_ns: of recording one call; 0: not measured.
    """

    def __init__(self, folders, parent="", cost_ns=0):
        self.folders = folders
        self.parent = parent
        self.cost_ns = cost_ns
        self.text = None  # what `open` is given where nobody opened: the first thing to write may be a note, and no call
        self.name = ""  # until the head is there
        self.head = None
        self._started_ns = _monotonic_ns()
        self.calls = {}  # segment number -> buffer, or None where it could not be had
        self.notes = {}
        self.next_call = itertools.count().__next__
        self.next_cell = itertools.count().__next__
        self.drawn = None  # what next_cell was before a fork that is under way
        self._next_failed = {"c": itertools.count().__next__, "n": itertools.count().__next__}
        self._lost = {}  # thread -> calls it lost: nobody else writes there
        self.ahead = 0  # segments mapped before they are needed: without a free descriptor none can be
        self.kept = None  # where full segments of calls are kept (agent/kept.py)
        self._told_why = False
        self.next_fault = itertools.count(1).__next__

    def number_by(self, core):
        """Take numbers from the C core, which also refers to segments in a way that tells when they are done with."""
        self.next_call, self.next_cell = core.next_call, core.next_cell
        self.kept = Kept()

    def open(self, text):
        """Write the head, which says that this process is here.

        Args:
            text: strings as `start.describe` gives them.

        Raises:
            OSError: there is room nowhere.
        """
        # Threads that make the first call at the same time all come here: one name, so the first to publish it wins.
        name = "%d-%x" % (_getpid(), self._started_ns)
        realtime_ns = _time_ns() - (_monotonic_ns() - self._started_ns)
        strings = b"".join([_encode(part) + b"\0" for part in (self.parent, *text)])
        forked = bool(self.parent)
        started_ns, cost_ns = self._started_ns, self.cost_ns
        head = layout.HEAD.pack(
            layout.MAGIC, layout.VERSION, _getpid(), _getppid(), len(strings), started_ns, realtime_ns, cost_ns, 0, 0, forked, 0, 0
        )
        content = head + bytes(layout.HEAD_BYTES - len(head)) + strings
        problem = None
        for folder in self.folders:
            path = "%s/%s.head" % (folder, name)
            try:
                try:
                    head = self._create(path, len(content), layout.HEAD_BYTES, content)
                except FileExistsError as error:
                    pass_on(error)
                    head = self._map_existing(path, layout.HEAD_BYTES)
            except OSError as error:
                pass_on(error)
                problem = error
            else:
                self.name = name
                self.head = head
                return
        raise problem

    def _map_existing(self, path, size, map_file=map_file):
        descriptor = _open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            return map_file(descriptor, size)
        finally:
            _close(descriptor)

    def _create(self, path, size, mapped, content=b"", map_file=map_file):
        """Make a file under a name of its own, reserve it, and link it to where others look for it."""
        private = "%s.%x" % (path, id(self) ^ _monotonic_ns())
        descriptor = _open(private, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            try:
                _chmod(descriptor, 0o600)  # whatever the program's umask takes away
                _reserve(descriptor, 0, size)
                if content:
                    _write(descriptor, content)
                _publish(private, path)
                return map_file(descriptor, mapped)
            finally:
                try:
                    _unlink(private)
                except FileNotFoundError as error:
                    pass_on(error)
        finally:
            _close(descriptor)

    def map_segment(self, stream, number):
        """Return the buffer of a segment, made by the recorder ahead of need or else by us.

        Args:
            stream: "c" for calls, "n" for notes.
            number: of the segment.

        Returns:
            A writable buffer, or None where there is no room: what belongs there is lost, and counted.
        """
        segments = self.calls if stream == "c" else self.notes
        full = False
        buffer = segments.get(number)
        try:
            if self.head is None and self.text is not None:
                self.open(self.text)
            if buffer is None and self.head is not None:
                buffer = self._segment(stream, number)
        except OSError as error:
            pass_on(error)
            full = error.errno in _NO_MORE
        # One answer for all threads, for ever: the reader passes over what was noted as failed.
        answer = segments.setdefault(number, buffer)
        if answer is not None:
            at = layout.HEAD_FRONT_AT[stream]
            self.head[at : at + 4] = (number + 1).to_bytes(4, "little")
        elif buffer is None:
            self._note_failed(stream, number)
        if segments.get(number - 2) is not None:
            filled = segments.pop(number - 2, None)
            if filled is not None and segments is self.calls and self.kept is not None:
                self.kept.keep(number - 2, filled, self.head)
        if self.ahead and not full:
            full = self._map_ahead(stream, number)
        if full and not self._told_why:
            self._told_why = True  # now: where the next segment of notes is missing, too, it could not be told any more
            self.note(layout.NOTE_BLIND, 0, _NO_DESCRIPTOR)
        return answer

    def keep_ahead(self, count):
        """Map the next segments now and from now on: the program's descriptors are about to run out, and none opens a file then."""
        self.ahead = count
        for stream, segments in (("c", self.calls), ("n", self.notes)):
            self._map_ahead(stream, max(list(segments), default=-1))

    def _map_ahead(self, stream, number):
        """Map what follows a segment; return whether not even the next one could be, for want of a descriptor."""
        segments = self.calls if stream == "c" else self.notes
        if self.head is None:
            return False
        for following in range(number + 1, number + 1 + self.ahead):
            if following not in segments:
                try:
                    segments.setdefault(following, self._segment(stream, following))
                except OSError as error:
                    pass_on(error)
                    return following == number + 1 and error.errno in _NO_MORE
        return False

    def take_along(self, stream, count):
        """Map the next segments at once: what is mapped stays when the files are out of reach."""
        if self.head is None:
            self.open(self.text)
        segments = self.calls if stream == "c" else self.notes
        first = max(segments, default=-1) + 1
        for number in range(first, first + count):
            segments.setdefault(number, self._segment(stream, number))
            at = layout.HEAD_FRONT_AT[stream]
            self.head[at : at + 4] = (number + 1).to_bytes(4, "little")

    def _segment(self, stream, number):
        if self.head[layout.HEAD_STOP_AT] != b"\0":
            raise OSError(errno.ENOSPC, "nobody reads this tape any more")
        size = layout.SEGMENT_BYTES[stream]
        mapped_by = map_file if self.kept is None or stream != "c" else self.kept.map
        problem = None
        for folder in self.folders:
            path = "%s/%s.%s%06d" % (folder, self.name, stream, number)
            for _ in range(2):
                try:
                    return self._map_existing(path, size, mapped_by)
                except FileNotFoundError as error:
                    pass_on(error)
                try:
                    return self._create(path, size, size, map_file=mapped_by)
                except FileExistsError as error:
                    pass_on(error)
                    continue  # the recorder, or another thread, made it in between
                except OSError as error:
                    pass_on(error)
                    problem = error
                    break
        raise problem or OSError(errno.ENOSPC, "no room for the tape")

    def _note_failed(self, stream, number):
        head = self.head
        if head is None:
            return
        at = layout.HEAD_FAILED_AT[stream]
        failed = self._next_failed[stream]()
        if failed < layout.FAILED_MAX:
            listed = layout.HEAD_FAILED_LIST_AT[stream] + 4 * failed
            head[listed : listed + 4] = number.to_bytes(4, "little")
        head[at : at + 4] = (failed + 1).to_bytes(4, "little")

    def lose_call(self, calls=1):
        """Count calls that found no place."""
        thread = _ident()
        self._lost[thread] = self._lost.get(thread, 0) + calls
        written = -1
        while self.head is not None:
            lost = sum(list(self._lost.values()))
            if lost == written:
                return
            self.head[layout.HEAD_LOST_AT : layout.HEAD_LOST_AT + 8] = lost.to_bytes(8, "little")
            written = lost  # whoever was stopped before writing an older sum looks again

    def count_fault(self):
        """Count an error of our own that the program must not see."""
        faults = self.next_fault()
        if self.head is not None:
            self.head[layout.HEAD_FAULTS_AT : layout.HEAD_FAULTS_AT + 4] = faults.to_bytes(4, "little")

    def note(self, kind, key, *fields):
        """Write a note of text fields; numbers are written in decimal."""
        self.note_bytes(kind, key, _joined(fields))

    def note_bytes(self, kind, key, data):
        """Write a note of raw bytes, in as many cells as it takes.

        Args:
            kind: a NOTE_ code.
            key: what it is about.
            data: at most 2**32 - 1 bytes.
        """
        total = len(data)
        number = serial = self.next_cell()
        if number is None:  # a forked child, before its tape has begun
            return
        part = 0
        start = 0
        pack = layout.CELL.pack_into
        while True:
            try:
                buffer = self.notes[number >> layout.CELL_BITS]
            except KeyError as error:
                pass_on(error)
                buffer = self.map_segment("n", number >> layout.CELL_BITS)
            if buffer is not None:
                at = (number & (layout.CELLS - 1)) * layout.CELL_BYTES
                pack(buffer, at, kind, part, total, key, serial, data[start : start + layout.CELL_DATA_BYTES], layout.COMPLETE)
            start += layout.CELL_DATA_BYTES
            if start >= total:
                return
            part += 1
            number = self.next_cell()
            if number is None:
                return


class ScratchTape(Tape):
    """A tape in memory that nobody reads, for trying out what recording costs."""

    def number_by(self, core):
        """Take numbers from the C core; there is no file to find again."""
        super().number_by(core)
        self.kept = None

    def open(self, text):
        """Do as if the head were written."""
        self.head = map_memory(layout.HEAD_BYTES)

    def _segment(self, stream, number):
        return map_memory(layout.SEGMENT_BYTES[stream])


_AS_TEXT = {int: str, bool: "01".__getitem__}  # exactly these: a subclass may say something else of itself


def _joined(fields):
    """Return fields as a note holds them: in UTF-8, NUL between them and nowhere else."""
    try:
        text = "\0".join([field if type(field) is str else _AS_TEXT[type(field)](field) for field in fields])
        if text.count("\0") == len(fields) - 1:
            return text.encode()
    except (KeyError, UnicodeEncodeError) as error:
        pass_on(error)
    return b"\0".join([_encode(field) for field in fields])


def _encode(value):
    if isinstance(value, int):
        return b"%d" % value
    if isinstance(value, bytes):
        return value.replace(b"\0", b"\xef\xbf\xbd")
    text = str(value).replace("\0", "\ufffd")
    try:
        return text.encode("utf-8", "surrogateescape")  # a file name that was no UTF-8 is written back as it was
    except UnicodeEncodeError as error:
        pass_on(error)
        return text.encode("utf-8", "backslashreplace")
