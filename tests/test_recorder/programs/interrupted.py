"""A signal arrives at every place of every hook in turn, and its handler raises: what is raised is caught.

    interrupted.py steps KIND [CALL...]   at each instruction of Python that runs within a call, one after the other
    interrupted.py times KIND [CALL...]   at many moments, a microsecond apart

KIND names the class of what the handler raises. It prints, as JSON: how often a handler raised, how many frames that are not
this program's the exceptions came through, and what went wrong.
"""
import fcntl
import functools
import gc
import itertools
import json
import os
import select
import signal
import socket
import ssl
import subprocess
import sys
import tempfile

KINDS = {kind.__name__: kind for kind in (Exception, OSError, TimeoutError, KeyError, FileNotFoundError)}
HERE = sys._getframe().f_code.co_filename
MOST_STEPS = 3000
raised = []  # the handlers' exceptions by number: each says which it is, none is kept
wrong = []
outside = 0
kind = KINDS[sys.argv[2]]


def handler(number, frame):
    raised.append(len(raised))
    raise kind("raised", raised[-1])


class Ends:
    """What the calls are made on; made anew each time, since an interrupted call may have left anything."""

    def __init__(self):
        self.one, self.other = socket.socketpair()
        self.one.setblocking(False)
        self.fds = [self.one.fileno(), self.other.fileno()]
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.poller = select.epoll()
        self.plain = select.poll()
        self.file = tempfile.TemporaryFile()
        self.file.write(b"x" * 10)
        self.file.flush()
        self.other.send(b"something to read")
        self.client = socket.socket()
        self.open = []

    def close(self):
        for end in (self.one, self.other, self.listener, self.poller, self.file, self.client, *self.open):
            try:
                end.close()
            except OSError:
                pass  # closed by number


def poller_calls(ends):
    ends.poller.register(ends.fds[0], select.EPOLLIN)
    ends.poller.modify(ends.one, select.EPOLLIN)
    ends.poller.poll(0)
    ends.poller.unregister(ends.fds[0])
    ends.plain.register(ends.fds[0], select.POLLIN)
    ends.plain.poll(0)
    ends.plain.unregister(ends.fds[0])


def descriptor_calls(ends):
    os.write(ends.fds[1], b"written")
    os.read(ends.fds[0], 5)
    os.sendfile(ends.fds[1], ends.file.fileno(), 0, 10)
    copy = os.dup(ends.fds[0])
    os.dup2(ends.fds[0], copy)
    os.close(copy)


def closing_range(ends):
    copy = os.dup2(ends.fds[0], 200)
    os.closerange(copy, copy + 1)


def connection(ends):
    ends.client.connect(ends.listener.getsockname())
    conn = ends.listener.accept()[0]
    ends.open.append(conn)
    conn.sendall(b"hello")
    ends.client.recv(10)
    conn.close()


def pair(ends):
    ends.open += socket.socketpair()


def methods(ends):
    ends.one.recv(5)
    ends.other.sendmsg([bytearray(10), b"x"])
    ends.one.recvmsg(100)
    ends.other.settimeout(1)
    ends.one.recv_into(bytearray(10)) if select.select([ends.one], [], [], 0)[0] else None
    ends.one.shutdown(socket.SHUT_WR)


def file_object(ends):
    os.fdopen(os.dup(ends.fds[0]), "rb").close()


def memory(ends):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    into, out = ssl.MemoryBIO(), ssl.MemoryBIO()
    try:
        context.wrap_bio(into, out, server_hostname="example").do_handshake()
    except ssl.SSLWantReadError:
        into.write(b"nothing of TLS")


def asynchronous(ends):
    fcntl.fcntl(ends.fds[0], fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(ends.fds[0], fcntl.F_SETFL, os.O_ASYNC | os.O_NONBLOCK)
    fcntl.fcntl(ends.fds[0], fcntl.F_SETFL, os.O_NONBLOCK)


def signal_wait(ends):
    signal.sigtimedwait([signal.SIGURG], 0)


def dropping(ends):
    os.setuid(os.getuid())


def environment(ends):
    os.environ["PYTHONPATH"] = os.environ.get("PYTHONPATH", "")


def child(ends):
    subprocess.run(["true"], env={"PATH": os.environ["PATH"]})


CALLS = {
    "blocking": lambda ends: os.set_blocking(ends.fds[0], False), "ioctl": lambda ends: fcntl.ioctl(ends.fds[0], 0x541B, bytes(4)),
    "select": lambda ends: select.select([ends.one], [], [], 0), "poller": poller_calls, "descriptors": descriptor_calls,
    "closerange": closing_range, "connection": connection, "pair": pair, "methods": methods, "fdopen": file_object, "memory": memory,
    "async": asynchronous, "child": child, "wait": signal_wait, "setuid": dropping, "environment": environment,
    "close": lambda ends: os.close(ends.fds[0]), "close poller": lambda ends: ends.poller.close(),
}  # fmt: skip


def after_steps(steps):
    """Return a trace function for frames that sends a signal after so many instructions: made of C only, so that the handler

    runs in the frame that is traced, as it would without us.
    """
    ticks = itertools.chain(itertools.repeat(0, 4 * steps), map(bool, map(signal.raise_signal, [signal.SIGUSR1])), itertools.repeat(0))
    step = functools.partial(max)  # max(step, frame, event, argument, key=tick) asks four times for a tick, and returns step
    step.__setstate__((max, (step,), {"key": functools.partial(next, ticks)}, None))
    return step


def traced(step):
    """Return what traces the frames that are no part of this file, instruction by instruction."""

    def call(frame, event, argument):
        if frame.f_code.co_filename != HERE and not frame.f_code.co_filename.startswith("<frozen"):
            frame.f_trace_opcodes = True
            frame.f_trace_lines = False
            return step
        return None

    return call


def attempt(begin, call, name):
    """Make a call that is interrupted; return whether it was."""
    global outside
    gc.collect()
    ends = Ends()
    before = len(raised)
    caught = None
    try:
        try:
            begin()
            call(ends)
        finally:
            sys.settrace(None)
            signal.setitimer(signal.ITIMER_REAL, 0)
    except kind as error:
        caught = error.args
        trace = error.__traceback__
        while trace.tb_next is not None:
            trace = trace.tb_next
            outside += trace.tb_frame.f_code.co_filename != HERE
    except Exception as error:
        wrong.append(f"{name}: {error!r}")
    wanted = ("raised", raised[-1]) if len(raised) > before else None
    if caught != wanted:
        wrong.append(f"{name}: raised {wanted!r}, caught {caught!r}")
    ends.close()
    return wanted is not None


ONLY = sys.argv[3:] or [name for name in CALLS if name != "child"]  # a child is started by C, and by much of Python's own


def interrupted_at_steps():
    signal.signal(signal.SIGUSR1, handler)
    for name in ONLY:
        call = CALLS[name]
        for _ in range(2):
            attempt(lambda: None, call, name)  # first of all without: what is seldom done was done
        for steps in range(MOST_STEPS):
            tracer = traced(after_steps(steps))  # held until the end: 3.11 lets go of it before it has returned, where it raised
            if not attempt(functools.partial(sys.settrace, tracer), call, name):
                break
            if len(wrong) > 5:
                return


def interrupted_at_times():
    signal.signal(signal.SIGALRM, handler)
    for name, call in CALLS.items():
        if name not in ONLY:
            continue
        for _ in range(2):
            attempt(lambda: None, call, name)
        for micros in range(1, 300) if name != "child" else range(1, 3000, 60):
            attempt(functools.partial(signal.setitimer, signal.ITIMER_REAL, micros / 1e6), call, name)


gc.disable()  # what ends by itself, such as a socket that nobody closed, prints what is raised there: with us and without
gc.freeze()
{"steps": interrupted_at_steps, "times": interrupted_at_times}[sys.argv[1]]()
print(json.dumps({"raised": len(raised), "outside": outside, "wrong": wrong[:5]}))
