"""Does all that the kernel sees otherwise than Python tells it: timeouts, long sends, signals, collected sockets, children."""

import os
import selectors  # noqa: F401  (tries an epoll when it is imported)
import signal
import socket
import subprocess
import sys
import tempfile
import threading

BIG = b"x" * 4_000_000
HOST = ("127.0.0.1", 0)


def drain(sock):
    while sock.recv(65536):
        pass


def moved(send):
    """Send through a pair that a thread empties."""
    near, far = socket.socketpair()
    thread = threading.Thread(target=drain, args=(far,))
    thread.start()
    send(near)
    near.close()
    thread.join()
    far.close()


def by_timeouts():
    listener = socket.create_server(HOST)
    near = socket.create_connection(listener.getsockname(), timeout=30)
    far, _ = listener.accept()
    near.settimeout(0.001)
    try:
        near.recv(1)
    except OSError:
        pass
    near.settimeout(30)
    far.sendall(b"y")
    near.recv(1)
    refused = socket.socket()
    refused.settimeout(30)
    listener.close()
    refused.connect_ex(near.getpeername())
    for sock in (near, far, refused):
        sock.close()


def by_sends():
    moved(lambda sock: (sock.settimeout(30), sock.sendall(BIG)))
    with tempfile.TemporaryFile() as file:
        file.write(BIG)
        file.seek(0)
        moved(lambda sock: sock.sendfile(file))


class Stop(Exception):
    pass


def by_signals():
    near, far = socket.socketpair()

    def answer(*_):
        far.send(b"z")

    def stop(*_):
        raise Stop

    signal.signal(signal.SIGALRM, answer)
    signal.setitimer(signal.ITIMER_REAL, 0.05)
    near.recv(9)
    wake, woken = socket.socketpair()
    woken.setblocking(False)
    signal.set_wakeup_fd(woken.fileno())
    signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, 0.05)
    try:
        near.recv(9)
    except Stop:
        pass
    signal.set_wakeup_fd(-1)
    wake.recv(9)
    child = os.fork()
    if not child:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        near.recv(9)
    os.waitpid(child, 0)
    for sock in (near, far, wake, woken):
        sock.close()


def by_others():
    near, far = socket.socketpair()
    near.send(b"1")
    del near  # the collector closes it
    far.detach()
    held = socket.socket()
    subprocess.run([sys.executable, "-I", "-c", "import socket; a, b = socket.socketpair(); a.send(b'x'); b.recv(1)"], check=True)
    subprocess.run(["true"], check=True, close_fds=False, preexec_fn=lambda: None)
    held.close()
    socket.setdefaulttimeout(30)
    listener = socket.create_server(HOST)
    client = socket.socket()
    client.connect(listener.getsockname())
    for sock in (client, listener):
        sock.close()


by_timeouts()
by_sends()
by_signals()
by_others()
