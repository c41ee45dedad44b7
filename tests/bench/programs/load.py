"""One load of the benchmark: `load.py NAME COUNT [FILE]`. Knows nothing of sockreel, and runs under every tool alike.

Prints a JSON line when it is ready (pid, and the port where clients are wanted), and one at its end: the calls it
made by kind, the CPU and wall time from the first of them to the last, and the CPU that the whole process used.
Starting the interpreter is in none of these but the last.

| name | what it does COUNT times |
| --- | --- |
| recv, accept | a nonblocking call that finds nothing |
| echo | answers one exchange over one connection, blocking |
| epoll | serves one of COUNT connections, all open at once, level-triggered |
| threads | serves one of COUNT connections in a thread of its own, blocking |
| spin | as recv, counting in the first 8 bytes of FILE, which survive it |
| probe | (once) a recv that finds nothing, and one that finds 137 bytes |
"""

from __future__ import annotations

import json
import mmap
import os
import resource
import select
import socket
import sys
import threading
import time
from collections.abc import Callable, Mapping

Calls = Mapping[str, int]
PROBE_BYTES = 137


def say(**words: object) -> None:
    """Print one JSON line, at once."""
    print(json.dumps(words), flush=True)


class Meter:
    """Takes the times of the load alone."""

    def start(self) -> None:
        """Begin: the next call is the first that counts."""
        self._wall = time.perf_counter_ns()
        self._cpu = time.process_time_ns()

    def stop(self, calls: Calls) -> None:
        """End, and say what it took."""
        cpu_ns = time.process_time_ns() - self._cpu
        wall_ns = time.perf_counter_ns() - self._wall
        used = resource.getrusage(resource.RUSAGE_SELF)
        say(
            calls=calls,
            cpu_ns=cpu_ns,
            wall_ns=wall_ns,
            process_cpu_ns=round((used.ru_utime + used.ru_stime) * 1e9),
            ended_ns=time.monotonic_ns(),
        )


def listen() -> socket.socket:
    """Return a listener on a port of the kernel's choice."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(1024)
    return listener


def connection(listener: socket.socket) -> tuple[socket.socket, socket.socket]:
    """Return both ends of a connection: ours, nonblocking, and the other's."""
    other = socket.create_connection(listener.getsockname())
    ours, _ = listener.accept()
    ours.setblocking(False)
    return ours, other


def recv(count: int, meter: Meter) -> Calls:
    """Ask a silent connection, again and again."""
    ours, _other = connection(listen())
    say(pid=os.getpid())
    meter.start()
    for _ in range(count):
        try:
            ours.recv(4096)
        except BlockingIOError:
            pass
    return {"recv": count}


def accept(count: int, meter: Meter) -> Calls:
    """Ask a listener to which nobody comes, again and again."""
    listener = listen()
    listener.setblocking(False)
    say(pid=os.getpid())
    meter.start()
    for _ in range(count):
        try:
            listener.accept()
        except BlockingIOError:
            pass
    return {"accept": count}


def echo(count: int, meter: Meter) -> Calls:
    """Serve one connection for `count` exchanges."""
    listener = listen()
    say(pid=os.getpid(), port=listener.getsockname()[1])
    conn, _ = listener.accept()
    meter.start()
    for _ in range(count):
        conn.sendall(conn.recv(4096))
    return {"recv": count, "send": count}


def epoll(count: int, meter: Meter) -> Calls:
    """Serve `count` connections in one loop until all of them have left."""
    listener = listen()
    listener.setblocking(False)
    poll = select.epoll()
    poll.register(listener, select.EPOLLIN)
    connections: dict[int, socket.socket] = {}
    accepted = received = sent = 0
    say(pid=os.getpid(), port=listener.getsockname()[1])
    poll.poll()  # Somebody is here: the clock starts.
    meter.start()
    while accepted < count or connections:
        for fd, _ in poll.poll():
            if fd == listener.fileno():
                conn, _ = listener.accept()
                conn.setblocking(False)
                connections[conn.fileno()] = conn
                poll.register(conn, select.EPOLLIN)
                accepted += 1
                continue
            data = connections[fd].recv(4096)
            received += 1
            if data:
                connections[fd].sendall(data)
                sent += 1
            else:
                connections.pop(fd).close()
    return {"accept": accepted, "recv": received, "send": sent}


def threads(count: int, meter: Meter) -> Calls:
    """Serve `count` connections, each by a thread of its own."""
    listener = listen()
    received: list[int] = []

    def serve(conn: socket.socket) -> None:
        answered = 0
        while data := conn.recv(4096):
            conn.sendall(data)
            answered += 1
        received.append(answered)
        conn.close()

    say(pid=os.getpid(), port=listener.getsockname()[1])
    conn, _ = listener.accept()
    meter.start()
    workers = []
    for n in range(count):
        if n:
            conn, _ = listener.accept()
        workers.append(threading.Thread(target=serve, args=(conn,)))
        workers[-1].start()
    for worker in workers:
        worker.join()
    return {"accept": count, "recv": sum(received) + count, "send": sum(received)}


def spin(count: int, meter: Meter) -> Calls:
    """Ask a silent connection, counting where a sudden death leaves the count."""
    ours, _other = connection(listen())
    with open(sys.argv[3], "r+b") as file:
        counter = memoryview(mmap.mmap(file.fileno(), 8)).cast("Q")
    say(pid=os.getpid())
    meter.start()
    for n in range(1, count + 1):
        try:
            ours.recv(4096)
        except BlockingIOError:
            counter[0] = n
    return {"recv": count}


def probe(count: int, meter: Meter) -> Calls:
    """Make one fruitless and one fruitful receive, and say all that could be known of them."""
    ours, other = connection(listen())
    line = sys._getframe().f_lineno + 5  # of the first receive; the second is 4 lines below it
    say(pid=os.getpid(), fd=ours.fileno(), port=other.getsockname()[1], bytes=PROBE_BYTES, lines=[line, line + 4])
    meter.start()
    for _ in range(1):
        try:
            ours.recv(4096)
        except BlockingIOError:
            pass
    other.send(b"x" * PROBE_BYTES)
    ours.recv(4096)
    return {"recv": 2, "send": 1}


LOADS: Mapping[str, Callable[[int, Meter], Calls]] = {
    "recv": recv, "accept": accept, "echo": echo, "epoll": epoll, "threads": threads, "spin": spin, "probe": probe,
}  # fmt: skip


def main() -> None:
    """Run the load that the command line names."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 4096)), hard))
    # One processor for the load and its clients, so that no exchange pays for waking another one up, or does not, by
    # luck: on two processors that alone halves or doubles the times. The others are left to the tools.
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    meter = Meter()
    meter.stop(LOADS[sys.argv[1]](int(sys.argv[2]), meter))


if __name__ == "__main__":
    main()
