"""What is open on each descriptor: identity that survives a reused number.

Owns the numbers of sockets, and what is noted when one is met, replaced, copied or closed. A descriptor is known by
its number and inode, so that a second object on the same descriptor is the same socket and a new socket on an old
number is not. Knows the tape's notes; not the objects of the program, which sockets.py does.
"""

import _socket
import itertools
import os
import sys
import time

from . import layout
from .entries import STREAM, Entry, Numbers, ask, inode_of, is_socket, role_of
from .internal import is_internal
from .naming import kind_name
from .raised import pass_on

_fstat, _get_blocking, _set_blocking = os.fstat, os.get_blocking, os.set_blocking
_readlink, _listdir, _getframe = os.readlink, os.listdir, sys._getframe
_Socket = _socket.socket
_getsockname, _getpeername, _detach = _Socket.getsockname, _Socket.getpeername, _Socket.detach
_family, _type = _Socket.family.__get__, _Socket.type.__get__
_monotonic_ns, _sysconf = time.monotonic_ns, os.sysconf
_FIRST_LOOK, _NEVER = 16, 1 << 30  # descriptors from which on it is looked how many are left
_SEGMENTS_AHEAD = 16  # 131,072 calls, 12 MB with their notes
_FAMILIES = {getattr(_socket, name): name for name in dir(_socket) if name.startswith("AF_")}
_TYPES = {getattr(_socket, name): name for name in ("SOCK_STREAM", "SOCK_DGRAM", "SOCK_RAW", "SOCK_RDM", "SOCK_SEQPACKET")}
_FILE_KINDS = {"anon_inode:[eventpoll]": "epoll", "anon_inode:[eventfd]": "eventfd", "anon_inode:[io_uring]": "ring"}


class Descriptors:
    """What is open on the descriptors of one process.

    Args:
        tape: where they are noted.
        inherited: what `bequeath` gave in the process this one was forked from, or None.
        entry_type: Entry, or what the C core has in its place.
        files: where descriptors are kept that were met and are no sockets: functions of `os` look there first.
        arrivals: asks the kernel when data arrives, or None.
    """

    def __init__(self, tape, inherited=None, entry_type=Entry, files=None, arrivals=None):
        self.tape = tape
        self._arrivals = arrivals
        self._entry_type = entry_type
        self.files = Numbers() if files is None else files
        self.by_fd = {}  # descriptor -> Entry that is open on it
        self._by_inode = {}  # inode -> the newest Entry that is open on it
        self._by_place = {}  # (descriptor, inode) -> Entry that is open there
        self._inherited = inherited or {}  # inode -> (tape, Entry); ("", None): it came with the interpreter
        self.ended = []  # what tells of objects that have gone and are not noted yet (sockets.py)
        self.counted = {}  # number of a socket that is being closed -> what kernel.counted said
        self._next = itertools.count(1).__next__
        self.look_from = _FIRST_LOOK

    def bequeath(self):
        """Return what a forked child must know: inode -> (name of the tape that describes it, Entry). Ours no more."""
        name = self.tape.name
        self.tape = None  # what is collected in the child concerns the parent's tape no more
        # Detached ones, too: their descriptors are open, and whoever takes them knows no better.
        return {**self._inherited, **{entry.inode: (name, entry) for entry in list(self.by_fd.values()) if entry.family >= 0}}

    def take_stock(self):
        """Remember the sockets that the interpreter was started with: whoever made them, this process inherited them."""
        for name in _listdir("/proc/self/fd"):
            try:
                status = _fstat(int(name))
            except OSError as error:
                pass_on(error)
                continue  # it was that of the directory
            if is_socket(status.st_mode):
                self._inherited.setdefault(status.st_ino, ("", None))

    def number_of_poller(self, fd):
        """Return the number of an epoll object, given its descriptor: open, and an epoll's, since the object is."""
        found = self.by_fd.get(fd)
        return found.id if found is not None and found.open and found.role == "poller" else self.number_of_fd(fd)

    def number_of_fd(self, fd):
        """Return the number of whatever is open on a descriptor, which may be no socket; 0 where nothing is."""
        if self.ended:
            self.bury()
        found = self.by_fd.get(fd)
        if found is not None and found.open and (found.family >= 0 or found.inode == inode_of(fd)):
            return found.id
        try:
            inode = _fstat(fd)
        except OSError as error:
            pass_on(error)
            return 0
        if is_socket(inode.st_mode):
            return self._meet(fd, inode.st_ino, found).id
        if found is not None and found.open:
            self.close(found, "replaced")
        return self._new_file(fd, inode.st_ino).id

    def socket_on(self, fd, came_as="", source=None):
        """Return the Entry of the socket that is open on a descriptor; None where there is none, which is remembered.

        Args:
            came_as: origin of one not known yet, where that is known better than by looking.
            source: Entry that one not known yet is a copy of.
        """
        if self.ended:
            self.bury()
        try:
            status = _fstat(fd)
        except OSError as error:
            pass_on(error)
            return None
        found = self.by_fd.get(fd)
        if not is_socket(status.st_mode):
            if found is not None and found.open and found.family >= 0:
                self.close(found, "replaced")
            self.files.add(fd)
            return None
        if found is not None and found.open and found.inode == status.st_ino and not came_as and source is None:
            return found
        return self._meet(fd, status.st_ino, found, came_as, source)

    def _meet(self, fd, inode, before, came_as="", source=None):
        """Return the Entry of a socket that is met by its descriptor for the first time."""
        blocking = _get_blocking(fd)
        sock = _Socket(fileno=fd)
        try:
            return self._first_seen(sock, fd, inode, before, came_as, source)
        finally:
            _detach(sock)
            if _get_blocking(fd) != blocking:  # a default timeout of the program made it nonblocking
                _set_blocking(fd, blocking)

    def _first_seen(self, sock, fd, inode, before, came_as="", source=None):
        family, type_ = _family(sock), _type(sock)
        role, local, peer, parent = "", "", "", 0
        origin, origin_tape, ancestor = ("duplicated", "", source) if source is not None else self._where_from(fd, inode, before)
        origin, origin_socket = came_as or origin, 0
        if ancestor is not None:
            origin_socket, role, peer = ancestor.id, ancestor.role, ancestor.peer
            parent = 0 if origin_tape else ancestor.parent
        if before is not None and before.open:
            self.close(before, "collected" if before.waiting else "replaced")
        if not peer:
            peer = ask(_getpeername, sock, family)
        local = ask(_getsockname, sock, family)
        if not role:
            role = role_of(sock, family, type_, local, peer)
        entry = self._new(fd, inode, family, type_, role, local, peer, parent)
        entry.internal = ancestor.internal if ancestor is not None else int(is_internal(_getframe()))
        first = self._by_place.setdefault((fd, inode), entry)
        if first is not entry:
            return first  # another thread met it at the same time
        self.by_fd[fd] = self._by_inode[inode] = entry
        if self._arrivals is not None:
            entry.stamped = self._arrivals.stamp(sock, family, type_, fd)
        self._note(entry, type_, origin, origin_tape, origin_socket, _monotonic_ns())
        return entry

    def _where_from(self, fd, inode, before):
        """Return what is known of a socket's past: (origin, name of the tape that describes `ancestor` or "", ancestor or None)."""
        tape, ancestor = self._inherited.get(inode, ("", None))
        twin = self._by_inode.get(inode)
        if before is not None and before.inode == inode:
            return "passed", "", before  # detached from one object, attached to this one
        if twin is not None:
            return "duplicated", "", twin
        if ancestor is not None:
            return "inherited" if ancestor.fd == fd else "duplicated", tape, ancestor
        return "inherited" if inode in self._inherited else "created", "", None

    def look(self, fd):
        """Look how near to its limit a new descriptor is, and have room on the tape while one is free to open it with.

        Looked at again at twice the number, for a program may lower its limit.
        """
        limit = _sysconf("SC_OPEN_MAX")
        crowded = limit - limit // 4
        if 0 <= crowded <= fd:
            self.tape.keep_ahead(_SEGMENTS_AHEAD)
            self.look_from = _NEVER
        else:
            self.look_from = 2 * fd if limit < 0 else min(2 * fd, crowded)

    def _new(self, fd, inode, family, type_, role, local, peer, parent):
        self.files.discard(fd)
        if fd >= self.look_from:
            self.look(fd)
        entry = self._entry_type()
        entry.id = self._next()
        entry.fd, entry.inode, entry.family = fd, inode, family
        entry.stream = type_ == STREAM
        entry.role, entry.local, entry.peer, entry.parent = role, local, peer, parent
        entry.open = True
        entry.waiting = entry.memory = entry.internal = False
        entry.timeout_ns = entry.stamped = -1
        entry.ref = None
        return entry

    def _note(self, entry, type_, origin, origin_tape, origin_socket, opened_ns):
        family = entry.family
        self.tape.note(
            layout.NOTE_SOCKET,
            entry.id,
            entry.fd,
            kind_name(family, type_),
            _FAMILIES.get(family, family),
            _TYPES.get(type_, type_),
            entry.role,
            entry.local,
            entry.peer,
            entry.parent,
            origin,
            origin_tape,
            origin_socket,
            entry.internal,
            opened_ns,
            entry.inode,
        )

    def _new_file(self, fd, inode):
        """Note a descriptor that is no socket: an epoll, an eventfd, a pipe, a file."""
        try:
            target = _readlink("/proc/self/fd/%d" % fd)
        except OSError as error:
            pass_on(error)
            target = ""
        kind = _FILE_KINDS.get(target) or ("pipe" if target.startswith("pipe:") else "other")
        entry = self._new(fd, inode, -1, 0, "poller" if kind == "epoll" else "other", "", "", 0)
        self.by_fd[fd] = entry
        self.tape.note(layout.NOTE_SOCKET, entry.id, fd, kind, "", "", entry.role, "", "", 0, "created", "", 0, 0, _monotonic_ns(), 0)
        return entry

    def knows(self, fd):
        """Say whether something open on a descriptor was met before."""
        found = self.by_fd.get(fd)
        return found is not None and found.open

    def replaced(self, fd):
        """Note that a descriptor stands for something new."""
        self.files.discard(fd)
        found = self.by_fd.get(fd)
        if found is not None and found.open:
            self.close(found, "replaced")

    def passed(self, fd):
        """Note a descriptor that came from another process."""
        self.replaced(fd)
        self.socket_on(fd, "passed")

    def leaving(self, fd):
        """Forget a descriptor that is about to be closed: another thread may get the same number at once.

        Returns:
            The Entry of the socket on it, or None where none is known.
        """
        if self.ended:
            self.bury()
        found = self.by_fd.get(fd)
        if found is None:
            return None
        if found.family < 0:
            self.leave_number(fd)
            return None
        if found.inode != inode_of(fd):
            if found.open:
                self.close(found, "replaced")
            return None
        del self.by_fd[fd]
        return found

    def leave_number(self, fd):
        """Note that a descriptor which is no socket is about to be closed."""
        found = self.by_fd.get(fd)
        if found is not None and found.open and found.family < 0:
            self.close(found, "close")

    def bury(self):
        """Note the sockets whose objects have gone: Sockets knows how."""

    def close(self, entry, by, at_ns=None):
        """Note that a socket's descriptor is gone."""
        entry.open = False
        if self._by_inode.get(entry.inode) is entry:
            del self._by_inode[entry.inode]
        if self._by_place.get((entry.fd, entry.inode)) is entry:
            del self._by_place[entry.fd, entry.inode]
        # Detached: whoever takes the descriptor next is the same socket under another object.
        if by != "detach" and self.by_fd.get(entry.fd) is entry:
            del self.by_fd[entry.fd]
        self.tape.note(layout.NOTE_CLOSED, entry.id, at_ns or _monotonic_ns(), by, *self.counted.pop(entry.id, ()))
