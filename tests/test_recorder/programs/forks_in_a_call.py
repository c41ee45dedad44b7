"""A signal handler forks in the middle of a call: the child returns into it, gets what came first, and ends; then its parent does."""

import os
import select
import signal
import socket
import sys
import time

what = sys.argv[1]
ours, theirs = socket.socketpair()
poller = select.epoll()
poller.register(ours, select.EPOLLIN)
child = None


def handler(*_):
    global child
    child = os.fork()
    if not child:
        return
    theirs.send(b"for the child")
    assert os.waitpid(child, 0)[1] == 0
    theirs.send(b", the rest for its parent")
    if what == "raise":
        raise KeyError("parent")


def watch(pid):
    """Send the signal once a process has slept for a while: it does so in its call only."""
    asleep = 0
    while asleep < 5:
        with open(f"/proc/{pid}/stat") as stat:
            asleep = asleep + 1 if stat.read().rpartition(") ")[2][0] == "S" else 0
        time.sleep(0.01)
    os.kill(pid, signal.SIGALRM)
    os._exit(0)


def call():
    if what == "epoll":
        return poller.poll()
    if what == "select":
        return select.select([ours], [], [])
    return ours.recv(13)


signal.signal(signal.SIGALRM, handler)
main = os.getpid()
watcher = os.fork()
if not watcher:
    watch(main)
try:
    call()
except KeyError:
    pass
if child == 0:
    ours.send(b"thanks")
    os._exit(0)
os.waitpid(watcher, 0)
print(main)
