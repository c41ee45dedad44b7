"""Two sockets that send SIGIO, a case each: `armed.py CASE` prints who was heard, and what.

Runs from Python 3.8 on.
"""

import ctypes
import fcntl
import json
import os
import signal
import socket
import sys

one, to_one = socket.socketpair()
two, to_two = socket.socketpair()
for sock in (one, two):
    sock.setblocking(False)
said = []


def arm(sock, number=None):
    fcntl.fcntl(sock, fcntl.F_SETOWN, os.getpid())
    if number is not None:
        fcntl.fcntl(sock, 10, number)  # F_SETSIG
    fcntl.fcntl(sock, fcntl.F_SETFL, fcntl.fcntl(sock, fcntl.F_GETFL) | os.O_ASYNC)


def hear(sock):
    try:
        said.append(["one" if sock is one else "two", sock.recv(10).decode()])
    except BlockingIOError:
        said.append("nothing")


def handle(do, number=signal.SIGIO):
    """Have signals handled by a function that is told how many came before."""
    before = iter(range(100))
    signal.signal(number, lambda number, frame: do(next(before)))


def at_once(command, do):
    """Call a function when the kernel has done a command of fcntl on `two`, before the program's call of it has returned.

    The interpreter tells of that call before it makes it: then the same is done where nobody sees it.
    """
    library = ctypes.CDLL(None)
    left = [do]

    def audit(event, args):
        if event == "fcntl.fcntl" and args[1] == command and left:
            library.fcntl(two.fileno(), command, args[2])
            left.pop()()

    sys.addaudithook(audit)


def case_while_it_is_armed():
    handle(lambda before: hear(two))
    arm(one)
    at_once(fcntl.F_SETFL, lambda: to_two.send(b"soon"))
    arm(two)


def case_while_its_signal_changes():
    handle(lambda before: hear(two), signal.SIGUSR1)
    arm(one, signal.SIGUSR1)
    arm(two)
    at_once(10, lambda: to_two.send(b"changed"))
    fcntl.fcntl(two, 10, signal.SIGUSR1)


def case_arming_that_fails():
    handle(lambda before: hear(two))
    arm(one)
    arm(two)
    for wrong in ((10, 999), (10, 1.5), (fcntl.F_SETFL, 1.5)):
        try:
            fcntl.fcntl(two, *wrong)
        except (OSError, TypeError) as error:
            said.append(type(error).__name__)
    to_two.send(b"still")


def case_armed_by_what_is_like_a_number():
    class Flags:
        def __index__(self):
            return os.O_ASYNC | os.O_NONBLOCK

    handle(lambda before: hear(two))
    arm(one)
    fcntl.fcntl(two, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(two, fcntl.F_SETFL, Flags())
    to_two.send(b"flags")


def case_one_inside_the_other():
    def handler(before):
        hear(two)
        if not before:
            to_two.send(b"inner")
            hear(one)

    handle(handler)
    arm(one)
    arm(two)
    to_one.send(b"outer")


def case_one_inside_the_other_that_was_answered():
    def handler(before):
        hear(two if before else one)
        if not before:
            to_two.send(b"inner")
            hear(two)

    handle(handler)
    arm(one)
    arm(two)
    to_one.send(b"outer")


def case_of_one_that_is_gone():
    def handler(before):
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGIO])
        hear(one if before else two)
        if not before:
            to_two.send(b"late")
            two.close()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGIO])

    handle(handler)
    arm(one)
    arm(two)
    to_two.send(b"in time")
    to_one.send(b"alone")


def case_taken_by_a_call():
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGIO])
    arm(one)
    arm(two)
    to_two.send(b"taken")
    said.append(signal.sigtimedwait([signal.SIGIO], 60).si_signo == signal.SIGIO)
    said.append(signal.sigtimedwait([signal.SIGIO], 0))
    hear(one)
    hear(two)


if __name__ == "__main__":
    globals()["case_" + sys.argv[1]]()
    for sock in (one, two):
        if sock.fileno() >= 0:
            fcntl.fcntl(sock, fcntl.F_SETFL, os.O_NONBLOCK)
    print(json.dumps(said))
