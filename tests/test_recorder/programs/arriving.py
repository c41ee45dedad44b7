"""Receives of every kind, and what a program can see of them: prints it as JSON, in words that do not change between runs.

Run bare and with --kernel-times it must print the same.
"""

import errno
import json
import select
import signal
import socket
import struct
import sys
import threading
import traceback

SO_TIMESTAMP, SO_TIMESTAMPNS, SO_TIMESTAMPING = 29, 35, 37
# The class in C, which the Python core cannot change.
BEHIND_THE_CLASS = socket.socket.recvmsg if "--methods" in sys.argv else super(socket.socket, socket.socket).recvmsg
CONNECTED = ("tcp", "tcp6", "udp", "udp6", "unix")


def pair(kind):
    """Return two sockets that talk to each other."""
    if kind == "unix":
        return socket.socketpair()
    family, host = (socket.AF_INET6, "::1") if kind.endswith("6") else (socket.AF_INET, "127.0.0.1")
    if kind.startswith("udp"):
        one, other = socket.socket(family, socket.SOCK_DGRAM), socket.socket(family, socket.SOCK_DGRAM)
        one.bind((host, 0))
        other.bind((host, 0))
        one.connect(other.getsockname())
        other.connect(one.getsockname())
        return one, other
    with socket.create_server((host, 0), family=family) as listener:
        one = socket.create_connection(listener.getsockname()[:2])
        other, _ = listener.accept()
    return one, other


def plain(value, names):
    """Return a result as JSON has it, ports by their owner's name."""
    if isinstance(value, (tuple, list)):
        return [plain(part, names) for part in value]
    if isinstance(value, (bytes, bytearray)):
        return value.decode("latin-1")
    return names.get(value, value)


def tried(function, *args, **kw):
    """Return what a call returned, or all that its exception says."""
    try:
        return function(*args, **kw)
    except Exception as error:
        own = [frame.name for frame in traceback.extract_tb(error.__traceback__) if frame.filename == __file__]
        return [type(error).__name__, str(error), getattr(error, "errno", None), own]


def receives(kind):
    """Every receive, with what can be given to it."""
    one, other = pair(kind)
    names = {one.getsockname()[1]: "one", other.getsockname()[1]: "other"} if kind != "unix" else {}
    stream = not kind.startswith("udp")
    found = []

    def note(value):
        found.append(plain(value, names))

    def say(data=b"0123456789"):
        one.sendall(data)
        select.select([other], [], [])

    def empty():
        while select.select([other], [], [], 0)[0]:
            other.recv(1000)

    for call in (
        lambda: other.recv(4), lambda: other.recv(100, socket.MSG_PEEK), lambda: other.recvfrom(3),
        lambda: other.recv(100, socket.MSG_DONTWAIT),
        lambda: other.recvmsg(4), lambda: other.recvmsg(4, 0), lambda: other.recvmsg(4, 5), lambda: other.recvmsg(4, 16),
        lambda: other.recvmsg(4, 64), lambda: other.recvmsg(4, 1000, socket.MSG_PEEK),
        lambda: other.recvmsg_into([bytearray(3), bytearray(30)]),
        lambda: other.recvmsg_into([bytearray(3)], 20, socket.MSG_PEEK), lambda: other.recv_into(bytearray(20)),
        lambda: other.recv_into(bytearray(20), 3), lambda: other.recv_into(bytearray(20), nbytes=3, flags=socket.MSG_PEEK),
        lambda: other.recv_into(buffer=bytearray(4)), lambda: other.recvfrom_into(bytearray(20)),
        lambda: other.recvfrom_into(bytearray(20), 2),
        lambda: other.recv(0), lambda: other.recv_into(bytearray(0)), lambda: other.recvmsg(0), lambda: len(other.recv(1 << 30)),
        lambda: socket.socket.recv(other, 3), lambda: super(socket.socket, other).recv(3),
        lambda: BEHIND_THE_CLASS(other, 3, 100),
    ):  # fmt: skip
        say()
        note(tried(call))
        empty()
    if stream:
        say()
        note(tried(other.recv, 10, socket.MSG_WAITALL))
    if kind.startswith("tcp"):
        one.send(b"!", socket.MSG_OOB)
        select.select([], [], [other])
        note(tried(other.recv, 1, socket.MSG_OOB))
    if kind.startswith("udp"):
        say()
        note(tried(other.recvmsg, 4))
        say()
        note(len(other.recv(4, socket.MSG_TRUNC)))
    other.settimeout(0.01)
    for bad in ((-1,), ("x",), (), (1, 2, 3), (1 << 80,), (1, "x")):
        note(tried(other.recv, *bad))
        note(tried(other.recvfrom, *bad))
        note(tried(other.recvmsg, *bad, *((1, 2, 3) if len(bad) == 3 else ())))
        note(tried(other.recvmsg, 1, *bad))
    for bad in ((b"fixed",), (bytearray(3), 4), (bytearray(3), -1), (memoryview(bytearray(8))[::2],), ([],), (), (bytearray(3), 0, 0, 0)):
        note(tried(other.recv_into, *bad))
        note(tried(other.recvfrom_into, *bad))
        note(tried(other.recvmsg_into, *bad))
    shrinking = bytearray(20)
    say()
    note(tried(other.recv_into, shrinking))
    shrinking.clear()  # no view of it is left
    for call in (lambda: other.recv(3), lambda: other.recv_into(bytearray(3)), lambda: other.recvfrom(3), lambda: other.recvmsg(3, 100)):
        empty()
        note(tried(call))
    other.setblocking(False)
    note(tried(other.recv, 3))
    note(tried(other.recvmsg, 3, 100))
    one.close()
    if stream:
        other.setblocking(True)
        note([tried(other.recv, 3), tried(other.recvmsg, 3, 100), tried(other.recv_into, bytearray(3))])
    other.close()
    note(tried(other.recv, 3))
    note(tried(other.recvmsg, 3))
    return found


def shown_options():
    """What getsockopt says of times, before and after the program sets its own."""
    found = []
    for kind in ("tcp", "udp", "unix"):
        one, other = pair(kind)
        with one, other:
            one.send(b"x")
            other.recv(1)
            for option in (SO_TIMESTAMP, SO_TIMESTAMPNS, SO_TIMESTAMPING):
                found.append(other.getsockopt(socket.SOL_SOCKET, option))
                found.append([tried(other.getsockopt, socket.SOL_SOCKET, option, size) for size in (0, 1, 4, 8, 30)])
            other.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPING, 1 << 3 | 1 << 4)
            found.append(other.getsockopt(socket.SOL_SOCKET, SO_TIMESTAMPING))
            one.send(b"x")
            data, ancillary, flags, _ = other.recvmsg(10, 200)
            found.append([data, [(level, type_, len(told)) for level, type_, told in ancillary], flags])
            one.send(b"x")
            found.append(other.recvmsg(10)[2])
            other.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPING, 0)
            one.send(b"x")
            found.append(tried(other.recvmsg, 10, 200)[:3])
            found.append(other.getsockopt(socket.SOL_SOCKET, SO_TIMESTAMPING))
    return plain(found, {})


def own_times_on_a_listener():
    """A program's own SO_TIMESTAMPNS on a listener is left alone, and so are the sockets accepted there."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        with socket.create_connection(listener.getsockname()) as one:
            other, _ = listener.accept()
            with other:
                one.send(b"abc")
                data, ancillary, flags, _ = other.recvmsg(10, 200)
                options = [other.getsockopt(socket.SOL_SOCKET, option) for option in (SO_TIMESTAMP, SO_TIMESTAMPNS, SO_TIMESTAMPING)]
                return [data.decode(), [(level, type_, len(told)) for level, type_, told in ancillary], flags, options]


def other_control_messages():
    """IP_PKTINFO and IP_RECVTTL in rooms of every size: the program's own, whole or cut as the kernel cuts them."""
    one, other = pair("udp")
    found = []
    with one, other:
        other.setsockopt(socket.IPPROTO_IP, 8, 1)  # IP_PKTINFO
        other.setsockopt(socket.IPPROTO_IP, 12, 1)  # IP_RECVTTL
        for room in [*range(80), 200]:
            one.send(b"x")
            found.append(plain(other.recvmsg(10, room)[:3], {}))
        one.send(b"x")
        found.append(plain(other.recv(10), {}))
    return found


def refused_in_the_error_queue():
    """What MSG_ERRQUEUE tells of a datagram that nobody took."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as gone, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        gone.bind(("127.0.0.1", 0))
        one.setsockopt(socket.IPPROTO_IP, 11, 1)  # IP_RECVERR
        one.connect(gone.getsockname())
        gone.close()
        one.send(b"hello")
        poller = select.poll()
        poller.register(one, select.POLLERR)
        poller.poll()
        data, ancillary, flags, _ = one.recvmsg(100, 500, socket.MSG_ERRQUEUE)
        after = tried(one.recv, 3, socket.MSG_DONTWAIT)
        return [data.decode(), [(level, type_, len(told)) for level, type_, told in ancillary], flags, after]


def passed_descriptors():
    """Descriptors that came along and nobody asked for are closed by the kernel, and do not stay with us."""
    one, other = socket.socketpair()
    with one, other:
        before = len(list(open_descriptors()))
        for _ in range(5):
            one.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, struct.pack("i", 0))])
            other.recv(1)
        return len(list(open_descriptors())) - before


def open_descriptors():
    import os

    return os.listdir("/proc/self/fd")


class Sub(socket.socket):
    """A subclass whose own recvmsg nobody may call for a recv."""

    def recvmsg(self, *args):
        raise AssertionError("recv is no recvmsg")


def a_subclass():
    one, other = pair("tcp")
    with one, Sub(fileno=other.detach()) as sub:
        one.send(b"hello")
        return sub.recv(5).decode()


def interrupted():
    """A handler that receives in the middle of a receive, and one that raises."""
    one, other = pair("tcp")
    left, right = pair("tcp")
    found = []
    main = threading.get_ident()

    def reads(number, frame):
        left.send(b"inner")
        found.append(right.recv(5).decode())
        one.send(b"outer")

    def raises(number, frame):
        raise KeyError("handler")

    with one, other, left, right:
        signal.signal(signal.SIGUSR1, reads)
        timer = threading.Timer(0.05, signal.pthread_kill, (main, signal.SIGUSR1))
        timer.start()
        found.append(other.recv(5).decode())
        timer.join()
        signal.signal(signal.SIGUSR1, raises)
        timer = threading.Timer(0.05, signal.pthread_kill, (main, signal.SIGUSR1))
        timer.start()
        found.append(tried(other.recv, 5))
        timer.join()
    return found


def memory():
    """A receive of a gigabyte takes no more memory than it ever did: within a tenth of what there is."""
    one, other = pair("tcp")
    with one, other:
        one.send(b"x")
        other.recv(1 << 30)
    with open("/proc/self/status") as status:  # ru_maxrss would begin with that of whoever started us
        return int(next(line for line in status if line.startswith("VmHWM")).split()[1]) < 300_000


def stamped():
    """Return a socket whose stamps come: the kernel begins to make them some time after it was asked."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPING, 1 << 3 | 1 << 4)
    sock.bind(("127.0.0.1", 0))
    sock.connect(sock.getsockname())
    told = []
    while not told:
        sock.send(b"x")
        _, told, _, _ = sock.recvmsg(1, 100)
    return sock


def main():
    awake = stamped()
    found = {kind: receives(kind) for kind in CONNECTED}
    for look in (shown_options, own_times_on_a_listener, other_control_messages, refused_in_the_error_queue, passed_descriptors, a_subclass,
                 interrupted, memory):  # fmt: skip
        found[look.__name__] = look()
    found["would block"] = errno.EAGAIN
    awake.close()
    print(json.dumps(found))
    sys.stdout.flush()


if __name__ == "__main__":
    main()
