"""An upper-casing server on io_uring: it asks for whole operations, and is told when they are done.

Every other model is told when it may begin to copy; here the kernel has copied already.
"""
import errno
import itertools
import socket
import sys

import ring as uring

host = sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1"
port = int(sys.argv[2]) if len(sys.argv) > 2 else 8000
listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.bind((host, port))
listener.listen(1024)  # so many clients may wait in the queue
numbers = itertools.count(1)
asked = {}  # what the kernel is at work on: number -> (what, connection, its buffer, from, to)
ring, cqe = uring.io_uring(), uring.io_uring_cqe()
try:
    uring.io_uring_queue_init(256, ring)
except OSError as error:
    sys.exit(f"no io_uring here: {error.strerror}")


def ask(what, conn=None, buffer=None, start=0, end=0):
    """Write one request into the submission ring; nothing waits, nothing is called yet."""
    sqe = uring.io_uring_get_sqe(ring)
    if what == "accept":
        uring.io_uring_prep_accept(sqe, listener.fileno())
    elif what == "recv":
        uring.io_uring_prep_recv(sqe, conn.fileno(), buffer, len(buffer))
    else:
        rest = memoryview(buffer)[start:end]
        uring.io_uring_prep_send(sqe, conn.fileno(), rest, len(rest), socket.MSG_NOSIGNAL)
    sqe.user_data = next(numbers)
    asked[sqe.user_data] = what, conn, buffer, start, end


def done(what, conn, buffer, start, end, result):
    """Go on after one completion: `result` is what the call would have returned, or -errno."""
    if what == "accept":
        ask("accept")  # the next one, please
        if result >= 0:
            ask("recv", socket.socket(fileno=result), bytearray(16384))
    elif result == -errno.EINTR or result == -errno.EAGAIN:
        ask(what, conn, buffer, start, end)
    elif result <= 0:
        conn.close()  # an empty read or a reset: this client has left
    elif what == "recv":
        buffer[:result] = buffer[:result].upper()  # the data is there already
        ask("send", conn, buffer, 0, result)
    elif start + result < end:
        ask("send", conn, buffer, start + result, end)  # the kernel took a part only
    else:
        ask("recv", conn, buffer)  # the buffer is lent to the kernel till something comes


try:
    print("listening on", *listener.getsockname()[:2], flush=True)
    ask("accept")
    while True:
        uring.io_uring_submit_and_wait(ring, 1)  # the one system call of the loop
        while uring.io_uring_peek_cqe(ring, cqe) == 0:
            number, result = cqe.user_data, cqe.res
            uring.io_uring_cqe_seen(ring, cqe)
            done(*asked.pop(number), result)
except KeyboardInterrupt:
    uring.io_uring_queue_exit(ring)
    listener.close()
