"""Forks while another thread keeps sockets to itself: the child lets go of them before any hook of the fork has run."""

import os
import socket
import threading


class Holder:
    """Closes a bare descriptor, and says goodbye on a socket, when it is let go of."""

    def __init__(self):
        self.ours, theirs = socket.socketpair()
        self.bare = theirs.detach()

    def __del__(self):
        os.write(self.bare, b"left")
        self.ours.recv(4)
        os.close(self.bare)
        self.ours.close()


own = threading.local()


def hold(held, done):
    own.holder = Holder()
    held.set()
    done.wait()
    own.holder.ours.send(b"held")


def main():
    one, two = socket.socketpair()
    for n in range(3):
        held, done = threading.Event(), threading.Event()
        thread = threading.Thread(target=hold, args=(held, done))
        thread.start()
        held.wait()
        child = os.fork()
        if not child:
            one.send(b"child %d" % n)
            os._exit(0)
        os.waitpid(child, 0)
        assert two.recv(20) == b"child %d" % n
        for m in range(20):
            one.send(b"parent %d %d" % (n, m))
            two.recv(20)
        done.set()
        thread.join()
    print(os.getpid())


main()
