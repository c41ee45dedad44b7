"""Makes rows of nearly every table of a trace, always as many calls: threads, children, polls, signals, calls in calls.

    of_every_kind.py [PORT]
"""

import os
import select
import signal
import socket
import sys
import threading
import time

WAIT_S = 0.13  # a call that is open for as long has a row before it returns


def spin(sock, times):
    for _ in range(times):
        try:
            sock.recv(10)
        except BlockingIOError:
            pass


def late_answer(sock):
    sock.recv(10)
    sock.sendall(b"answer" * 10)


def interrupted(one, other):
    """Block in a call until a handler, inside it, has made the call that ends it."""
    signal.signal(signal.SIGALRM, lambda number, frame: other.send(b"from the handler"))
    signal.setitimer(signal.ITIMER_REAL, WAIT_S)
    one.recv(100)


def serve(listener, address):
    poller = select.poll()
    poller.register(listener, select.POLLIN)
    client = socket.create_connection(address)
    poller.poll(1000)
    server, _ = listener.accept()
    poller.register(server, select.POLLIN)
    client.sendall(b"question" * 40)
    poller.poll(1000)
    server.recv(1000)
    server.sendall(b"reply")
    client.recv(1000)
    client.close()
    server.close()


one, other = socket.socketpair()
one.setblocking(False)
spin(one, 50)
one.setblocking(True)
thread = threading.Thread(target=late_answer, args=(other,), name="late")
thread.start()
time.sleep(WAIT_S)
one.sendall(b"go")
one.recv(100)
thread.join()
interrupted(one, other)
with socket.create_server(("127.0.0.1", int(sys.argv[1]) if len(sys.argv) > 1 else 0)) as listener:
    serve(listener, listener.getsockname())
child = os.fork()
if not child:
    other.setblocking(False)
    spin(other, 50)
    os._exit(0)
os.waitpid(child, 0)
one.setblocking(False)
datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
datagrams.bind(("127.0.0.1", 0))
datagrams.sendto(b"to itself", datagrams.getsockname())
datagrams.recvfrom(100)
spin(one, 50)
