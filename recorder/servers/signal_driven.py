"""An upper-casing server that waits for nothing: a signal says that something came.

Its handler serves everybody. With --rt it is a real-time signal: one for each event, none merged.
"""
import fcntl
import os
import signal
import socket
import sys

arguments = [argument for argument in sys.argv[1:] if argument != "--rt"]
host = arguments[0] if len(arguments) > 0 else "127.0.0.1"
port = int(arguments[1]) if len(arguments) > 1 else 8000
SIGNAL = signal.SIGRTMIN + 1 if "--rt" in sys.argv else signal.SIGIO
SIGNALS = {SIGNAL, signal.SIGIO}  # too many real-time signals in the queue: it is SIGIO, take both
unsent = {}  # each connection, and what the kernel has not taken yet of its answer


def arm(sock):
    """Have the kernel signal what happens on a socket; an accepted one does not inherit this."""
    fcntl.fcntl(sock, fcntl.F_SETOWN, os.getpid())
    if SIGNAL != signal.SIGIO:
        fcntl.fcntl(sock, fcntl.F_SETSIG, SIGNAL)
    fcntl.fcntl(sock, fcntl.F_SETFL, os.O_NONBLOCK | os.O_ASYNC)


def on_signal(number, frame):
    """Serve everybody; a signal that comes meanwhile must not break in: it is masked."""
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    serve_all()
    while signal.sigtimedwait(SIGNALS, 0):  # one did come: taken here, else handlers would pile up
        serve_all()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)


def serve_all():
    """Ask every socket till it says EAGAIN: Python does not tell which one the signal was for."""
    try:
        while True:
            conn, peer = listener.accept()
            conn.setblocking(False)
            arm(conn)
            unsent[conn] = b""
    except BlockingIOError:
        pass  # nobody else wants to connect
    for conn in list(unsent):
        try:
            while True:
                unsent[conn] = unsent[conn] or conn.recv(65536).upper()
                if not unsent[conn]:
                    break  # an empty read: this client has left
                sent = conn.send(unsent[conn])  # as much as fits into the kernel's buffer
                unsent[conn] = unsent[conn][sent:]
        except BlockingIOError:
            continue  # nothing left to read, or no room to write: a signal will tell
        except (ConnectionResetError, BrokenPipeError):
            pass
        conn.close()
        del unsent[conn]


listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.bind((host, port))
listener.setblocking(False)
try:
    for number in SIGNALS:
        signal.signal(number, on_signal)
    signal.signal(signal.SIGALRM, lambda number, frame: None)
    arm(listener)
    listener.listen(1024)  # so many clients may wait in the queue
    print("listening on", *listener.getsockname()[:2], flush=True)
    while True:
        signal.alarm(1)  # pause() sleeps through a signal that came just before it: not for long
        signal.pause()  # the program could do anything else here
except KeyboardInterrupt:
    for number in {*SIGNALS, signal.SIGALRM}:
        signal.signal(number, signal.SIG_IGN)  # disarmed: a last one would kill us on the way out
    for sock in [listener, *unsent]:
        sock.close()
