"""Which socket a call was made on: from the objects of the program to what is open on their descriptors.

Owns what is known of an object, which is found by its id as long as it lives, and of addresses. Knows descriptors.py,
which knows what is open on a number whoever has it.
"""

import _functools  # type: ignore[import-not-found]
import _socket
import _weakref
import itertools
import os
import sys
import time
from _struct import Struct

from . import layout
from .descriptors import Descriptors
from .entries import STREAM, UNIX, Entry, ask, inode_of, memory_entry
from .naming import address_text, timeout_to_ns
from .raised import pass_on

_fstat, _get_blocking = os.fstat, os.get_blocking
_Socket = _socket.socket
_fileno, _gettimeout, _getsockname, _getpeername = _Socket.fileno, _Socket.gettimeout, _Socket.getsockname, _Socket.getpeername
_family, _type = _Socket.family.__get__, _Socket.type.__get__
_ref, _finalizing = _weakref.ref, sys.is_finalizing
_partial = _functools.partial
_TIME = Struct("<q")
_MOST_ADDRESSES = 100_000


# An object is gone: no place to run a line of Python, in which a signal handler of the program could come in. What it raised would
# be printed as ignored, as an error of ours, and lost. So what is called then is made of C only, and the rest is done by the next hook.


class _End(_weakref.ref):
    # When its object goes it is put on a list.
    __slots__ = ("at", "entry", "others")


class _Moment(_weakref.ref):
    # When its object goes it is packed as a number: the time, since that is what it is asked for.
    __slots__ = ()
    __index__ = time.monotonic_ns


class Sockets(Descriptors):
    """The sockets of one process.

    Args:
        core: the C core, which keeps entries of its own; or None.
        The others are those of Descriptors.
    """

    def __init__(self, tape, inherited=None, entry_type=Entry, core=None, files=None, arrivals=None):
        super().__init__(tape, inherited, entry_type, files, arrivals)
        self._core = core
        self.entries = {}  # id of object -> Entry
        self._addresses = {}
        self._next_address = itertools.count(1).__next__
        if core is not None:
            core.share(
                by_fd=self.by_fd,
                by_inode=self._by_inode,
                by_place=self._by_place,
                counted=self.counted,
                files=self.files,
                next_socket=self._next,
                name_unbound=self.name_unbound,
                number_of_fd=self.number_of_fd,
                raw_type=_Socket,
                raw_fileno=_fileno,
                raw_gettimeout=_gettimeout,
            )
            core.look_from(self.look_from)

    def look(self, fd):
        """Look how near to its limit a descriptor is; the C core asks from the same number on."""
        super().look(fd)
        if self._core is not None:
            self._core.look_from(self.look_from)

    def entry_of(self, sock):
        """Return the Entry of an object, whether it was met before or not."""
        return (self.entries.get(id(sock)) if self._core is None else self._core.entry(id(sock))) or self.identify(sock)

    def identify(self, sock):
        """Return the Entry of an object met for the first time."""
        if self.ended:
            self.bury()
        if not isinstance(sock, _Socket):
            return self._remember(sock, memory_entry(self._entry_type))
        fd = _fileno(sock)
        if fd < 0:
            return self._closed_entry(sock)
        inode = inode_of(fd)
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

    def _closed_entry(self, sock):
        entry = memory_entry(self._entry_type)
        entry.stream = _type(sock) == STREAM
        entry.family = _family(sock)
        entry.timeout_ns = timeout_to_ns(_gettimeout(sock))
        entry.memory = False
        if self._arrivals is not None and _fileno(sock) >= 0:
            entry.stamped = self._arrivals.stamp(sock, entry.family, _type(sock), _fileno(sock))
        return entry

    def _remember(self, sock, entry):
        if self._core is not None and entry.ref is None:
            self._core.adopt(sock, entry)
            return entry
        key = id(sock)
        end = self._watched(sock, key, entry) if self._core is None else self._watched_by_core(sock, key, entry)
        entry.ref = end if entry.ref is None else (entry.ref, end)
        self.entries[key] = entry
        if self._core is not None:
            self._core.remember(sock, entry)
        return entry

    def _watched(self, sock, key, entry):
        end = _End(sock, self.ended.append)
        end.entry, end.at = entry, bytearray(_TIME.size)
        end.others = _ref(sock, _partial(self.entries.pop, key)), _Moment(sock, _partial(_TIME.pack_into, end.at, 0))
        return end

    def _watched_by_core(self, sock, key, entry):
        def gone(_, owner=self, core=self._core):
            owner.entries.pop(key, None)
            if owner.tape is not None:
                core.forget(key)
            if entry.open and owner.tape is not None and not _finalizing():
                owner.close(entry, "collected")

        return _ref(sock, _partial(self._core.at_the_end, gone))

    def bury(self):
        """Note the sockets whose objects have gone since somebody came here."""
        for end in list(self.ended):
            entry = end.entry
            if entry.open and self.tape is not None:
                self.close(entry, "collected", _TIME.unpack(end.at)[0])
            try:
                self.ended.remove(end)
            except ValueError as error:  # another thread was here, too
                pass_on(error)

    def hand_over(self, entry, sock):
        """Part an object from its socket, which lives on under another object that has the descriptor already."""
        entry.ref = None  # and with it what would have closed the socket when the object goes
        self.entries.pop(id(sock), None)
        if self._core is not None:
            self._core.forget(id(sock))

    def keep_unnoted(self, sock):
        """Remember a socket of our own, which nobody is told of; it must live as long as we do."""
        entry = self.entries[id(sock)] = self._closed_entry(sock)
        if self._core is not None:
            self._core.remember(sock, entry)

    def accepted(self, listener, fd, address, sock, at_ns):
        """Note the socket that an accept on `sock` has just returned; its object comes later.

        Returns:
            Its Entry.
        """
        if self.ended:
            self.bury()
        type_ = _type(sock)
        before = self.by_fd.get(fd)
        if before is not None and before.open:
            self.close(before, "collected" if before.waiting else "replaced")
        inode = _fstat(fd).st_ino
        peer = address_text(listener.family, address) or ("unix:" if listener.family == UNIX else "")
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
        local = ask(_getsockname, sock, entry.family)
        if local != entry.local:
            entry.local = local
            self.tape.note(layout.NOTE_SOCKET_IS, entry.id, "local", local)

    def refresh(self, entry, sock, role="", peer=None):
        """Note what bind, listen or connect changed; `peer` is the address of one that cannot be asked for it yet."""
        changes = []
        local = ask(_getsockname, sock, entry.family)
        peer = ask(_getpeername, sock, entry.family) or address_text(entry.family, peer)
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

    def timeout_ns(self, sock, fd):
        """Return how long a call may wait: O_NONBLOCK set behind Python's back counts as 0."""
        seconds = _gettimeout(sock)
        if seconds is None and fd >= 0:
            try:
                return -1 if _get_blocking(fd) else 0
            except OSError as error:
                pass_on(error)
                return -1  # another thread has closed it: the call that fails for it is a call all the same
        return timeout_to_ns(seconds)

    def pair(self, one, other):
        """Note the two ends of a socket pair."""
        self.tape.note(layout.NOTE_PAIR, self.identify(one).id, self.identify(other).id)

    def fd_of(self, watched):
        """Return the descriptor of an object given to select, -1 where asking could run code of the program."""
        if isinstance(watched, _Socket):
            return _fileno(watched)
        method = getattr(type(watched), "fileno", None)
        if isinstance(method, type(_Socket.fileno)):
            return watched.fileno()
        return -1

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
