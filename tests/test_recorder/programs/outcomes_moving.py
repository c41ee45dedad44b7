"""The cases of outcomes.py about streams: receiving and sending."""
# Runs under Python 3.8, too.
# ruff: noqa: UP041, RUF059

import array
import errno
import fcntl
import os
import socket
import struct

from outcomes_support import FOLDER, datagrams, expect, full, listener, nonblocking, readable, resetting, stream

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
    expect("fcntl", "ok")
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
        else:
            expect(name, "ok", 2, asked=2, timeout_ns=0)  # the kernel found room after all
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
