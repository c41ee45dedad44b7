"""Carries out socket operations given as JSON on the command line, each on one of a few pairs; ignores what they raise.

Run under the agent alone, by both cores, with the same list: the tapes must tell the same.
"""
import json
import socket
import sys

pairs = [socket.socketpair() for _ in range(2)]
for pair in pairs:
    for sock in pair:
        sock.setblocking(False)
datagrams = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
for sock in datagrams:
    sock.setblocking(False)
pairs.append(datagrams)


class Index:
    """A number that is no int."""

    def __index__(self):
        return 3


def buffers(kind, data):
    if kind == 0:
        return data
    if kind == 1:
        return bytearray(data)
    return memoryview(data)


def act(which, side, name, size, flags, kind):
    sock = pairs[which][side]
    data = bytes(range(97, 123)) * (size // 26 + 1)
    data = data[:size]
    if name == "recv":
        sock.recv(size, flags)
    elif name == "recv_odd":
        sock.recv([size, "x", Index(), True, -1, 2**70][kind])
    elif name == "recvfrom":
        sock.recvfrom(size, flags)
    elif name == "recv_into":
        sock.recv_into(bytearray(size), *([0] if kind else []))
    elif name == "recv_into_named":
        sock.recv_into(buffer=bytearray(max(size, 1)), nbytes=min(size, 1))
    elif name == "recvmsg":
        sock.recvmsg(size)
    elif name == "recvmsg_into":
        sock.recvmsg_into([bytearray(size), bytearray(3)])
    elif name == "send":
        sock.send(buffers(kind % 3, data), flags)
    elif name == "send_odd":
        sock.send([None, "text", 5, data, object(), 1.5][kind])
    elif name == "sendall":
        sock.sendall(buffers(kind % 3, data))
    elif name == "sendmsg":
        sock.sendmsg([data, b"tail"])
    elif name == "sendmsg_iterator":
        sock.sendmsg(iter([data]))
    elif name == "setblocking":
        sock.setblocking(kind % 2 == 2)
    elif name == "settimeout":
        sock.settimeout([0, 0.0, 0, 0, 0, 0][kind])
    elif name == "setsockopt":
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096 + size)
    elif name == "shutdown":
        sock.shutdown(kind % 3)
    elif name == "unbound":
        socket.socket.recv(sock, size)
    elif name == "bound":
        method = sock.recv
        method(size)
    elif name == "wrong_self":
        socket.socket.recv(kind, size)
    elif name == "close":
        sock.close()
    elif name == "detach":
        sock.detach()


for step in json.loads(sys.argv[1]):
    try:
        act(*step)
    except (OSError, TypeError, ValueError, OverflowError) as error:
        print(type(error).__name__, error)
    else:
        print("fine")
