"""Raises through everything that the agent stands in for, and prints what the program sees of it."""

import os
import select
import signal
import socket
import sys
import traceback


def show(do):
    try:
        do()
    except BaseException as error:
        print(type(error).__name__, error, error.__context__, error.__cause__)
        for line in traceback.format_exception(type(error), error, error.__traceback__):
            print(line, end="")


class Raises:
    def fileno(self):
        raise RuntimeError("mine")


class Says:
    def __init__(self, value):
        self.value, self.asked = value, 0

    def fileno(self):
        self.asked += 1
        return self.value


def main():
    print(sys.version_info[:2])
    show(lambda: os.read(9999, 1))
    show(lambda: os.write(9999, b"x"))
    show(lambda: os.close(9999))
    show(lambda: select.select([9999], [], [], 0))
    show(lambda: select.select([Raises()], [], []))
    show(lambda: select.select([Says("x")], [], []))
    show(lambda: select.select([Says(-1)], [], [], 0))
    show(lambda: select.select(1, 2, 3))
    show(lambda: select.select([], [], [], "soon"))
    show(lambda: select.select([], [], []) if len(sys.argv) > 9 else select.select([], []))
    epoll = select.epoll()
    show(lambda: epoll.register(9999))
    show(lambda: epoll.register(Raises()))
    show(lambda: epoll.modify(9999, 1))
    show(lambda: epoll.unregister("x"))
    show(lambda: epoll.poll("x"))
    show(lambda: epoll.poll(0, 0))
    epoll.close()
    show(lambda: epoll.poll(0))
    show(lambda: epoll.register(1))
    poll = select.poll()
    show(lambda: poll.register(Says("x")))
    show(lambda: poll.unregister(9999))
    show(lambda: poll.poll("x"))
    show(lambda: socket.socket().bind(("256.1.1.1.1", 1)))
    sock = socket.socket()
    sock.setblocking(False)
    show(lambda: sock.recv(1))
    show(lambda: sock.accept())
    show(lambda: sock.recv())
    show(lambda: sock.send("text"))
    show(lambda: os.execve("/nonexistent", ["x"], {}))
    signal.signal(signal.SIGALRM, lambda *_: 1 / 0)
    signal.setitimer(signal.ITIMER_REAL, 0.05)
    show(lambda: select.select([], [], [], 5))
    signal.setitimer(signal.ITIMER_REAL, 0.05)
    one, two = socket.socketpair()
    show(lambda: one.recv(1))
    # Objects with a number of their own are asked once, and come back as they were.
    two.send(b"x")
    reader, again, other = Says(one.fileno()), Says(one.fileno()), Says(two.fileno())
    readable, writable, _ = select.select([reader, other, again, one], [other], [], 1)
    print(readable == [reader, again, one], writable == [other], reader.asked, again.asked, other.asked)
    poll = select.poll()
    poll.register(reader, select.POLLIN)
    print(poll.poll(0) == [(one.fileno(), select.POLLIN)], reader.asked)


main()
