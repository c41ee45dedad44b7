"""Small servers, each broken in one way; with `sound` as second argument the same server without the fault.

They print nothing, serve on a port of their choice, and end with Ctrl-C. They know nothing of sockreel.
"""

import contextlib
import os
import resource
import select
import selectors
import socket
import sys
import threading
import time

fault, sound = sys.argv[1], sys.argv[2:] == ["sound"]
listener = socket.socket()
listener.bind(("127.0.0.1", 0))
listener.listen(128)


def half_blocking():
    # The tutorial's own: only the listener is nonblocking.
    listener.setblocking(False)
    conns = []
    while True:
        with contextlib.suppress(BlockingIOError):
            conn, _ = listener.accept()
            if sound:
                conn.setblocking(False)
            conns.append(conn)
        for conn in list(conns):
            with contextlib.suppress(BlockingIOError):
                data = conn.recv(1024)
                if data:
                    conn.sendall(data.upper())
                else:
                    conn.close()
                    conns.remove(conn)


def empty_reads():
    listener.setblocking(False)
    conns = []
    while True:
        select.select([listener, *conns], [], [], 1)
        with contextlib.suppress(BlockingIOError):
            conn, _ = listener.accept()
            conn.setblocking(False)
            conns.append(conn)
        for conn in list(conns):
            with contextlib.suppress(BlockingIOError):
                data = conn.recv(1024)
                conn.sendall(data.upper())
                if sound and not data:
                    conns.remove(conn)
                    conn.close()
        if not sound:
            time.sleep(0.001)


def edge_not_drained():
    size = 4096 if sound else 4
    epoll = select.epoll()
    listener.setblocking(False)
    epoll.register(listener, select.EPOLLIN)
    conns = {}
    while True:
        for fd, _ in epoll.poll():
            if fd == listener.fileno():
                conn, _ = listener.accept()
                conn.setblocking(False)
                conns[conn.fileno()] = conn
                epoll.register(conn, select.EPOLLIN | select.EPOLLET)
                continue
            with contextlib.suppress(BlockingIOError):
                while data := conns[fd].recv(size):
                    conns[fd].sendall(data.upper())
                    if not sound:
                        break
                if not data:
                    conns.pop(fd).close()


def write_interest():
    chooser = selectors.DefaultSelector()
    chooser.register(listener, selectors.EVENT_READ)
    while True:
        for key, events in chooser.select():
            if key.fileobj is listener:
                conn, _ = listener.accept()
                chooser.register(conn, selectors.EVENT_READ | (0 if sound else selectors.EVENT_WRITE))
            elif events & selectors.EVENT_READ:
                data = key.fileobj.recv(1024)
                if data:
                    key.fileobj.sendall(data.upper())
                else:
                    chooser.unregister(key.fileobj)
                    key.fileobj.close()


def partial_send():
    while True:
        conn, _ = listener.accept()
        conn.recv(1024)
        if not sound:
            conn.setblocking(False)
        flood = bytes(20_000_000)
        if sound:
            # To a client that does not read for ever: half of it is enough to show.
            conn.send(flood[:10])
        else:
            conn.send(flood)
        conn.close()


def small_reads():
    while True:
        conn, _ = listener.accept()
        lines = conn.makefile("rb")
        while True:
            line = b""
            if sound:
                line = lines.readline()
            else:
                while not line.endswith(b"\n"):
                    letter = conn.recv(1)
                    if not letter:
                        break
                    line += letter
            if not line:
                break
            conn.sendall(line.upper())
        lines.close()
        conn.close()


def forgotten_close():
    kept = []

    def serve(conn):
        while data := conn.recv(1024):
            conn.sendall(data.upper())
        if sound:
            conn.close()
        kept.append(conn)

    while True:
        conn, _ = listener.accept()
        threading.Thread(target=serve, args=(conn,), daemon=True).start()


def no_descriptors():
    kept = [] if sound else [os.open("/dev/null", os.O_RDONLY)]
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    with contextlib.suppress(OSError):
        while not sound:
            kept.append(os.dup(kept[0]))
    while True:
        try:
            conn, _ = listener.accept()
        except OSError:
            time.sleep(0.01)
            continue
        while data := conn.recv(1024):
            conn.sendall(data.upper())
        conn.close()


def select_limit():
    socks = [listener]
    for _ in range(470 if not sound else 4):
        socks += socket.socketpair()
    while True:
        readable, _, _ = select.select(socks, [], [], 1)
        for sock in readable:
            if sock is listener:
                conn, _ = listener.accept()
                socks.append(conn)
                continue
            data = sock.recv(1024)
            if data:
                sock.sendall(data.upper())
            else:
                socks.remove(sock)
                sock.close()


try:
    {"half-blocking": half_blocking, "empty-reads": empty_reads, "edge-not-drained": edge_not_drained, "write-interest": write_interest,
     "partial-send": partial_send, "no-descriptors": no_descriptors,
     "small-reads": small_reads, "forgotten-close": forgotten_close, "select-limit": select_limit}[fault]()
except KeyboardInterrupt:
    pass
