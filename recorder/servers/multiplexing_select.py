"""An upper-casing server that waits in one place for all: select says who would not block."""
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
unsent = {}  # each connection, and what the kernel has not taken yet of its answer
try:
    print("listening on", *listener.getsockname()[:2], flush=True)
    while True:
        reading = [listener, *(conn for conn in unsent if not unsent[conn])]
        writing = [conn for conn in unsent if unsent[conn]]
        # The whole list goes to the kernel every time, and no descriptor in it may be 1024 or more.
        readable, writable, _ = select.select(reading, writing, [])
        for conn in readable + writable:
            gone = False
            try:
                if conn is listener:
                    new, peer = listener.accept()
                    new.setblocking(False)
                    unsent[new] = b""
                    continue
                unsent[conn] = unsent[conn] or conn.recv(65536).upper()
                if unsent[conn]:
                    sent = conn.send(unsent[conn])  # as much as fits into the kernel's buffer
                    unsent[conn] = unsent[conn][sent:]
                else:
                    gone = True  # an empty read: this client has left
            except BlockingIOError:
                pass  # not ready after all: select will say when
            except (ConnectionResetError, BrokenPipeError):
                gone = True
            if gone:
                conn.close()
                del unsent[conn]
except KeyboardInterrupt:
    for sock in [listener, *unsent]:
        sock.close()
