"""The cases of outcomes.py about datagrams, connections, families and interruptions."""
# Runs under Python 3.8, too.
# ruff: noqa: UP031, UP041, RUF059

import errno
import os
import signal
import socket
import struct
import threading

from outcomes_support import FOLDER, datagrams, expect, failing, listener, nonblocking, readable, stream, unused_port

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
    expect("close", "ok")


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
        expect("recv", "interrupted")

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
