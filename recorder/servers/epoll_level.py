"""An upper-casing server that waits in one place for all: epoll keeps their list in the kernel.

Level-triggered: it is told again and again while something is left to read.
"""
import select
import socket
import sys

host = sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1"
port = int(sys.argv[2]) if len(sys.argv) > 2 else 8000
listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.bind((host, port))
listener.listen(1024)  # so many clients may wait in the queue
listener.setblocking(False)  # "ready" is a promise about the past: the client may be gone again
poller = select.epoll()
poller.register(listener, select.EPOLLIN)
conns = {}  # each connection by its descriptor
unsent = {}  # and what the kernel has not taken yet of its answer
try:
    print("listening on", *listener.getsockname()[:2], flush=True)
    while True:
        for fd, events in poller.poll():  # the ready ones only, however many there are
            gone = False
            try:
                if fd == listener.fileno():
                    new, peer = listener.accept()
                    new.setblocking(False)
                    conns[new.fileno()], unsent[new.fileno()] = new, b""
                    poller.register(new, select.EPOLLIN)  # once: the kernel remembers
                    continue
                unsent[fd] = unsent[fd] or conns[fd].recv(65536).upper()
                if unsent[fd]:
                    sent = conns[fd].send(unsent[fd])  # as much as fits into the kernel's buffer
                    unsent[fd] = unsent[fd][sent:]
                else:
                    gone = True  # an empty read: this client has left
            except BlockingIOError:
                pass  # not ready after all: epoll will say when
            except (ConnectionResetError, BrokenPipeError):
                gone = True
            if gone:
                conns.pop(fd).close()  # closing takes it out of epoll, too
                del unsent[fd]
            elif fd in conns and bool(unsent[fd]) != bool(events & select.EPOLLOUT):
                # Room to write is nearly always there: ask only while there is something to write.
                poller.modify(fd, select.EPOLLOUT if unsent[fd] else select.EPOLLIN)
except KeyboardInterrupt:
    for sock in [poller, listener, *conns.values()]:
        sock.close()
