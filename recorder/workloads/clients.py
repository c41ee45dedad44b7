"""Plays the clients of a workload against one server; a script of its own, run as `python -I clients.py`.

Owns the clients' sockets and their side of the story. Standard library only: it runs in a process
of its own, beside the recorder, and knows nothing of sockreel. It speaks JSON lines; times are
integer nanoseconds, absolute ones those of CLOCK_MONOTONIC.

stdin:
    1. the workload: limit_ns, allow_remote, most_waiting (or null), server_first, groups; a group: name, count (null: one client),
       connect_ns, stagger_ns, leave, leave_after_ns, timeout_ns (or null), messages; a message:
       pattern (base64), size, at_ns (or null), after_ns, repeat, every_ns, for_ns (or
       null), piece, piece_every_ns,
       expect, literal (base64), timeout_ns (or null)
    2. the address, whose arrival starts it: family (AF_INET, AF_INET6, AF_UNIX), host and port, or
       path ("@name": an abstract one)
    The end of the file ends the workload.
stdout:
    per exchange: client, n, local_port, connected_ns, sent_ns, answered_ns, sent_bytes,
       answered_bytes, result (ok, wrong, none, refused, reset)
    over (true): only those who stay are left, and wait for the server to end (where server_first)
    a complaint: error, one line that says why (some of) the workload could not be played
    last: done (true), ended_ns

A row is written when its exchange is over for good: as the next message is said, or the client
leaves; bytes that come up to then and were not asked for make it wrong. n = 0: a client that said nothing.
"""

from __future__ import annotations

import functools
import heapq
import importlib.util
import ipaddress
import json
import os
import resource
import selectors
import signal
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING or __package__:
    from ._client import Address, Client, Exchange, Script
    from ._queue import Queue
else:
    # Run by path with -I: its folder is not on sys.path, and had better not be.
    def beside(name):
        """Load a file of this folder."""
        spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    _client = beside("_client")
    Client, Script, Queue = _client.Client, _client.Script, beside("_queue").Queue

BATCH = 64  # timers handled between two looks at the sockets
SPARE_DESCRIPTORS = 16


class Stage:
    """All clients of a workload, their timers, and the way out to the parent."""

    def __init__(self) -> None:
        self.selector: selectors.BaseSelector = selectors.DefaultSelector()
        self.clients: list[Client] = []
        self.timers: list[tuple[int, int, Client, Callable[[], None]]] = []
        self.seq = 0
        self.family = socket.AddressFamily.AF_INET
        self.address: Address = ("127.0.0.1", 0)
        self.started_ns = 0
        self.end_ns = 0
        self.alive = 0
        self.busy = 0  # clients that have neither left nor settled down to stay
        self.server_first = self.told_over = self.all_stay = False
        self.over = False
        self.complained = False
        self.spec: dict[str, Any] | None = None
        self.input = bytearray()
        self.output = bytearray()

    # --- the parent

    def row(self, client: Client, exchange: Exchange | None, result: str) -> None:
        """Write one exchange's row."""
        self.say(
            client=client.name,
            n=client.n,
            local_port=client.local_port,
            connected_ns=client.connected_ns,
            sent_ns=exchange.sent_ns if exchange else None,
            answered_ns=exchange.answered_ns if exchange else None,
            sent_bytes=exchange.sent_bytes if exchange else 0,
            answered_bytes=exchange.answered_bytes if exchange else 0,
            result=result,
        )

    def complain(self, text: str) -> None:
        """Write one line of complaint: the first one only."""
        if not self.complained:
            self.complained = True
            self.say(error=text)

    def say(self, **values: Any) -> None:
        self.output += json.dumps(values).encode() + b"\n"

    def flush(self, events: int = 0) -> None:
        """Write to the parent what it takes just now: clients never wait for it."""
        try:
            while self.output:
                del self.output[: os.write(1, self.output[:65536])]
        except BlockingIOError:
            if not events and 1 not in self.selector.get_map():
                self.selector.register(1, selectors.EVENT_WRITE, self.flush)
            return
        except OSError:  # nobody reads any more
            self.output.clear()
            self.over = True
        if 1 in self.selector.get_map():
            self.selector.unregister(1)

    def hear(self, events: int) -> None:
        """Read what the parent says: the workload, the address, and at last its end."""
        heard = os.read(0, 1 << 20)
        if not heard:
            self.finish()
            return
        if self.started_ns:
            return
        start = len(self.input)
        self.input += heard
        while (newline := self.input.find(b"\n", start)) >= 0:
            line, start = bytes(self.input[:newline]), 0
            del self.input[: newline + 1]
            self.command(line)

    def command(self, line: bytes) -> None:
        """Act on one line of the parent's."""
        try:
            if self.spec is None:
                self.spec = json.loads(line)
                self.cast(self.spec)
            elif not self.started_ns and not self.over:
                self.family, self.address = server_address(json.loads(line), self.spec["allow_remote"])
                self.start(self.spec)
        except (LookupError, TypeError, AttributeError, ValueError, RecursionError) as error:
            self.complain(str(error) if isinstance(error, AddressError) else f"the clients were told nonsense: {error!r}")
            self.finish()

    # --- the play

    def cast(self, spec: dict[str, Any]) -> None:
        """Make the clients, before there is a server: what can be done now costs nothing later."""
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if soft != hard:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        for group in spec["groups"]:
            script = Script(group)
            names = [group["name"]] if group["count"] is None else [f"{group['name']}-{k + 1}" for k in range(group["count"])]
            self.clients += [Client(self, name, script) for name in names]
        if hard != resource.RLIM_INFINITY and len(self.clients) > hard - SPARE_DESCRIPTORS:
            room = max(hard - SPARE_DESCRIPTORS, 0)
            self.complain(f"{len(self.clients):,} clients: this process may have {room:,} sockets (ulimit -Hn {hard})")
            self.finish()

    def start(self, spec: dict[str, Any]) -> None:
        """Begin, now that the server's address is known."""
        self.started_ns = time.monotonic_ns()
        self.end_ns = self.started_ns + spec["limit_ns"]
        self.alive = self.busy = len(self.clients)
        self.server_first = bool(spec.get("server_first"))
        self.all_stay = all(client.script.leave == "stay" for client in self.clients)
        offsets_ns = [group["connect_ns"] + k * group["stagger_ns"] for group in spec["groups"] for k in range(group["count"] or 1)]
        if spec.get("most_waiting"):
            queue = Queue(spec["most_waiting"], self.family, self.address)
            coming = sorted(zip(offsets_ns, self.clients, strict=True), key=lambda pair: pair[0], reverse=True)
            coming[-1][1].wake(self.started_ns + coming[-1][0], functools.partial(self.admit, queue, coming, 0))
            return
        for offset_ns, client in zip(offsets_ns, self.clients, strict=True):
            client.wake(self.started_ns + offset_ns, client.connect)

    def admit(self, queue: Queue, coming: list[tuple[int, Client]], held_ns: int) -> None:
        """Let one client after the other connect, as the server takes them up.

        Args:
            queue: of those whom the server has not accepted yet.
            coming: (when, since the start; client), the next one last.
            held_ns: so much later than planned they come by now.
        """
        offset_ns, client = coming.pop()
        now_ns = time.monotonic_ns()
        hold_ns = queue.hold_ns(now_ns)
        if hold_ns:
            coming.append((offset_ns, client))
            held_ns = max(held_ns, now_ns + hold_ns - self.started_ns - offset_ns)
        else:
            client.connect()
        if coming:
            offset_ns, client = coming[-1]
            client.wake(self.started_ns + offset_ns + held_ns, functools.partial(self.admit, queue, coming, held_ns))

    def timer(self, due_ns: int, client: Client, action: Callable[[], None]) -> int:
        """Arrange for an action of a client; returns the number it is known by."""
        self.seq += 1
        heapq.heappush(self.timers, (due_ns, self.seq, client, action))
        return self.seq

    def ring(self) -> None:
        """Do what is due, but not so much that the sockets wait for long."""
        now_ns = time.monotonic_ns()
        for _ in range(BATCH):
            if not self.timers or self.timers[0][0] > now_ns:
                return
            _, seq, client, action = heapq.heappop(self.timers)
            if seq == client.wake_seq:
                client.wake_seq = 0
            elif seq == client.deadline_seq:
                client.deadline_seq = 0
            else:
                continue
            if not client.closed:
                action()

    def settled(self) -> None:
        """Note that a client has nothing left to do but stay."""
        self.busy -= 1
        self.end_if_done()

    def left(self, client: Client) -> None:
        """Note that a client is gone."""
        self.alive -= 1
        self.busy -= not client.staying
        self.end_if_done()

    def end_if_done(self) -> None:
        """End when nobody is left but clients who stay till the others have gone."""
        if self.alive and (self.busy or self.all_stay):
            return
        if not self.alive or not self.server_first:
            self.finish()
        elif not self.told_over:
            self.told_over = True
            self.say(over=True)

    def finish(self) -> None:
        """End: every client still there reports and closes."""
        if self.over:
            return
        self.over = True
        if self.started_ns:
            for client in self.clients:
                client.end("limit")

    def run(self) -> None:
        """Play until everything is over."""
        while not self.over:
            self.ring()
            if self.started_ns and time.monotonic_ns() >= self.end_ns:
                self.finish()
            if self.output:
                self.flush()
            if self.over:
                break
            due_ns = self.end_ns
            if self.timers:
                due_ns = min(due_ns, self.timers[0][0])
            timeout_s = max(0.0, (due_ns - time.monotonic_ns()) / 1e9) if self.started_ns else None
            for key, events in self.selector.select(timeout_s):
                key.data(events)
        self.say(done=True, ended_ns=time.monotonic_ns())


class AddressError(ValueError):
    """An address to which no client will connect; the text says why."""


def server_address(spec: dict[str, Any], allow_remote: bool) -> tuple[socket.AddressFamily, Address]:
    """Return the family and address to connect to.

    Args:
        spec: the address as the parent wrote it.
        allow_remote: whether it may be somewhere else than on this machine.

    Raises:
        AddressError: it is not an address, or not one of this machine.
    """
    family, host = spec["family"], spec.get("host", "")
    if family == "AF_UNIX":
        path = os.fsencode(spec["path"])
        if not path or (b"\0" in path and not path.startswith(b"@")):
            raise AddressError("clients cannot connect to a path that is empty or has a zero byte in it")
        return socket.AF_UNIX, b"\0" + path[1:] if path.startswith(b"@") else path
    if family not in ("AF_INET", "AF_INET6"):
        raise AddressError(f"clients connect by TCP or AF_UNIX, not {family}")
    here, anywhere = ("127.0.0.1", "0.0.0.0") if family == "AF_INET" else ("::1", "::")
    port = spec["port"]
    if not isinstance(port, int) or not 0 < port < 65536:
        raise AddressError(f"no client can connect to port {port}")
    if host in ("", anywhere, "localhost"):
        host = here
    try:
        ip: ipaddress.IPv4Address | ipaddress.IPv6Address | None = ipaddress.ip_address(host)
    except ValueError:
        ip = None
    if isinstance(ip, ipaddress.IPv6Address):
        ip = ip.ipv4_mapped or ip
    if not allow_remote and (ip is None or not ip.is_loopback):
        raise AddressError(f"clients connect to this machine only, not to {host}: remote servers must be allowed expressly")
    return socket.AddressFamily[family], (host, port)


def main() -> None:
    """Play one workload, as told on stdin."""
    stage = Stage()
    bell, waker = socket.socketpair()
    for end in (bell, waker):
        end.setblocking(False)
    signal.set_wakeup_fd(waker.fileno())
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: None)
    stage.selector.register(bell, selectors.EVENT_READ, lambda _events: stage.finish())
    try:
        stage.selector.register(0, selectors.EVENT_READ, stage.hear)
    except PermissionError:  # a plain file: nothing to wait for
        sys.exit("clients.py: the workload and the address come through a pipe")
    os.set_blocking(1, False)
    try:
        stage.run()
    finally:
        os.set_blocking(1, True)
    stage.flush()


if __name__ == "__main__":
    main()
