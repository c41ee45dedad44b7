"""One client of a workload: connects, works through its script, leaves, reports.

Owns what a client does at each moment, and which result an exchange has. Standard library only,
for clients.py, which loads it by path. Knows nothing of the other clients, nor of how a row is
written: its stage does that.
"""

from __future__ import annotations

import base64
import errno
import selectors
import socket
import struct
import time
from collections.abc import Callable
from typing import Any, Protocol

READ_BYTES = 1 << 18
WRITE_BYTES = 1 << 18
BACKLOG_RETRY_NS = 10_000_000
DRAIN_READS = 256
RESET_ERRNOS = (errno.ECONNRESET, errno.ECONNABORTED, errno.EPIPE)

Address = tuple[str, int] | str | bytes


class Stage(Protocol):
    """What a client asks of whoever runs it."""

    family: socket.AddressFamily
    address: Address
    started_ns: int
    selector: selectors.BaseSelector

    def timer(self, due_ns: int, client: Client, action: Callable[[], None]) -> int:
        """Arrange for an action of a client; return the number it is known by."""

    def row(self, client: Client, exchange: Exchange | None, result: str) -> None:
        """Write one exchange's row; no exchange: nothing was said."""

    def complain(self, text: str) -> None:
        """Write one line of complaint."""

    def settled(self) -> None:
        """Note that a client has nothing left to do but stay."""

    def left(self, client: Client) -> None:
        """Note that a client is gone."""


class Message:
    """One thing to say, and the answer it should get; shared by all clients of a group."""

    def __init__(self, spec: dict[str, Any]) -> None:
        pattern, size = base64.b64decode(spec["pattern"]), spec["size"]
        self.data = (pattern * (size // len(pattern) + 1))[:size]
        self.at_ns: int | None = spec["at_ns"]
        self.after_ns: int = spec["after_ns"]
        self.repeat: int = spec["repeat"]
        self.every_ns: int = spec["every_ns"]
        self.for_ns: int | None = spec.get("for_ns")
        self.piece: int = spec["piece"]
        self.piece_every_ns: int = spec["piece_every_ns"]
        self.timeout_ns: int | None = spec["timeout_ns"]
        self.expect: str = spec["expect"]
        self.answer = {"upper": self.data.upper(), "literal": base64.b64decode(spec["literal"])}.get(self.expect, b"")
        self.least = {"any": 1, "none": 0}.get(self.expect, len(self.answer))


class Script:
    """What the clients of one group do."""

    def __init__(self, spec: dict[str, Any]) -> None:
        self.messages = [Message(each) for each in spec["messages"]]
        self.leave: str = spec["leave"]
        self.leave_after_ns: int = spec["leave_after_ns"]
        self.timeout_ns: int | None = spec["timeout_ns"]


class Exchange:
    """One message under way: what has been sent and answered so far."""

    __slots__ = ("answered_bytes", "answered_ns", "begun_ns", "message", "over", "reported", "sent_bytes", "sent_ns", "wrong")

    def __init__(self, message: Message, begun_ns: int) -> None:
        self.message = message
        self.begun_ns = begun_ns
        self.sent_ns: int | None = None
        self.answered_ns: int | None = None
        self.sent_bytes = 0
        self.answered_bytes = 0
        self.wrong = False
        self.over = False  # answered, or given up
        self.reported = False  # its row is written: what comes now comes too late

    @property
    def said(self) -> bool:
        return self.sent_bytes == len(self.message.data)

    def take(self, chunk: bytes, now_ns: int) -> None:
        """Count bytes of the answer, and compare them with what should come."""
        start, message = self.answered_bytes, self.message
        self.answered_bytes += len(chunk)
        self.answered_ns = now_ns
        known = message.expect in ("upper", "literal")
        if message.expect == "none" or (known and message.answer[start : self.answered_bytes] != chunk):
            self.wrong = True

    def owed(self) -> int:
        """Return how many bytes of a known answer may still come after it was given up."""
        return 0 if self.wrong else max(0, len(self.message.answer) - self.answered_bytes)

    def result(self, why: str) -> str:
        """Return what came of it; `why` is what ended it where it is not over."""
        if why == "reset" and not self.over:
            return "reset"
        return "wrong" if self.wrong else "ok" if self.over else "none"


class Client:
    """One client: connects, works through its script, leaves."""

    __slots__ = (
        "closed", "connected_ns", "deadline_seq", "exchange", "first_begun_ns", "local_port", "n", "name", "owed", "repetition", "script",
        "shut", "sock", "stage", "staying", "step", "wake_seq", "watched",
    )  # fmt: skip

    def __init__(self, stage: Stage, name: str, script: Script) -> None:
        self.stage = stage
        self.name = name
        self.script = script
        self.sock: socket.socket | None = None
        self.local_port: int | None = None
        self.connected_ns: int | None = None
        self.exchange: Exchange | None = None  # under way, or over and not yet reported
        self.n = 0
        self.step = self.repetition = 0  # of the message that comes next
        self.first_begun_ns = 0  # when the first repetition of the present message was begun
        self.owed = 0  # bytes of answers given up that may still come, before any later answer
        self.wake_seq = self.deadline_seq = self.watched = 0
        self.shut = self.staying = self.closed = False

    # --- connecting

    def connect(self) -> None:
        """Ask for a connection."""
        try:
            self.sock = socket.socket(self.stage.family, socket.SOCK_STREAM)
        except OSError as error:
            self.stage.complain(f"no socket for {self.name}: {error.strerror}")
            self.end("refused")
            return
        self.sock.setblocking(False)
        if self.stage.family != socket.AF_UNIX:
            # Otherwise the kernel joins the pieces of a trickle while it waits for acknowledgements.
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.try_connect()

    def try_connect(self) -> None:
        """Take connecting one step on; over loopback it is done at the second look."""
        assert self.sock is not None
        try:
            code = self.sock.connect_ex(self.stage.address)
            if code == errno.EINPROGRESS:
                code = self.sock.connect_ex(self.stage.address)
        except OSError as error:  # a name that is too long, for one
            code = error.errno or errno.EINVAL
        if code in (0, errno.EISCONN):
            self.connected()
        elif code in (errno.EINPROGRESS, errno.EALREADY):
            self.watch(selectors.EVENT_WRITE)
        elif code == errno.EAGAIN:  # AF_UNIX: the listener's queue is full, and nothing tells when it no longer is
            self.wake(time.monotonic_ns() + BACKLOG_RETRY_NS, self.try_connect)
        else:
            self.end("reset" if code in RESET_ERRNOS else "none" if code == errno.ETIMEDOUT else "refused")

    def connected(self) -> None:
        """Begin with the script."""
        assert self.sock is not None
        self.connected_ns = time.monotonic_ns()
        if self.stage.family != socket.AF_UNIX:
            try:
                own, other = self.sock.getsockname(), self.sock.getpeername()
            except OSError:  # reset between two calls
                self.end("reset")
                return
            if own == other:  # nobody listens, and the kernel chose the very port that was asked for
                self.end("refused")
                return
            self.local_port = own[1]
        self.watch(selectors.EVENT_READ)
        self.go_on(self.connected_ns)

    # --- the script

    def go_on(self, now_ns: int) -> None:
        """Arrange for what comes next: another message, or leaving."""
        messages = self.script.messages
        if self.step == len(messages):
            self.wind_up(now_ns)
            return
        message = messages[self.step]
        if self.repetition:
            assert self.exchange is not None
            due_ns = self.exchange.begun_ns + message.every_ns
        else:
            due_ns = now_ns + message.after_ns if message.at_ns is None else self.stage.started_ns + message.at_ns
        self.wake(max(due_ns, now_ns), self.begin)

    def begin(self) -> None:
        """Begin to say the next message."""
        self.report()
        message = self.script.messages[self.step]
        now_ns = time.monotonic_ns()
        if not self.repetition:
            self.first_begun_ns = now_ns
        self.repetition += 1
        if self.repetition == message.repeat or (message.for_ns is not None and now_ns >= self.first_begun_ns + message.for_ns):
            self.step, self.repetition = self.step + 1, 0
        self.n += 1
        self.exchange = Exchange(message, now_ns)
        if message.timeout_ns is not None:
            self.deadline(self.exchange.begun_ns + message.timeout_ns)
        self.write()

    def write(self) -> None:
        """Hand the kernel as much of the message as it takes, and the script allows."""
        exchange = self.exchange
        assert exchange is not None and self.sock is not None
        message = exchange.message
        step = message.piece or WRITE_BYTES
        until = (exchange.sent_bytes // step + 1) * step
        now_ns = time.monotonic_ns()
        try:
            taken = self.sock.send(message.data[exchange.sent_bytes : until])
        except (BlockingIOError, InterruptedError):
            taken = 0
        except OSError:
            self.end("reset")
            return
        if taken and exchange.sent_ns is None:
            exchange.sent_ns = now_ns
        exchange.sent_bytes += taken
        if exchange.said:
            self.watch(selectors.EVENT_READ)
            if self.step == len(self.script.messages) and self.script.leave == "half-close":
                self.wake(time.monotonic_ns() + self.script.leave_after_ns, self.half_close)
            self.settle()
        elif message.piece and exchange.sent_bytes == until:
            self.watch(selectors.EVENT_READ)
            self.wake(exchange.begun_ns + exchange.sent_bytes // step * message.piece_every_ns, self.write)
        else:
            self.watch(selectors.EVENT_READ | selectors.EVENT_WRITE)

    def read(self) -> bool:
        """Read what has come; False if there is nothing more to read now, or ever."""
        assert self.sock is not None
        try:
            chunk = self.sock.recv(READ_BYTES)
        except (BlockingIOError, InterruptedError):
            return False
        except OSError:
            self.end("reset")
            return False
        if not chunk:
            self.end("none")
            return False
        now_ns = time.monotonic_ns()
        late = min(self.owed, len(chunk))
        self.owed -= late
        # What comes before the first message is a greeting, not an answer.
        if len(chunk) > late and self.exchange is not None and not self.exchange.reported:
            self.exchange.take(chunk[late:], now_ns)
            self.settle()
        return True

    def settle(self) -> None:
        """See whether the exchange under way is over; if so, go on."""
        exchange = self.exchange
        assert exchange is not None
        if exchange.over or not exchange.said or exchange.answered_bytes < exchange.message.least:
            return
        exchange.over = True
        self.deadline(None)
        self.go_on(time.monotonic_ns())

    def expired(self) -> None:
        """Give up the exchange under way, or reading to the end."""
        exchange = self.exchange
        if exchange is None or exchange.over or not exchange.said:
            # A message that is half out cannot be taken back: whatever followed would be part of it.
            self.end("none")
            return
        self.owed += exchange.owed()
        self.report()
        exchange.over = True
        self.go_on(time.monotonic_ns())

    # --- leaving

    def wind_up(self, now_ns: int) -> None:
        """Arrange for leaving, now that everything is said."""
        if self.script.leave == "stay":
            self.staying = True
            self.stage.settled()
        elif self.script.leave != "half-close":
            self.wake(now_ns + self.script.leave_after_ns, self.end)
        elif self.shut:
            self.read_to_the_end()
        elif not self.script.messages:
            self.wake(now_ns + self.script.leave_after_ns, self.half_close)

    def half_close(self) -> None:
        """Tell the server that no more will be said; still listen."""
        assert self.sock is not None
        try:
            self.sock.shutdown(socket.SHUT_WR)
        except OSError:
            self.end("reset")
            return
        self.shut = True
        if self.exchange is None or self.exchange.over:
            self.read_to_the_end()

    def read_to_the_end(self) -> None:
        if self.script.timeout_ns is not None:
            self.deadline(time.monotonic_ns() + self.script.timeout_ns)

    def end(self, why: str = "ok") -> None:
        """Report what is known and close.

        Args:
            why: ok, the client leaves of itself; limit, the workload is over; none, the server left;
                reset; refused.
        """
        if why in ("ok", "limit") and self.connected_ns is not None and self.script.leave != "reset":
            # Closing on bytes that nobody has read sends a reset.
            for _ in range(DRAIN_READS):
                if self.closed or not self.read():
                    break
        if self.closed:
            return
        self.closed = True
        self.report_end(why)
        if self.sock is not None:
            self.watch(0)
            if why == "ok" and self.script.leave == "reset":
                self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.sock.close()
        self.stage.left(self)

    # --- reporting

    def report(self, why: str = "none") -> None:
        """Write the row of the latest exchange, once."""
        exchange = self.exchange
        if exchange is not None and not exchange.reported:
            exchange.reported = True
            self.stage.row(self, exchange, exchange.result(why))

    def report_end(self, why: str) -> None:
        """Write the rows that can only be known at the end."""
        talking = self.exchange is not None and not self.exchange.over
        self.report(why)
        if self.n == 0:
            silent = self.connected_ns is not None and not self.script.messages
            self.stage.row(self, None, why if why in ("reset", "refused") else "ok" if silent else "none")
        elif why in ("none", "reset") and not talking and self.step < len(self.script.messages):
            self.n += 1  # the message that would have come next found nobody to say it to
            self.stage.row(self, None, why)

    # --- the stage's services

    def watch(self, events: int) -> None:
        """Ask to be told when the socket is readable or writable; 0: no more."""
        assert self.sock is not None
        if events == self.watched:
            return
        selector = self.stage.selector
        if not events:
            selector.unregister(self.sock)
        elif self.watched:
            selector.modify(self.sock, events, self.ready)
        else:
            selector.register(self.sock, events, self.ready)
        self.watched = events

    def ready(self, events: int) -> None:
        """Handle what the selector saw."""
        if self.closed:  # by what was handled just before
            return
        if self.connected_ns is None:
            self.try_connect()
            return
        if events & selectors.EVENT_READ:
            self.read()
        if events & selectors.EVENT_WRITE and self.watched & selectors.EVENT_WRITE and not self.closed:
            self.write()

    def wake(self, due_ns: int, action: Callable[[], None]) -> None:
        """Have the next step taken at a time; replaces what was to come."""
        self.wake_seq = self.stage.timer(due_ns, self, action)

    def deadline(self, due_ns: int | None) -> None:
        """Have the exchange given up at a time; None: it is over."""
        self.deadline_seq = 0 if due_ns is None else self.stage.timer(due_ns, self, self.expired)
