"""Which socket a call was made on: identity that survives a reused descriptor.

Owns the numbers of sockets and what is known of each. A Python object is found by its id as long
as it lives; a descriptor by its number and inode, so that a second object on the same descriptor
is the same socket and a new socket on an old number is not. Knows the tape's notes.
"""

import _socket
import _weakref
import itertools
import os
import sys
import time

from . import layout
from .internal import is_internal
from .naming import address_text, kind_name, timeout_to_ns

_fstat, _get_blocking, _set_blocking = os.fstat, os.get_blocking, os.set_blocking
_readlink, _listdir, _getframe = os.readlink, os.listdir, sys._getframe
_Socket = _socket.socket
_fileno, _gettimeout, _getsockname, _getpeername = _Socket.fileno, _Socket.gettimeout, _Socket.getsockname, _Socket.getpeername
_getsockopt = _Socket.getsockopt
_family, _type = _Socket.family.__get__, _Socket.type.__get__
_ref, _monotonic_ns, _finalizing = _weakref.ref, time.monotonic_ns, sys.is_finalizing
_detach = _Socket.detach
_SO_ACCEPTCONN = 30
_STREAM, _DGRAM, _SEQPACKET = 1, 2, 5
_UNIX, _INET, _INET6 = 1, 2, 10
_FAMILIES = {getattr(_socket, name): name for name in dir(_socket) if name.startswith("AF_")}
_TYPES = {getattr(_socket, name): name for name in ("SOCK_STREAM", "SOCK_DGRAM", "SOCK_RAW", "SOCK_RDM", "SOCK_SEQPACKET")}
_MOST_ADDRESSES = 100_000


_FILE_KINDS = {"anon_inode:[eventpoll]": "epoll", "anon_inode:[eventfd]": "eventfd", "anon_inode:[io_uring]": "ring"}


def _is_socket(mode):
    return mode & 0o170000 == 0o140000


def _inode_of(fd):
    try:
        return _fstat(fd).st_ino
    except OSError:
        return -1


class Numbers(set):
    """Descriptors."""

    def discard_range(self, low, high):
        """Take out every number from `low` to `high` - 1."""
        self.difference_update([number for number in self if low <= number < high])


class Entry:
    """What is known of one socket. `timeout_ns` is -1 where a call may block for ever.

    `stamped` is the descriptor where the kernel tells when data arrived, else -1 (see arrivals.py).
    `memory` marks what is no socket but TLS in memory: `id` is the socket whose bytes it gets, 0 until that is known.
    """

    __slots__ = (
        "family", "fd", "id", "inode", "internal", "local", "memory", "open", "parent",
        "peer", "ref", "role", "stamped", "stream", "timeout_ns", "waiting",
    )  # fmt: skip


class Sockets:
    """The sockets of one process.

    Args:
        tape: where they are noted.
        inherited: what `bequeath` gave in the process this one was forked from, or None.
        entry_type: Entry, or what the C core has in its place.
        core: the C core, which keeps entries of its own; or None.
        files: where descriptors are kept that were met and are no sockets: functions of `os` look there first.
        arrivals: asks the kernel when data arrives, or None.
    """

    def __init__(self, tape, inherited=None, entry_type=Entry, core=None, files=None, arrivals=None):
        self.tape = tape
        self._arrivals = arrivals
        self._entry_type = entry_type
        self._core = core
        self.files = Numbers() if files is None else files
        self.entries = {}  # id of object -> Entry
        self.by_fd = {}  # descriptor -> Entry that is open on it
        self._by_inode = {}  # inode -> the newest Entry that is open on it
        self._by_place = {}  # (descriptor, inode) -> Entry that is open there
        self._inherited = inherited or {}  # inode -> (tape, Entry); ("", None): it came with the interpreter
        self.counted = {}  # number of a socket that is being closed -> what kernel.counted said
        self._addresses = {}
        self._next = itertools.count(1).__next__
        self._next_address = itertools.count(1).__next__

    def bequeath(self):
        """Return what a forked child must know: inode -> (name of the tape that describes it, Entry). Ours no more."""
        name = self.tape.name
        self.tape = None  # what is collected in the child concerns the parent's tape no more
        # Detached ones, too: their descriptors are open, and whoever takes them knows no better.
        return {**self._inherited, **{entry.inode: (name, entry) for entry in self.by_fd.values() if entry.family >= 0}}

    def take_stock(self):
        """Remember the sockets that the interpreter was started with: whoever made them, this process inherited them."""
        for name in _listdir("/proc/self/fd"):
            try:
                status = _fstat(int(name))
            except OSError:
                continue  # it was that of the directory
            if _is_socket(status.st_mode):
                self._inherited.setdefault(status.st_ino, ("", None))

    def pair(self, one, other):
        """Note the two ends of a socket pair."""
        self.tape.note(layout.NOTE_PAIR, self.identify(one).id, self.identify(other).id)

    def identify(self, sock):
        """Return the Entry of an object met for the first time."""
        if not isinstance(sock, _Socket):
            return self._remember(sock, self._memory_entry())
        fd = _fileno(sock)
        if fd < 0:
            return self._closed_entry(sock)
        inode = _inode_of(fd)
        if inode < 0:
            return self._closed_entry(sock)  # closed behind its back before we met it: its calls fail, and are calls
        found = self.by_fd.get(fd)
        if found is not None and found.waiting and found.inode == inode:
            entry = found  # accepted a moment ago, and this is its object
            entry.waiting = False
            self._complete(entry, sock)
        elif found is not None and found.inode == inode and found.open:
            entry = found  # another object on the same descriptor
        else:
            entry = self._first_seen(sock, fd, inode, found)
        entry.timeout_ns = self.timeout_ns(sock, fd)
        return self._remember(sock, entry)

    def timeout_ns(self, sock, fd):
        """Return how long a call may wait: O_NONBLOCK set behind Python's back counts as 0."""
        seconds = _gettimeout(sock)
        if seconds is None and fd >= 0:
            return -1 if _get_blocking(fd) else 0
        return timeout_to_ns(seconds)

    def keep_unnoted(self, sock):
        """Remember a socket of our own, which nobody is told of; it must live as long as we do."""
        entry = self.entries[id(sock)] = self._closed_entry(sock)
        if self._core is not None:
            self._core.remember(sock, entry)

    def _closed_entry(self, sock):
        entry = self._memory_entry()
        entry.stream = _type(sock) == _STREAM
        entry.family = _family(sock)
        entry.timeout_ns = timeout_to_ns(_gettimeout(sock))
        entry.memory = False
        if self._arrivals is not None and _fileno(sock) >= 0:
            entry.stamped = self._arrivals.stamp(sock, entry.family, _type(sock), _fileno(sock))
        return entry

    def _memory_entry(self):
        """Return the Entry of what has no descriptor: TLS in memory."""
        entry = self._entry_type()
        entry.id = 0
        entry.fd = entry.family = entry.stamped = -1
        entry.inode = 0
        entry.open = entry.waiting = False
        entry.stream = entry.memory = True
        entry.timeout_ns = 0
        entry.local = entry.peer = entry.role = ""
        entry.parent = entry.internal = 0
        entry.ref = None
        return entry

    def hand_over(self, entry, sock):
        """Part an object from its socket, which lives on under another object that has the descriptor already."""
        entry.ref = None  # and with it what would have closed the socket when the object goes
        self.entries.pop(id(sock), None)
        if self._core is not None:
            self._core.forget(id(sock))

    def _remember(self, sock, entry):
        key = id(sock)
        entries = self.entries

        def gone(_, key=key, entry=entry, owner=self, core=self._core):
            entries.pop(key, None)
            if core is not None and owner.tape is not None:
                core.forget(key)
            if entry.open and owner.tape is not None and not _finalizing():
                owner.close(entry, "collected")

        entry.ref = _ref(sock, gone) if entry.ref is None else (entry.ref, _ref(sock, gone))
        entries[key] = entry
        if self._core is not None:
            self._core.remember(sock, entry)
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
            peer = self._ask(_getpeername, sock, family)
        local = self._ask(_getsockname, sock, family)
        if not role:
            role = _role(sock, family, type_, local, peer)
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

    def _new(self, fd, inode, family, type_, role, local, peer, parent):
        self.files.discard(fd)
        entry = self._entry_type()
        entry.id = self._next()
        entry.fd, entry.inode, entry.family = fd, inode, family
        entry.stream = type_ == _STREAM
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

    def accepted(self, listener, fd, address, sock, at_ns):
        """Note the socket that an accept on `sock` has just returned; its object comes later.

        Returns:
            Its Entry.
        """
        type_ = _type(sock)
        before = self.by_fd.get(fd)
        if before is not None and before.open:
            self.close(before, "collected" if before.waiting else "replaced")
        inode = _fstat(fd).st_ino
        peer = address_text(listener.family, address) or ("unix:" if listener.family == _UNIX else "")
        entry = self._new(fd, inode, listener.family, type_, "accepted", listener.local, peer, listener.id)
        entry.waiting = True
        self.by_fd[fd] = self._by_inode[inode] = entry
        if listener.role != "listener":
            listener.role = "listener"
            self.tape.note(layout.NOTE_SOCKET_IS, listener.id, "role", "listener")
        self._note(entry, type_, "accepted", "", 0, at_ns)
        return entry

    def _complete(self, entry, sock):
        if self._arrivals is not None:
            entry.stamped = self._arrivals.stamp(sock, entry.family, _type(sock), entry.fd)
        local = self._ask(_getsockname, sock, entry.family)
        if local != entry.local:
            entry.local = local
            self.tape.note(layout.NOTE_SOCKET_IS, entry.id, "local", local)

    def refresh(self, entry, sock, role="", peer=None):
        """Note what bind, listen or connect changed; `peer` is the address of one that cannot be asked for it yet."""
        changes = []
        local = self._ask(_getsockname, sock, entry.family)
        peer = self._ask(_getpeername, sock, entry.family) or address_text(entry.family, peer)
        for name, value in (("local", local), ("peer", peer), ("role", role)):
            if value and getattr(entry, name) != value:
                setattr(entry, name, value)
                changes += [name, value]
        if changes:
            self.tape.note(layout.NOTE_SOCKET_IS, entry.id, *changes)

    def name_unbound(self, entry, sock):
        """Note the port that the kernel gave to a socket when it first sent something."""
        if entry.open and entry.local.endswith(":0"):
            self.refresh(entry, sock)

    def close(self, entry, by, at_ns=None):
        """Note that a socket's descriptor is gone."""
        entry.open = False
        if self._by_inode.get(entry.inode) is entry:
            del self._by_inode[entry.inode]
        if self._by_place.get((entry.fd, entry.inode)) is entry:
            del self._by_place[entry.fd, entry.inode]
        if self.by_fd.get(entry.fd) is entry:
            if by == "detach":
                pass  # whoever takes the descriptor next is the same socket under another object
            else:
                del self.by_fd[entry.fd]
        self.tape.note(layout.NOTE_CLOSED, entry.id, at_ns or _monotonic_ns(), by, *self.counted.pop(entry.id, ()))

    def number_of_fd(self, fd):
        """Return the number of whatever is open on a descriptor, which may be no socket; 0 where nothing is."""
        found = self.by_fd.get(fd)
        if found is not None and found.open and (found.family >= 0 or found.inode == _inode_of(fd)):
            return found.id
        try:
            inode = _fstat(fd)
        except OSError:
            return 0
        if _is_socket(inode.st_mode):
            return self._meet(fd, inode.st_ino, found).id
        if found is not None and found.open:
            self.close(found, "replaced")
        return self._new_file(fd, inode.st_ino).id

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

    def socket_on(self, fd, came_as="", source=None):
        """Return the Entry of the socket that is open on a descriptor; None where there is none, which is remembered.

        Args:
            came_as: origin of one not known yet, where that is known better than by looking.
            source: Entry that one not known yet is a copy of.
        """
        try:
            status = _fstat(fd)
        except OSError:
            return None
        found = self.by_fd.get(fd)
        if not _is_socket(status.st_mode):
            if found is not None and found.open and found.family >= 0:
                self.close(found, "replaced")
            self.files.add(fd)
            return None
        if found is not None and found.open and found.inode == status.st_ino and not came_as and source is None:
            return found
        return self._meet(fd, status.st_ino, found, came_as, source)

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
        found = self.by_fd.get(fd)
        if found is None:
            return None
        if found.family < 0:
            self.leave_number(fd)
            return None
        if found.inode != _inode_of(fd):
            if found.open:
                self.close(found, "replaced")
            return None
        del self.by_fd[fd]
        return found

    def _new_file(self, fd, inode):
        """Note a descriptor that is no socket: an epoll, an eventfd, a pipe, a file."""
        try:
            target = _readlink("/proc/self/fd/%d" % fd)
        except OSError:
            target = ""
        kind = _FILE_KINDS.get(target) or ("pipe" if target.startswith("pipe:") else "other")
        entry = self._new(fd, inode, -1, 0, "poller" if kind == "epoll" else "other", "", "", 0)
        self.by_fd[fd] = entry
        self.tape.note(layout.NOTE_SOCKET, entry.id, fd, kind, "", "", entry.role, "", "", 0, "created", "", 0, 0, _monotonic_ns(), 0)
        return entry

    def fd_of(self, watched):
        """Return the descriptor of an object given to select, -1 where asking could run code of the program."""
        if isinstance(watched, _Socket):
            return _fileno(watched)
        method = getattr(type(watched), "fileno", None)
        if isinstance(method, type(_Socket.fileno)):
            return watched.fileno()
        return -1

    def knows(self, fd):
        """Say whether something open on a descriptor was met before."""
        found = self.by_fd.get(fd)
        return found is not None and found.open

    def leave_number(self, fd):
        """Note that a descriptor which is no socket is about to be closed."""
        found = self.by_fd.get(fd)
        if found is not None and found.open and found.family < 0:
            self.close(found, "close")

    def address(self, family, address):
        """Return the number of an address named in a call, 0 for none."""
        text = address_text(family, address)
        if not text:
            return 0
        number = self._addresses.get(text)
        if number is None:
            if len(self._addresses) >= _MOST_ADDRESSES:
                self._addresses.clear()
            number = self._next_address()
            self.tape.note(layout.NOTE_ADDRESS, number, text)
            self._addresses[text] = number
        return number

    def _ask(self, method, sock, family):
        try:
            return address_text(family, method(sock))
        except OSError:
            return ""


def _role(sock, family, type_, local, peer):
    if type_ not in (_STREAM, _SEQPACKET):
        return "datagram" if type_ == _DGRAM else "other"
    try:
        if _getsockopt(sock, _socket.SOL_SOCKET, _SO_ACCEPTCONN):
            return "listener"
    except OSError:
        pass
    if peer:
        return "connected"
    if family == _UNIX and not local:
        try:
            _getpeername(sock)
        except OSError:
            return "other"
        return "pair"
    return "other"
