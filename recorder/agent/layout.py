"""The tape's binary layout: what the agent writes and the drain reads.

Owns every offset, size and code on the tape. Knows neither side. Little-endian throughout.

A process' tape is a set of files NAME.head, NAME.c000000, NAME.c000001, ... (calls) and
NAME.n000000, ... (notes) in the tape directory, or in its spill directory where that was full.

Slot of a calls segment, 96 bytes, one per call:

    offset type field        written  meaning
         0 u32  thread       open     the process' own number of the thread, from 1
         4 u32  socket       open     the process' own number of the socket, from 1; 0: none
         8 i64  started_ns   open     CLOCK_MONOTONIC
        16 i64  asked        open     NOTHING: does not apply
        24 i64  timeout_ns   open     -1: may block for ever
        32 i64  parent       open     number of the slot it ran inside + 1; 0: none
        40 u32  site         open     0: not known
        44 u32  flags        open     MSG_* bits, or level << 16 | option
        48 u32  peer         either   0: none
        52 u16  operation    open     OPERATIONS
        54 u16  -
        56 i64  duration_ns  done
        64 i64  result       done     NOTHING: none
        72 i64  ready_ns     done     CLOCK_MONOTONIC; 0: not known
        80 i32  errno        done     0: none
        84 u16  outcome      done     OUTCOMES
        86 u16  ready_source done     0: none
        88 u32  -
        92 u32  state        last     0 empty, 1 open (the call runs), 2 complete, 3 void (no call)

The state word ends the slot so that one write of open or done fields, made in order, ends with it.

Cell of a notes segment, 128 bytes: two lines of the processor's cache hold most payloads. A note longer than one
cell takes several, not always in a row:

         0 u16  kind         NOTE_*
         2 u16  -
         4 u32  part         0, 1, 2, ...
         8 u32  total_bytes  of the whole note
        12 u32  -
        16 i64  key          slot number (payload) or the process' own number of what it describes
        24 u64  serial       number of the note's first cell
        32 92s  data
       124 u32  state        0 empty, 2 complete

Head, 4096 bytes, then `text_bytes` of text: strings in UTF-8, each ended by NUL:

         0 8s   magic
         8 u32  version
        12 u32  pid
        16 u32  parent_pid
        20 u32  text_bytes
        24 i64  started_ns   CLOCK_MONOTONIC
        32 i64  realtime_ns  CLOCK_REALTIME at the same moment
        40 i64  cost_ns      of recording one call; 0: not measured
        48 u64  calls_lost   calls made that found no place on the tape
        56 u32  faults       errors inside the agent that it swallowed
        60 u32  forked       1: a fork, the head was written at its first call
        64 u32  failed_calls   how many calls segments could not be had
        68 u32  failed_notes   the same for notes
        72 ...  FAILED_MAX u32 numbers of failed calls segments, then as many of notes segments
      3672 ...  RETIRED_MAX u32 numbers + 1 of calls segments that are full and that nothing in the process refers to, 0: none.
                The recorder may give the memory of their files back under a later number
      4080 u32  calls_front  the newest calls segment that was taken + 1; 0: none. The recorder makes those behind it
      4084 u32  notes_front  the same for notes
      4088 u32  -
      4092 u32  stop         written by the recorder. 1: nobody reads any more, take no new segment
"""

from _struct import Struct  # not `struct`: a program may have a module of that name, and imports it after us

VERSION = 1
MAGIC = b"SKTAPE\x00\x01"

NOTHING = -(2**63)

SLOT_BYTES = 96
SLOT_BITS = 13
SLOTS = 1 << SLOT_BITS
SLOT_OPEN = Struct("<IIqqqqIIIH38xI")
SLOT_DONE_AT = 56
SLOT_DONE = Struct("<qqqiHH4xI")
SLOT_PEER_AT = 48
SLOT_STATE_AT = 92
SLOT_FIELDS = "IIqqqqIIIH2xqqqiHH4xI"

CELL_BYTES = 128
CELL_BITS = 12
CELLS = 1 << CELL_BITS
CELL_DATA_BYTES = CELL_BYTES - 36
CELL = Struct("<H2xII4xqQ%dsI" % CELL_DATA_BYTES)

HEAD_BYTES = 4096
HEAD = Struct("<8sIIIIqqqQIIII")
HEAD_LOST_AT = 48
HEAD_FAULTS_AT = 56
HEAD_FAILED_AT = {"c": 64, "n": 68}
HEAD_FAILED_LIST_AT = {"c": 72, "n": 72 + 4 * 450}
FAILED_MAX = 450
HEAD_RETIRED_AT = 3672
RETIRED_MAX = 12
HEAD_FRONT_AT = {"c": 4080, "n": 4084}
HEAD_STOP_AT = 4092

SEGMENT_BYTES = {"c": SLOT_BYTES * SLOTS, "n": CELL_BYTES * CELLS}

OPEN = 1
COMPLETE = 2
VOID = 3

NOTE_THREAD = 1  # key: thread. native_id, name
NOTE_SOCKET = 2  # key: socket. SOCKET_FIELDS
NOTE_SOCKET_IS = 3  # key: socket. field, value, field, value, ...
NOTE_CLOSED = 4  # key: socket. monotonic ns, closed_by; of a TCP connection also bytes received, sent, unread (see kernel.py)
NOTE_SITE = 5  # key: site. file, line, function, source text where the file is none
NOTE_ADDRESS = 6  # key: address. text
NOTE_PAYLOAD = 7  # key: slot number. size in decimal, NUL, raw bytes
NOTE_CHILD = 8  # key: pid. started_by, why_not, command...
NOTE_BLIND = 9  # key: 0. sentence
NOTE_READINESS = 10  # key: slot number. socket, interest, events (-1: none), and so on, three for each socket
NOTE_PAIR = 12  # key: socket. the socket at its other end, where socketpair made both
NOTE_OVER_MEMORY = 20  # key: socket. slot number of a receive whose bytes were given to TLS in memory: it has this socket's from now on
NOTE_EXTENSION = 24  # key: 0. full name of a C extension module from outside the standard library
NOTE_SIGNAL = 11  # key: delivery. SIGNAL_FIELDS; or, when its handler has returned or raised, monotonic ns alone
NOTE_LINK = 25  # key: slot number. slot number that it goes with, kind of the link

SOCKET_FIELDS = (
    "fd",
    "kind",
    "family",
    "type",
    "role",
    "local",
    "peer",
    "parent",
    "origin",
    "origin_tape",
    "origin_socket",
    "internal",
    "opened_ns",
    "inode",
)

SIGNAL_FIELDS = (
    "thread",
    "signal",
    "via",
    "started_ns",
    "ended_ns",  # -1: its handler runs
    "during",  # number of the slot it came in + 1; 0: none
    "socket",  # 0: not known
    "armed",  # sockets that may have sent it, where that is not known: numbers with commas between
)

OPERATIONS = {
    "accept": 1,
    "recv": 2,
    "recv_into": 3,
    "recvfrom": 4,
    "recvfrom_into": 5,
    "recvmsg": 6,
    "recvmsg_into": 7,
    "send": 8,
    "sendall": 9,
    "sendto": 10,
    "sendmsg": 11,
    "sendfile": 12,
    "connect": 13,
    "connect_ex": 14,
    "bind": 15,
    "listen": 16,
    "shutdown": 17,
    "close": 18,
    "detach": 19,
    "setblocking": 20,
    "settimeout": 21,
    "setsockopt": 22,
    "select": 23,
    "poll": 24,
    "epoll_wait": 25,
    "register": 26,
    "modify": 27,
    "unregister": 28,
    "read": 40,
    "write": 41,
    "readv": 42,
    "writev": 43,
    "splice": 44,
    "tls_recv": 50,
    "tls_send": 51,
    "do_handshake": 52,
    "unwrap": 53,
    "tls_read": 54,
    "tls_write": 55,
    "sigwait": 60,
    "sigwaitinfo": 61,
    "sigtimedwait": 62,
    "pause": 63,
    "fcntl": 65,
    "ring_submit": 70,
    "ring_wait": 71,
    "ring_accept": 72,
    "ring_recv": 73,
    "ring_send": 74,
    "ring_connect": 75,
    "ring_close": 76,
    "ring_shutdown": 77,
    "ring_poll": 78,
    "ring_other": 79,
}

OUTCOMES = {
    "would_block": 1,  # the commonest by far in a spin: SQLite keeps a 1 in no byte at all
    "ok": 2,
    "in_progress": 3,
    "eof": 4,
    "timeout": 5,
    "want_read": 6,
    "want_write": 7,
    "reset": 8,
    "broken_pipe": 9,
    "refused": 10,
    "aborted": 11,
    "interrupted": 12,
    "cancelled": 13,
    "error": 14,
}
