"""An upper-casing server that waits in one place for all, in edge-triggered epoll.

Told once that something came, it reads till nothing is left.
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
listener.setblocking(False)  # a must: the last call of each round is the one that finds nothing
poller = select.epoll()
poller.register(listener, select.EPOLLIN | select.EPOLLET)
conns = {}  # each connection by its descriptor
unsent = {}  # and what the kernel has not taken yet of its answer
try:
    print("listening on", *listener.getsockname()[:2], flush=True)
    while True:
        for fd, events in poller.poll():  # what was not finished last time is not told again
            try:
                while fd == listener.fileno():  # until accept says EAGAIN
                    new, peer = listener.accept()
                    new.setblocking(False)
                    conns[new.fileno()], unsent[new.fileno()] = new, b""
                    # Both edges at once, for good: nothing is told while nothing changes.
                    poller.register(new, select.EPOLLIN | select.EPOLLOUT | select.EPOLLET)
                while True:  # until recv or send says EAGAIN
                    unsent[fd] = unsent[fd] or conns[fd].recv(65536).upper()
                    if not unsent[fd]:
                        break  # an empty read: this client has left
                    sent = conns[fd].send(unsent[fd])  # as much as fits into the kernel's buffer
                    unsent[fd] = unsent[fd][sent:]
            except BlockingIOError:
                continue  # nothing left to read, or no room to write: the next edge will tell
            except (ConnectionResetError, BrokenPipeError):
                pass
            conns.pop(fd).close()  # closing takes it out of epoll, too
            del unsent[fd]
except KeyboardInterrupt:
    for sock in [poller, listener, *conns.values()]:
        sock.close()
