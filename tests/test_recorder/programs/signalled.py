"""Every way in which Python hands a program a signal, a function each; prints what the program saw.

Runs from Python 3.8 on.
"""

import fcntl
import json
import os
import signal
import socket
import struct
import sys
import traceback

SOON_S = 0.25  # on a busy machine, too, the call that it is to come in has begun by then
said = []


def soon(number=signal.SIGALRM):
    assert number == signal.SIGALRM
    signal.setitimer(signal.ITIMER_REAL, SOON_S)


def case_recv_goes_on():
    a, b = socket.socketpair()

    def handler(number, frame):
        said.append(["handler", number, frame.f_code.co_name])
        a.send(b"woken")

    said.append(["before", str(signal.signal(signal.SIGALRM, handler)) in ("Handlers.SIG_DFL", "0")])
    said.append(["handler is mine", signal.getsignal(signal.SIGALRM) is handler, signal.signal(signal.SIGALRM, handler) is handler])
    soon()
    said.append(b.recv(10).decode())
    a.close()
    b.close()


class Late(Exception):
    pass


def case_handler_raises():
    a, b = socket.socketpair()

    def handler(number, frame):
        raise Late("now")

    signal.signal(signal.SIGALRM, handler)
    soon()
    try:
        b.recv(10)
    except Late as error:
        frames = [entry.name for entry in traceback.extract_tb(error.__traceback__) if "_sockreel" not in entry.filename]
        said.append([name for name in frames if name in ("case_handler_raises", "handler")])
    a.close()
    b.close()


def case_nested():
    a, b = socket.socketpair()

    def outer(number, frame):
        os.kill(os.getpid(), signal.SIGUSR2)
        a.send(b"outer")

    def inner(number, frame):
        a.send(b"inner ")

    signal.signal(signal.SIGALRM, outer)
    signal.signal(signal.SIGUSR2, inner)
    soon()
    signal.pause()
    said.append(b.recv(20).decode())
    a.close()
    b.close()


def case_waits():
    signals = {signal.SIGUSR1, signal.SIGRTMIN + 3}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    said.append(signal.sigtimedwait(signals, 0))
    said.append(signal.sigtimedwait(signals, 0.01))
    os.kill(os.getpid(), signal.SIGUSR1)
    said.append(signal.sigtimedwait(signals, 5).si_signo)
    os.kill(os.getpid(), signal.SIGRTMIN + 3)
    said.append(signal.sigwaitinfo(signals).si_signo - signal.SIGRTMIN)
    os.kill(os.getpid(), signal.SIGUSR1)
    said.append(repr(signal.sigwait(signals)))
    for wrong in ((signals, "soon"), (signals, -1), ("all", 1)):
        try:
            signal.sigtimedwait(*wrong)
        except (TypeError, ValueError) as error:
            said.append([type(error).__name__, str(error)])


def case_wakeup():
    a, b = socket.socketpair()
    a.setblocking(False)
    before = signal.set_wakeup_fd(a.fileno())
    signal.signal(signal.SIGUSR2, lambda number, frame: None)
    os.kill(os.getpid(), signal.SIGUSR2)
    said.append([before, list(b.recv(10)), signal.set_wakeup_fd(-1) == a.fileno()])
    a.close()
    b.close()


def arm(sock, number):
    fcntl.fcntl(sock, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(sock, 10, number)  # F_SETSIG
    fcntl.fcntl(sock, fcntl.F_SETFL, fcntl.fcntl(sock, fcntl.F_GETFL) | os.O_ASYNC | os.O_NONBLOCK)


def case_armed():
    one, to_one = socket.socketpair()
    two, to_two = socket.socketpair()
    one.setblocking(False)
    two.setblocking(False)
    number = signal.SIGRTMIN + 5
    got = []

    def handler(number, frame):
        for sock in (two, one):
            try:
                got.append(sock.recv(10).decode())
                break
            except BlockingIOError:
                pass

    signal.signal(number, handler)
    arm(one, number)
    to_one.send(b"first")
    arm(two, number)
    to_two.send(b"second")
    said.append(got)
    signal.signal(number, signal.SIG_IGN)
    for sock in (one, to_one, two, to_two):
        sock.close()


def case_blocking_behind_the_socket():
    a, b = socket.socketpair()
    os.set_blocking(a.fileno(), False)
    refused(a)
    os.set_blocking(a.fileno(), True)
    b.send(b"1")
    said.append(a.recv(1).decode())
    fcntl.ioctl(a, 0x5421, struct.pack("i", 1))  # FIONBIO
    refused(a)
    fcntl.fcntl(a, fcntl.F_SETFL, fcntl.fcntl(a, fcntl.F_GETFL) & ~os.O_NONBLOCK)
    b.send(b"2")
    said.append(a.recv(1).decode())
    a.close()
    b.close()


def refused(sock):
    try:
        sock.recv(1)
    except BlockingIOError:
        said.append("would block")


def case_fork_in_handler():
    a, b = socket.socketpair()

    def handler(number, frame):
        if not os.fork():
            a.send(b"child")
            signal.raise_signal(signal.SIGUSR2)
            os._exit(0)

    signal.signal(signal.SIGALRM, handler)
    soon()
    said.append(b.recv(10).decode())
    os.wait()
    a.close()
    b.close()


def case_interrupt():
    said.append([signal.getsignal(signal.SIGINT) is signal.default_int_handler, repr(signal.getsignal(signal.SIGINT))])
    try:
        os.kill(os.getpid(), signal.SIGINT)
        signal.pause()
    except KeyboardInterrupt:
        said.append("interrupted")


if __name__ == "__main__":
    only = sys.argv[1:]
    for name, case in list(globals().items()):
        if name.startswith("case_") and (not only or name in only):
            case()
    print(json.dumps(said))
