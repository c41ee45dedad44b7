"""Every recorded method with every outcome that a program can bring about: prints what each call should be in a trace.

Knows nothing of who may be watching. Every function `case_...` makes calls on its own lines, and says of each, from
what the call gave it, what came of it. Preparations stand in other functions, so their calls have other sites.
Prints the results and messages as it saw them, which must not depend on anybody watching, then the list as JSON.
"""
# Runs under Python 3.8, too.
# ruff: noqa: UP031, UP041, RUF059

import array
import contextlib
import errno
import fcntl
import json
import os
import shutil
import signal
import socket
import struct
import sys
import tempfile
import threading

NB, MAY_WAIT = 0, None
expected = {}
seen = []
FOLDER = tempfile.mkdtemp()


def expect(*row, **more):
    """Say what the last call of the case is: (operation, outcome, result)."""
    operation, outcome, result = (*row, None)[:3]
    expected[sys._getframe(1).f_code.co_name].append({"operation": operation, "outcome": outcome, "result": result, **more})


def failing(call, *args, **kw):
    """Make a call that must fail, from a frame of the standard library: the site stays the caller's."""
    with contextlib.suppress(TypeError):
        pass
    try:
        call(*args, **kw)
    except BaseException as error:
        seen.append((type(error).__name__, str(error)))
        return error
    raise AssertionError("%r did not fail" % (call,))


def stream():
    """A connected pair over TCP."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        one = socket.create_connection(listener.getsockname())
        other, _ = listener.accept()
    return one, other


def datagrams():
    one, other = socket.socket(socket.AF_INET, socket.SOCK_DGRAM), socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    one.bind(("127.0.0.1", 0))
    other.bind(("127.0.0.1", 0))
    return one, other, other.getsockname()


def listener(timeout=None, family=socket.AF_INET, address=("127.0.0.1", 0)):
    found = socket.socket(family)
    found.bind(address)
    found.listen()
    found.settimeout(timeout)
    return found


def full(sock):
    """Fill what the kernel takes from a nonblocking socket."""
    with contextlib.suppress(BlockingIOError):
        while True:
            sock.send(b"." * 65536)


def resetting(sock):
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def readable(sock):
    import select

    assert select.select([sock], [], [], 30)[0]


def unused_port():
    """A port that nobody listens on, and the socket that holds it."""
    held = socket.socket()
    held.bind(("127.0.0.1", 0))
    return held, held.getsockname()


def nonblocking(*socks):
    for sock in socks:
        sock.setblocking(False)


# Receiving.


def case_recv():
    a, b = stream()
    a.sendall(b"hello")
    expect("sendall", "ok", 5, asked=5, payload="hello")
    assert b.recv(100) == b"hello"
    expect("recv", "ok", 5, asked=100, payload="hello", timeout_ns=None)
    assert b.recv(0) == b""
    expect("recv", "ok", 0, asked=0)
    b.setblocking(False)
    expect("setblocking", "ok", asked=0)
    try:
        b.recv(7)
    except BlockingIOError as error:
        expect("recv", "would_block", errno=error.errno, asked=7, timeout_ns=0)
    a.shutdown(socket.SHUT_WR)
    expect("shutdown", "ok", asked=socket.SHUT_WR)
    readable(b)
    assert b.recv(7) == b""
    expect("recv", "eof", 0, asked=7)
    assert b.recv(7, socket.MSG_PEEK) == b""
    expect("recv", "eof", 0, flags=socket.MSG_PEEK)
    b.close()
    expect("close", "ok")
    try:
        b.recv(9)
    except OSError as error:
        assert error.errno == errno.EBADF
        expect("recv", "error", errno=errno.EBADF)
    a.close()
    expect("close", "ok")


def case_flags():
    a, b = stream()
    a.sendall(b"peeked")
    expect("sendall", "ok", 6)
    readable(b)
    assert b.recv(3, socket.MSG_PEEK) == b"pee"
    expect("recv", "ok", 3, flags=socket.MSG_PEEK, asked=3)
    assert b.recv(100, socket.MSG_DONTWAIT) == b"peeked"
    expect("recv", "ok", 6, flags=socket.MSG_DONTWAIT, timeout_ns=0)
    try:
        b.recv(100, socket.MSG_DONTWAIT)
    except BlockingIOError as error:
        expect("recv", "would_block", errno=error.errno, timeout_ns=0, flags=socket.MSG_DONTWAIT)
    assert a.send(b"oob", socket.MSG_NOSIGNAL) == 3
    expect("send", "ok", 3, flags=socket.MSG_NOSIGNAL)
    assert b.recv(3, socket.MSG_WAITALL) == b"oob"
    expect("recv", "ok", 3, flags=socket.MSG_WAITALL, timeout_ns=None)


def case_timeouts():
    a, b = stream()
    b.settimeout(0.01)
    expect("settimeout", "ok", asked=10_000_000)
    try:
        b.recv(4)
    except socket.timeout:
        expect("recv", "timeout", timeout_ns=10_000_000)
    b.settimeout(None)
    expect("settimeout", "ok", None)
    b.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 0, 10_000))
    expect("setsockopt", "ok", flags=socket.SOL_SOCKET << 16 | socket.SO_RCVTIMEO)
    try:
        b.recv(4)
    except BlockingIOError as error:
        expect("recv", "timeout", errno=error.errno, timeout_ns=None)
    b.settimeout(0)
    expect("settimeout", "ok", asked=0)
    try:
        b.recv(4)
    except BlockingIOError as error:
        expect("recv", "would_block", errno=error.errno, timeout_ns=0)
    quiet = listener(0.01)
    try:
        quiet.accept()
    except socket.timeout:
        expect("accept", "timeout", timeout_ns=10_000_000)
    a.settimeout(0.05)
    expect("settimeout", "ok", asked=50_000_000)
    try:
        a.sendall(b"." * 50_000_000)
    except socket.timeout:
        expect("sendall", "timeout", asked=50_000_000)
    one, two, _ = datagrams()
    two.settimeout(0.01)
    expect("settimeout", "ok", asked=10_000_000)
    for name in ("recvfrom", "recvmsg"):
        try:
            getattr(two, name)(100)
        except socket.timeout:
            expect(name, "timeout", asked=100)


def case_behind_pythons_back():
    a, b = stream()
    fcntl.fcntl(b, fcntl.F_SETFL, fcntl.fcntl(b, fcntl.F_GETFL) | os.O_NONBLOCK)
    for _ in range(2):
        try:
            b.recv(4)
        except BlockingIOError as error:
            expect("recv", "would_block", errno=error.errno)


def case_reset():
    a, b = stream()
    resetting(a)
    readable(b)
    try:
        b.recv(4)
    except ConnectionResetError as error:
        expect("recv", "reset", errno=error.errno)
    try:
        b.send(b"to nobody")
    except BrokenPipeError as error:
        expect("send", "broken_pipe", errno=error.errno, asked=9)
    try:
        b.sendall(b"to nobody")
    except BrokenPipeError as error:
        expect("sendall", "broken_pipe", errno=error.errno, asked=9)
    try:
        b.sendmsg([b"to ", b"nobody"])
    except BrokenPipeError as error:
        expect("sendmsg", "broken_pipe", errno=error.errno, asked=9)


def case_every_way_to_receive():
    for name, args in (("recvfrom", (5,)), ("recvmsg", (5,))):
        a, b = stream()
        a.sendall(b"abc")
        expect("sendall", "ok", 3)
        assert getattr(b, name)(*args)[0] == b"abc"
        expect(name, "ok", 3, asked=5, payload="abc", peer=None)
        nonblocking(b)
        try:
            getattr(b, name)(*args)
        except BlockingIOError as error:
            expect(name, "would_block", errno=error.errno)
        a.close()
        expect("close", "ok")
        readable(b)
        assert getattr(b, name)(*args)[0] == b""
        expect(name, "eof", 0)
        b.close()
        expect("close", "ok")
        try:
            getattr(b, name)(*args)
        except OSError as error:
            expect(name, "error", errno=error.errno)


def case_every_way_to_receive_into():
    for name in ("recv_into", "recvfrom_into", "recvmsg_into"):
        a, b = stream()
        room = bytearray(8)
        args = ([room],) if name == "recvmsg_into" else (room,)
        a.sendall(b"abc")
        expect("sendall", "ok", 3)
        moved = getattr(b, name)(*args)
        assert (moved if name == "recv_into" else moved[0]) == 3 and room[:3] == b"abc"
        expect(name, "ok", 3, asked=8, payload="abc")
        nonblocking(b)
        try:
            getattr(b, name)(*args)
        except BlockingIOError as error:
            expect(name, "would_block", errno=error.errno, asked=8)
        a.close()
        expect("close", "ok")
        readable(b)
        moved = getattr(b, name)(*args)
        assert (moved if name == "recv_into" else moved[0]) == 0
        expect(name, "eof", 0)


def case_keywords():
    a, b = stream()
    room = bytearray(10)
    a.sendall(b"123456789")
    expect("sendall", "ok", 9)
    assert b.recv_into(buffer=room, nbytes=2, flags=socket.MSG_PEEK) == 2
    expect("recv_into", "ok", 2, asked=2, flags=socket.MSG_PEEK, payload="12")
    assert b.recv_into(room, nbytes=3) == 3
    expect("recv_into", "ok", 3, asked=3, payload="123")
    assert b.recv_into(nbytes=0, buffer=memoryview(room)[:4]) == 4
    expect("recv_into", "ok", 4, asked=4, payload="4567")
    assert b.recvfrom_into(buffer=room, nbytes=1)[0] == 1
    expect("recvfrom_into", "ok", 1, asked=1, payload="8")
    assert b.recv_into(bytearray(0)) == 0
    expect("recv_into", "ok", 0, asked=0)


def case_other_buffers():
    a, b = stream()
    numbers = array.array("i", [1, 2, 3])
    assert a.send(numbers) == 12
    expect("send", "ok", 12, asked=12)
    assert a.send(memoryview(numbers)[1:]) == 8
    expect("send", "ok", 8, asked=8)
    assert a.send(memoryview(b"abcdef").cast("B", (2, 3))) == 6
    expect("send", "ok", 6, asked=6, payload="abcdef")
    assert a.sendmsg([b"", bytearray(b"x"), memoryview(numbers)]) == 13
    expect("sendmsg", "ok", 13, asked=13)
    assert a.sendmsg([]) == 0
    expect("sendmsg", "ok", 0, asked=0)
    assert a.send(b"") == 0
    expect("send", "ok", 0, asked=0)
    room = array.array("i", [0] * 6)
    assert b.recv_into(room, 24, socket.MSG_WAITALL) == 24
    expect("recv_into", "ok", 24, asked=24)
    big_endian = struct.Struct(">h")
    import ctypes

    class Pair(ctypes.BigEndianStructure):
        _fields_ = [("one", ctypes.c_short), ("two", ctypes.c_int)]

    assert big_endian.size == 2
    assert a.send(Pair(1, 2)) == 8
    expect("send", "ok", 8, asked=8)
    assert a.send((ctypes.c_double * 2)(1.0, 2.0)) == 16
    expect("send", "ok", 16, asked=16)


def case_iterators_are_not_used_up():
    a, b = stream()
    parts = iter([b"one ", b"two"])
    assert a.sendmsg(parts) == 7
    expect("sendmsg", "ok", 7, asked=None)
    rooms = [bytearray(4), bytearray(4)]
    assert b.recvmsg_into(room for room in rooms)[0] == 7
    expect("recvmsg_into", "ok", 7, asked=None)
    assert rooms == [b"one ", b"two\0"]
    assert next(parts, None) is None


# Sending.


def case_send_into_a_full_socket():
    a, b = stream()
    nonblocking(a)
    full(a)
    for name, args in (("send", (b"ab",)), ("sendall", (b"ab",)), ("sendmsg", ([b"a", b"b"],)), ("sendto", (b"ab", b.getsockname()))):
        try:
            getattr(a, name)(*args)
        except BlockingIOError as error:
            expect(name, "would_block", errno=error.errno, asked=2, timeout_ns=0)
    a.close()
    expect("close", "ok")
    for name, args in (("send", (b"ab",)), ("sendall", (b"ab",)), ("sendmsg", ([b"a", b"b"],)), ("sendto", (b"ab", b.getsockname()))):
        try:
            getattr(a, name)(*args)
        except OSError as error:
            expect(name, "error", errno=error.errno, asked=2)


def case_sendfile():
    a, b = stream()
    path = os.path.join(FOLDER, "page")
    with open(path, "wb") as file:
        file.write(b"0123456789")
    with open(path, "rb") as file:
        assert a.sendfile(file) == 10
        expect("sendfile", "ok", 10, asked=None)
        assert a.sendfile(file, 2, 3) == 3
        expect("sendfile", "ok", 3, asked=3)
        assert a.sendfile(file, count=4) == 4
        expect("sendfile", "ok", 4, asked=4)
    assert b.recv(17, socket.MSG_WAITALL) == b"0123456789234" + b"0123"
    expect("recv", "ok", 17)
    import io

    assert a.sendfile(io.BytesIO(b"no file")) == 7
    expect("sendfile", "ok", 7)
    expect("send", "ok", 7, inside="sendfile")
    with open(path, "rb") as file:
        a.setblocking(False)
        expect("setblocking", "ok", asked=0)
        try:
            a.sendfile(file)
        except ValueError:
            expect("sendfile", "error")


def case_makefile():
    a, b = stream()
    with a.makefile("wb") as writer, b.makefile("rb") as reader:
        writer.write(b"a line\n")
        writer.flush()
        expect("send", "ok", 7)
        assert reader.readline() == b"a line\n"
        expect("recv_into", "ok", 7, payload="a line\n")
        a.close()
        b.close()
    expect("close", "ok")
    expect("close", "ok")


# Datagrams.


def case_datagrams():
    a, b, to = datagrams()
    assert a.sendto(b"one", to) == 3
    expect("sendto", "ok", 3, asked=3, peer="127.0.0.1:%d" % to[1], payload="one")
    assert a.sendto(b"", socket.MSG_NOSIGNAL, to) == 0
    expect("sendto", "ok", 0, asked=0, flags=socket.MSG_NOSIGNAL)
    assert a.sendmsg([b"th", b"ree"], [], 0, to) == 5
    expect("sendmsg", "ok", 5, peer="127.0.0.1:%d" % to[1])
    sender = "127.0.0.1:%d" % a.getsockname()[1]
    assert b.recvfrom(100)[0] == b"one"
    expect("recvfrom", "ok", 3, peer=sender, payload="one")
    assert b.recv(100) == b""
    expect("recv", "ok", 0, asked=100)
    room = bytearray(10)
    assert b.recvmsg_into([room])[0] == 5
    expect("recvmsg_into", "ok", 5, peer=sender, payload="three")
    a.sendto(b"12345", to)
    expect("sendto", "ok", 5)
    assert b.recvmsg(2)[0] == b"12"
    expect("recvmsg", "ok", 2, asked=2, peer=sender)
    a.sendto(b"", to)
    expect("sendto", "ok", 0)
    assert b.recvfrom_into(room)[0] == 0
    expect("recvfrom_into", "ok", 0, peer=sender)
    a.connect(to)
    expect("connect", "ok", peer="127.0.0.1:%d" % to[1])
    assert a.send(b"connected") == 9
    expect("send", "ok", 9)
    nonblocking(b)
    b.recv(100)
    expect("recv", "ok", 9)
    for name, args in (("recv", (9,)), ("recvfrom", (9,)), ("recvmsg", (9,)), ("recvfrom_into", (room,)), ("recvmsg_into", ([room],))):
        try:
            getattr(b, name)(*args)
        except BlockingIOError as error:
            expect(name, "would_block", errno=error.errno)
    try:
        a.sendto(b"." * 70_000, to)
    except OSError as error:
        expect("sendto", "error", errno=error.errno, asked=70_000)


def case_datagram_to_nobody_is_refused():
    held, nobody = unused_port()
    a = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    a.connect(nobody)
    expect("connect", "ok")
    a.send(b"anybody?")
    expect("send", "ok", 8)
    try:
        a.recv(10)
    except ConnectionRefusedError as error:
        expect("recv", "refused", errno=error.errno)


# Connections.


def case_connect():
    held, nobody = unused_port()
    a = socket.socket()
    try:
        a.connect(nobody)
    except ConnectionRefusedError as error:
        expect("connect", "refused", errno=error.errno, peer="127.0.0.1:%d" % nobody[1])
    assert a.connect_ex(nobody) == errno.ECONNREFUSED
    expect("connect_ex", "refused", errno=errno.ECONNREFUSED)
    a = socket.socket()
    try:
        a.connect(("no-such-name.invalid", 80))
    except socket.gaierror:
        expect("connect", "error", peer="no-such-name.invalid:80")
    door = listener()
    assert a.connect_ex(door.getsockname()) == 0
    expect("connect_ex", "ok", timeout_ns=None)
    assert a.connect_ex(door.getsockname()) == errno.EISCONN
    expect("connect_ex", "error", errno=errno.EISCONN)
    try:
        a.connect(door.getsockname())
    except OSError as error:
        expect("connect", "error", errno=error.errno)
    a.close()
    expect("close", "ok")
    assert a.connect_ex(door.getsockname()) == errno.EBADF
    expect("connect_ex", "error", errno=errno.EBADF)


def case_connect_without_waiting():
    door = listener()
    a = socket.socket()
    nonblocking(a)
    try:
        a.connect(door.getsockname())
    except BlockingIOError as error:
        assert error.errno == errno.EINPROGRESS
        expect("connect", "in_progress", errno=errno.EINPROGRESS, timeout_ns=0)
    b = socket.socket()
    nonblocking(b)
    assert b.connect_ex(door.getsockname()) == errno.EINPROGRESS
    expect("connect_ex", "in_progress", errno=errno.EINPROGRESS, timeout_ns=0)


def case_connect_to_a_full_backlog():
    path = os.path.join(FOLDER, "full")
    door = listener(family=socket.AF_UNIX, address=path)
    door.listen(0)
    expect("listen", "ok", asked=0)
    first, second = socket.socket(socket.AF_UNIX), socket.socket(socket.AF_UNIX)
    first.connect(path)
    expect("connect", "ok", peer="unix:" + path)
    nonblocking(second)
    assert second.connect_ex(path) == errno.EAGAIN
    expect("connect_ex", "would_block", errno=errno.EAGAIN)
    try:
        second.connect(path)
    except BlockingIOError as error:
        expect("connect", "would_block", errno=error.errno)


def case_connect_timeout():
    door = listener()
    door.listen(0)
    expect("listen", "ok", asked=0)
    waiting = [socket.socket() for _ in range(3)]
    nonblocking(*waiting)
    for sock in waiting:
        assert sock.connect_ex(door.getsockname()) == errno.EINPROGRESS
        expect("connect_ex", "in_progress")
    late, later = socket.socket(), socket.socket()
    late.settimeout(0.05)
    expect("settimeout", "ok", asked=50_000_000)
    later.settimeout(0.05)
    expect("settimeout", "ok", asked=50_000_000)
    try:
        late.connect(door.getsockname())
    except socket.timeout:
        expect("connect", "timeout", timeout_ns=50_000_000)
    assert later.connect_ex(door.getsockname()) == errno.EAGAIN
    expect("connect_ex", "timeout", errno=errno.EAGAIN, timeout_ns=50_000_000)


def case_accept():
    door = listener(0)
    try:
        door.accept()
    except BlockingIOError as error:
        expect("accept", "would_block", errno=error.errno, timeout_ns=0)
    client = socket.create_connection(door.getsockname())
    expect("connect", "ok")
    readable(door)
    conn, _ = door.accept()
    expect("accept", "ok", new_socket="accepted")
    door.close()
    expect("close", "ok")
    try:
        door.accept()
    except OSError as error:
        expect("accept", "error", errno=error.errno)
    try:
        conn.accept()
    except OSError as error:
        expect("accept", "error", errno=error.errno)
    conn.close()
    expect("close", "ok")
    client.close()
    expect("close", "ok")


def case_bind_and_listen():
    a, b = socket.socket(), socket.socket()
    a.bind(("127.0.0.1", 0))
    expect("bind", "ok", peer="127.0.0.1:0")
    try:
        b.bind(a.getsockname())
    except OSError as error:
        expect("bind", "error", errno=error.errno)
    a.listen(7)
    expect("listen", "ok", asked=7)
    a.listen()
    expect("listen", "ok", asked=None)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        try:
            udp.listen()
        except OSError as error:
            expect("listen", "error", errno=error.errno)
    expect("close", "ok")


def case_shutdown_and_options():
    a, b = stream()
    a.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    expect("setsockopt", "ok", asked=1, flags=socket.SOL_SOCKET << 16 | socket.SO_KEEPALIVE)
    a.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 0, 0))
    expect("setsockopt", "ok", asked=None, flags=socket.SOL_SOCKET << 16 | socket.SO_LINGER)
    try:
        a.setsockopt(socket.SOL_SOCKET, 9999, 1)
    except OSError as error:
        expect("setsockopt", "error", errno=error.errno)
    a.shutdown(socket.SHUT_RDWR)
    expect("shutdown", "ok", asked=socket.SHUT_RDWR)
    with socket.socket() as lonely:
        try:
            lonely.shutdown(socket.SHUT_WR)
        except OSError as error:
            expect("shutdown", "error", errno=error.errno)
    expect("close", "ok")
    fd = b.detach()
    expect("detach", "ok")
    assert b.fileno() == -1 and b.detach() == -1
    expect("detach", "ok")
    os.close(fd)


# Families.


def case_unix_path():
    path = os.path.join(FOLDER, "door")
    door = listener(family=socket.AF_UNIX, address=path)
    a = socket.socket(socket.AF_UNIX)
    a.connect(path)
    expect("connect", "ok", peer="unix:" + path)
    conn, _ = door.accept()
    expect("accept", "ok", new_socket="accepted")
    a.sendall(b"over a path")
    expect("sendall", "ok", 11)
    assert conn.recv(100) == b"over a path"
    expect("recv", "ok", 11)
    udp = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        udp.sendto(b"x", os.path.join(FOLDER, "nobody"))
    except FileNotFoundError as error:
        expect("sendto", "error", errno=error.errno, peer="unix:" + os.path.join(FOLDER, "nobody"))


def case_unix_abstract():
    name = "\0sockreel-test-%d" % os.getpid()
    door = socket.socket(socket.AF_UNIX)
    door.bind(name)
    expect("bind", "ok", peer="unix:@" + name[1:])
    door.listen()
    expect("listen", "ok")
    a = socket.socket(socket.AF_UNIX)
    a.connect(name)
    expect("connect", "ok", peer="unix:@" + name[1:])


def case_socketpair():
    a, b = socket.socketpair()
    a.send(b"pair")
    expect("send", "ok", 4)
    assert b.recv(10) == b"pair"
    expect("recv", "ok", 4)
    a.close()
    expect("close", "ok")
    assert b.recv(10) == b""
    expect("recv", "eof", 0)
    a, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    a.send(b"")
    expect("send", "ok", 0)
    assert b.recv(10) == b""
    expect("recv", "ok", 0)
    a, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    a.send(b"packet")
    expect("send", "ok", 6)
    assert b.recv(3) == b"pac"
    expect("recv", "ok", 3)


def case_ipv6():
    try:
        door = listener(family=socket.AF_INET6, address=("::1", 0))
    except OSError:
        return
    a = socket.socket(socket.AF_INET6)
    a.connect(door.getsockname())
    expect("connect", "ok", peer="[::1]:%d" % door.getsockname()[1])
    conn, _ = door.accept()
    expect("accept", "ok", new_socket="accepted")
    conn.close()
    expect("close", "ok")
    assert a.recv(1) == b""
    expect("recv", "eof", 0)


# Interruptions.


class Alarm(Exception):
    pass


def case_interrupted():
    a, b = stream()

    def ring(error):
        def handler(number, frame):
            raise error

        signal.signal(signal.SIGALRM, handler)
        signal.setitimer(signal.ITIMER_REAL, 0.05)

    ring(KeyboardInterrupt())
    try:
        b.recv(10)
    except KeyboardInterrupt:
        expect("recv", "interrupted")
    ring(SystemExit(3))
    try:
        b.recv(10)
    except SystemExit:
        expect("recv", "interrupted")
    ring(Alarm("wake up"))
    try:
        b.recv(10)
    except Alarm:
        expect("recv", "error")

    def answer(number, frame):
        a.send(b"from a handler")

    signal.signal(signal.SIGALRM, answer)
    signal.setitimer(signal.ITIMER_REAL, 0.05)
    assert b.recv(20) == b"from a handler"
    expect("recv", "ok", 14)


def case_wrong_arguments():
    a, b = stream()
    nonblocking(a, b)
    failing(a.recv)
    failing(a.recv, "ten")
    failing(a.recv, 1.5)
    failing(a.recv, 10, 0, 0)
    failing(a.recv, 2**70)
    failing(a.recv_into)
    failing(a.recv_into, b"read only")
    failing(a.recv_into, bytearray(3), nbytes="x")
    failing(a.recv_into, bytearray(3), no=1)
    failing(a.recvfrom)
    failing(a.recvmsg)
    failing(a.recvmsg_into, 5)
    failing(a.recvmsg_into, [b"read only"])
    failing(a.send)
    failing(a.send, "text")
    failing(a.send, None)
    failing(a.send, memoryview(b"abcdef")[::2])
    failing(a.sendall, 5)
    failing(a.sendto, b"x")
    failing(a.sendto, b"x", 5)
    failing(a.sendto, b"x", ("host",))
    failing(a.sendmsg)
    failing(a.sendmsg, [1])
    failing(a.sendmsg, 7)
    failing(a.connect)
    failing(a.connect, 5)
    failing(a.connect, ("127.0.0.1", "http"))
    failing(a.connect, ("127.0.0.1", 70000))
    failing(a.connect_ex, "nonsense")
    failing(a.bind)
    failing(a.bind, ("127.0.0.1", -1))
    failing(a.listen, "many")
    failing(a.shutdown)
    failing(a.setsockopt, 1)
    failing(a.setsockopt, 1, 2, 3.5)
    failing(a.settimeout, "soon")
    failing(a.settimeout, -1)
    failing(a.setblocking)
    failing(a.sendfile)
    failing(a.sendfile, 5)
    failing(a.close, 1)
    failing(a.detach, 1)
    failing(a._accept, 1)
    failing(socket.socket.recv)
    failing(socket.socket.recv, 5)
    failing(socket.socket.recv, 5, 10)
    failing(socket.socket.sendall, object(), b"x")


def case_peeks_do_not_disturb():
    """Nothing of what was given is kept: buffers stay the caller's, and can be resized at once."""
    a, b = stream()
    a.sendall(b"abc")
    expect("sendall", "ok", 3)
    room = bytearray(5)
    b.recv_into(room)
    expect("recv_into", "ok", 3)
    room.extend(b"more")
    out = bytearray(b"growing")
    a.send(out)
    expect("send", "ok", 7)
    out.extend(b"!")
    a.sendmsg([out])
    expect("sendmsg", "ok", 8)
    out.clear()


def case_threads():
    a, b = stream()

    def talk():
        a.sendall(b"from a thread")

    thread = threading.Thread(target=talk, name="talker")
    thread.start()
    assert b.recv(13, socket.MSG_WAITALL) == b"from a thread"
    expect("recv", "ok", 13)
    thread.join()


def main():
    chosen = sys.argv[1:]
    try:
        for name, case in list(globals().items()):
            if name.startswith("case_") and (not chosen or name in chosen):
                expected[name] = []
                case()
    finally:
        shutil.rmtree(FOLDER)
    for line in seen:
        print(*line)
    print(json.dumps(expected))


if __name__ == "__main__":
    main()
