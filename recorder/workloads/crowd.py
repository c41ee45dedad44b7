"""The parent's handle on a workload's clients, which run in a process of their own (clients.py).

Owns that process: its start, its end, the two pipes, and the words spoken through them. Never
blocks, so that a recorder's loop can hold it; only `stop` waits, and not for long. Knows nothing of
traces: exchanges are handed on as the clients saw them.
"""

from __future__ import annotations

import base64
import json
import os
import re
import select
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from .workload import Group, Message, Workload, WorkloadError

CLIENTS_SCRIPT = Path(__file__).with_name("clients.py")
STOP_TIMEOUT_S, STOP_EACH_S = 3.0, 0.002
_READ_BYTES = 1 << 20
_KEPT_STDERR_BYTES = 4096
_ADDRESS = re.compile(r"(?:\[(?P<six>[^\[\]]+)\]|(?P<host>[^:\[\]]*)):(?P<port>[0-9]{1,5})", re.ASCII)


@dataclass(frozen=True)
class Exchange:
    """One message and its answer as a client saw them; times are absolute CLOCK_MONOTONIC nanoseconds.

    n: 1 for a client's first; 0: it said nothing, or never connected.
    local_port: the client's own, None over AF_UNIX.
    connected_ns, sent_ns, answered_ns: connection made, first byte handed to the kernel, last byte
        read; None: it did not come to that.
    result: ok, wrong (another answer), none (no or not the whole answer), refused, reset.
    """

    client: str
    n: int
    local_port: int | None
    connected_ns: int | None
    sent_ns: int | None
    answered_ns: int | None
    sent_bytes: int
    answered_bytes: int
    result: str


class Crowd:
    """The clients of one workload, in a process started at once; they begin at `connect`.

    Args:
        workload: what they do.
        allow_remote: whether the server may be on another machine.

    Raises:
        WorkloadError: no process could be started for them.

    `server_first`: whether the server is to end before those who stay leave; `over`: only those are left who stay till then;
    `finished`: all is over and nothing more will come; `error`: why they could not play it, in one
    line; `ended_ns`: when they ended.
    """

    def __init__(self, workload: Workload, allow_remote: bool = False) -> None:
        self.finished = self.over = False
        self.server_first = workload.server_first
        self._patience_s = STOP_TIMEOUT_S + workload.clients * STOP_EACH_S
        self.error: str | None = None
        self.ended_ns: int | None = None
        self._connected = self._done = self._stopping = False
        self._rows: list[Exchange] = []
        self._outgoing = bytearray(json.dumps(_spec(workload, allow_remote)).encode() + b"\n")
        self._incoming = bytearray()
        self._stderr = bytearray()
        # A session of its own: Ctrl-C at the terminal is for the recorded program.
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-I", str(CLIENTS_SCRIPT)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=0,
                start_new_session=True,
            )
        except OSError as error:
            raise WorkloadError(f"the clients of {workload.name} could not be started: {error}") from error
        assert self._process.stdin and self._process.stdout and self._process.stderr
        self._stdin, self._stdout, self._errors = self._process.stdin, self._process.stdout, self._process.stderr
        for pipe in (self._stdin, self._stdout, self._errors):
            os.set_blocking(pipe.fileno(), False)
        self._flush()

    def __enter__(self) -> Crowd:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """The process the clients live in."""
        return self._process.pid

    def connect(self, family: str, address_text: str) -> None:
        """Let the clients begin; the second call and later ones change nothing.

        Args:
            family: AF_INET, AF_INET6 or AF_UNIX.
            address_text: the server's address as a trace writes it: "127.0.0.1:8000", "[::1]:8000",
                "unix:/path", "unix:@abstract". Where it is none, or not of this machine, `error` says so.
        """
        if self._connected or self.finished:
            return
        self._connected = True
        address = _address(family, address_text)
        if address is None:
            self._fail(f"clients cannot connect to {address_text!r} ({family})")
            return
        self._outgoing += json.dumps(address).encode() + b"\n"
        self._flush()

    def poll(self) -> list[Exchange]:
        """Return the exchanges that became known since the last poll; never waits."""
        if not self.finished:
            self._flush()
            self._receive()
        rows, self._rows = self._rows, []
        return rows

    def fileno(self) -> int:
        """Return a descriptor that is readable when `poll` has something to return; -1 once finished."""
        return -1 if self._stdout.closed else self._stdout.fileno()

    def stop(self, timeout_s: float | None = None) -> None:
        """End the clients; what they still report is returned by the next `poll`.

        Args:
            timeout_s: how long they may take over it before they are killed; None: as long as so many may need.
        """
        if self.finished:
            return
        self._stopping = True
        timeout_s = self._patience_s if timeout_s is None else timeout_s
        self._process.terminate()
        deadline_s = time.monotonic() + timeout_s
        something = select.poll()
        something.register(self._stdout, select.POLLIN)
        while not self.finished and (left_s := deadline_s - time.monotonic()) > 0:
            # Reading goes on: they could not end while nobody takes what they have to say.
            something.poll(left_s * 1e3)
            self._receive()
        if not self.finished:
            self._fail(f"the clients did not end within {timeout_s:g} s and were killed")

    def _fail(self, complaint: str) -> None:
        self.error = self.error or complaint
        self._process.kill()
        self._end()

    def _end(self) -> None:
        """Close the pipes and take leave of the process, whose end of them is closed already."""
        self.finished = True
        for pipe in (self._stdin, self._stdout, self._errors):
            pipe.close()
        self._process.wait()

    def _flush(self) -> None:
        """Write what the pipe takes of what is to be said."""
        try:
            while self._outgoing:
                del self._outgoing[: os.write(self._stdin.fileno(), self._outgoing[:65536])]
        except BlockingIOError:
            pass
        except BrokenPipeError:  # they have ended: their stdout tells how
            self._outgoing.clear()

    def _receive(self) -> None:
        """Take in what the clients have written, and notice their end."""
        self._stderr += _read(self._errors.fileno()) or b""
        del self._stderr[:-_KEPT_STDERR_BYTES]
        chunk = _read(self._stdout.fileno())
        if chunk is None:
            return
        start = len(self._incoming)
        self._incoming += chunk
        if b"\n" in chunk:
            end = self._incoming.rindex(b"\n", start) + 1
            lines = bytes(self._incoming[:end]).splitlines()
            del self._incoming[:end]
            for line in lines:
                self._take(json.loads(line))
        if chunk:
            return
        if not self._done and not self._stopping:
            self._stderr += _read(self._errors.fileno()) or b""
            last = self._stderr.decode(errors="replace").strip().splitlines()[-1:]
            self.error = self.error or f"the clients' process ended early: {last[0] if last else 'it was killed'}"
        self._end()

    def _take(self, row: dict[str, Any]) -> None:
        if "error" in row:
            self.error = self.error or str(row["error"])
        elif "over" in row:
            self.over = True
        elif "done" in row:
            self.ended_ns = row["ended_ns"]
            self._done = True
        else:
            self._rows.append(Exchange(**row))


def _read(descriptor: int) -> bytes | None:
    """Return what there is to read, empty at the end, None if there is nothing just now."""
    try:
        return os.read(descriptor, _READ_BYTES)
    except BlockingIOError:
        return None


def _address(family: str, text: str) -> dict[str, Any] | None:
    """Take the address of a trace apart; None if it is not one that can be connected to."""
    if family == "AF_UNIX":
        path = text.removeprefix("unix:")
        return {"family": family, "path": path} if path != text and path else None
    match = _ADDRESS.fullmatch(text)
    if match is None or family not in ("AF_INET", "AF_INET6"):
        return None
    return {"family": family, "host": match["six"] or match["host"] or "", "port": int(match["port"])}


def _spec(workload: Workload, allow_remote: bool) -> dict[str, Any]:
    """Return a workload in the words of clients.py (its docstring draws them)."""
    groups = [_group_spec(group) for group in workload.groups]
    return {
        "limit_ns": workload.limit_ns,
        "allow_remote": allow_remote,
        "most_waiting": workload.most_waiting,
        "server_first": workload.server_first,
        "groups": groups,
    }


def _group_spec(group: Group) -> dict[str, Any]:
    return {
        "name": group.name,
        "count": group.count,
        "connect_ns": group.connect_ns,
        "stagger_ns": group.stagger_ns,
        "leave": group.leave,
        "leave_after_ns": group.leave_after_ns,
        "timeout_ns": group.timeout_ns,
        "messages": [_message_spec(message) for message in group.messages],
    }


def _message_spec(message: Message) -> dict[str, Any]:
    return {
        "pattern": base64.b64encode(message.payload.pattern).decode(),
        "size": message.payload.size_bytes,
        "at_ns": message.at_ns,
        "after_ns": message.after_ns,
        "repeat": message.repeat,
        "every_ns": message.every_ns,
        "for_ns": message.for_ns,
        "piece": message.piece_bytes,
        "piece_every_ns": message.piece_every_ns,
        "expect": message.expect.kind,
        "literal": base64.b64encode(message.expect.literal).decode(),
        "timeout_ns": message.timeout_ns,
    }
