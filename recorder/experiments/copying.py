"""What a receive takes that finds its data: the copy, from 1 byte to 1 MB; `blocking` or `nonblocking`.

A blocking receive is first called while nothing is there, and the other end keeps silent for 50 ms.
"""
import socket
import struct
import sys
import threading
import time
from fcntl import ioctl
from termios import FIONREAD

SIZES = (1, 64, 1024, 4096, 16384, 65536, 262144, 1048576)
ROUNDS = 40
SILENCE_S = 0.05
ROOM = 4 << 20  # as much as the kernel allows of it

blocks = sys.argv[1] == "blocking"
listener = socket.create_server(("127.0.0.1", 0))
sender = socket.socket()
sender.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, ROOM)
sender.connect(listener.getsockname())
receiver, _ = listener.accept()
receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, ROOM)
sender.setblocking(False)
receiver.setblocking(blocks)
buffer = bytearray(SIZES[-1])


def speak_late():
    """Say one byte after a silence."""
    time.sleep(SILENCE_S)
    sender.send(b"!")


def lying_there():
    """Return how many bytes the kernel holds for the receiver."""
    return struct.unpack("i", ioctl(receiver, FIONREAD, bytes(4)))[0]


def deliver(size):
    """Put bytes into the receiver's buffer in the kernel, and return how many fit."""
    sent = sender.send(bytes(size))
    for _ in range(100):  # the kernel may take the rest only once the first part has arrived
        if lying_there() == size:
            break
        try:
            sent += sender.send(bytes(size - sent)) if sent < size else 0
        except BlockingIOError:
            pass
    while lying_there() < sent:
        pass
    return sent


if blocks:
    late = threading.Thread(target=speak_late)
    late.start()
    receiver.recv(1)  # nothing is there: waits, then copies
    late.join()
for size in SIZES:
    for _ in range(ROUNDS):
        receiver.recv_into(buffer, deliver(size))  # all of it is there: copies
for sock in (receiver, sender, listener):
    sock.close()
