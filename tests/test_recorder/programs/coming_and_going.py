"""Connections that come and go in plain ways and odd ones, watched by every kind of poller; prints what it saw.

Run under the agent alone, by both cores: the tapes must tell the same, but for ports and times.
"""
import gc
import os
import select
import selectors
import socket
import sys

said = []


def tried(function, *args, **kw):
    try:
        told = function(*args, **kw)
    except Exception as error:
        told = type(error).__name__, str(error)
    said.append(repr(told) if not isinstance(told, (socket.socket, list)) else type(told).__name__)
    return told


def listening(family, address):
    listener = socket.socket(family)
    if family == socket.AF_INET6:
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    listener.bind(address)
    listener.listen(16)
    listener.setblocking(False)
    return listener


def client_of(listener, host="127.0.0.1"):
    if listener.family == socket.AF_UNIX:
        client = socket.socket(socket.AF_UNIX)
        client.connect(listener.getsockname())
        return client
    return socket.create_connection((host, listener.getsockname()[1]))


def serve(listener, host="127.0.0.1"):
    """An exchange as servers have it, and the end by either side."""
    tried(listener.accept)
    for first_to_leave in (0, 1):
        client = client_of(listener, host)
        conn, _ = listener.accept()
        tried(conn.recv, 10, socket.MSG_DONTWAIT) if first_to_leave else conn.setblocking(False)
        client.sendall(b"a question")
        said.append(conn.recv(100))
        conn.send(b"an answer, of which nobody reads the end")
        client.recv(2)
        ends = (conn, client) if first_to_leave else (client, conn)
        for end in ends:
            end.close()
            end.close()


def timeouts(listener):
    client = client_of(listener)
    conn, _ = listener.accept()
    for how in (True, False, 1, 0, None, "x", [], 2.5):
        tried(conn.setblocking, how)
        tried(conn.recv, 1, socket.MSG_DONTWAIT)
    for how in (None, 0, 0.0, 0.029, -1, "x", False):
        tried(conn.settimeout, how)
        tried(conn.recv, 1, socket.MSG_DONTWAIT)
    socket.setdefaulttimeout(0.03)
    other = client_of(listener)
    late, _ = listener.accept()
    socket.setdefaulttimeout(None)
    tried(late.recv, 1, socket.MSG_DONTWAIT)
    for sock in (client, conn, other, late):
        sock.close()


def odd_ends(listener):
    """Descriptors that are taken, shared, given away and closed behind a socket's back."""
    clients = [client_of(listener) for _ in range(8)]
    raw, _ = listener._accept()
    os.close(raw)  # never an object of its own
    raw, _ = listener._accept()
    one, two = socket.socket(fileno=raw), socket.socket(fileno=raw)
    tried(one.send, b"1"), tried(two.send, b"2")
    two.detach()
    one.close()
    conn, _ = listener.accept()
    os.close(conn.fileno())
    tried(conn.recv, 1)
    tried(conn.close)
    conn, _ = listener.accept()
    conn.sendall(b"dropped")
    del conn
    gc.collect()
    conn, _ = listener.accept()
    copy = conn.dup()
    copy.send(b"copied")
    conn.close()
    copy.close()
    conn, _ = listener.accept()
    again = socket.socket(fileno=conn.detach())
    again.send(b"again")
    again.close()
    conn, _ = listener.accept()
    conn.send(b"first use")
    shadow = socket.socket(fileno=os.dup(conn.fileno()))
    os.dup2(clients[0].fileno(), conn.fileno())  # another socket under the same number
    tried(conn.send, b"whose?")
    conn.close()
    shadow.close()
    conn, _ = listener.accept()
    conn.close()  # its first use
    for client in clients:
        client.close()


class Named:
    def __init__(self, sock):
        self.sock = sock

    def fileno(self):
        return self.sock.fileno()


class Odd(socket.socket):
    told = "none"

    def fileno(self):
        return self.told


def watched(listener, make, see):
    """Register, modify, unregister and wait, in every shape."""
    poller = make()
    client = client_of(listener)
    conn, _ = listener.accept()
    r, w = os.pipe()
    odd = Odd(socket.AF_INET)
    tried(poller.register, conn, see), tried(poller.register, listener.fileno(), see)
    tried(poller.register, r, eventmask=see), tried(poller.register, w)
    tried(poller.register, Named(conn), see), tried(poller.register, "x"), tried(poller.register)
    tried(poller.register, odd, see), tried(poller.register, -1, see), tried(poller.register, 2**70), tried(poller.register, r, 2**70)
    tried(poller.register, True, see), tried(poller.register, r, None), tried(poller.register, r, see, see)
    tried(poller.modify, conn, see), tried(poller.modify, w, 0), tried(poller.modify, 12345, see)
    plain = ((0,), (0, 1), (None,), (0.0,), (-1, 5), (True, 3))
    refused = (("x",), (float("nan"),), (1e300,), (2**70,), (0, 0), (0, "x"), (0, 1, 2))
    for args in plain + refused:
        client.send(b"!")
        tried(poller.poll, *args)
        conn.setblocking(False)
        tried(conn.recv, 100)
    tried(poller.poll, timeout=0)
    tried(poller.unregister, r), tried(poller.unregister, r), tried(poller.unregister, conn), tried(poller.unregister, Named(odd))
    tried(poller.poll, 0)
    os.close(r), os.close(w)
    method = poller.poll
    tried(method, 0)
    if hasattr(poller, "close"):
        poller.close()
        tried(poller.poll, 0), tried(poller.register, conn, see), tried(poller.close)
    for sock in (client, conn, odd):
        Odd.told = -1
        sock.close()


def selected(listener):
    for make in (selectors.EpollSelector, selectors.PollSelector, selectors.SelectSelector):
        with make() as selector:
            client = client_of(listener)
            conn, _ = listener.accept()
            selector.register(listener, selectors.EVENT_READ)
            selector.register(conn, selectors.EVENT_READ | selectors.EVENT_WRITE)
            said.append(len(selector.select(1)))
            selector.modify(conn, selectors.EVENT_READ)
            said.append(len(selector.select(0)))
            selector.unregister(conn)
            conn.close(), client.close()


def forked(listener):
    client = client_of(listener)
    conn, _ = listener.accept()
    conn.send(b"of the parent")
    poller = select.epoll()
    poller.register(conn, select.EPOLLIN)
    sys.stdout.flush()
    pid = os.fork()
    if not pid:
        conn.send(b"of the child")
        poller.poll(0)
        del conn
        other = client_of(listener)
        mine, _ = listener.accept()
        mine.close(), other.close()
        os._exit(0)
    os.waitpid(pid, 0)
    poller.close(), conn.close(), client.close()


def main():
    folder = sys.argv[1]
    for family, address, host in (
        (socket.AF_INET, ("127.0.0.1", 0), "127.0.0.1"),
        (socket.AF_INET, ("", 0), "127.0.0.1"),
        (socket.AF_INET6, ("::1", 0), "::1"),
        (socket.AF_INET6, ("::", 0), "127.0.0.1"),
        (socket.AF_UNIX, os.path.join(folder, "s"), ""),
    ):
        try:
            listener = listening(family, address)
        except OSError:
            continue  # no IPv6 here
        serve(listener, host)
        listener.close()
    listener = listening(socket.AF_INET, ("127.0.0.1", 0))
    timeouts(listener)
    odd_ends(listener)
    watched(listener, select.epoll, select.EPOLLIN)
    watched(listener, select.poll, select.POLLIN)
    selected(listener)
    forked(listener)
    tried(socket.socket._real_close, listener, socket.socket, 5)
    listener.close()
    gc.collect()
    for line in said:
        print(line)


main()
