"""An upper-casing server that never waits in a call: it asks every socket in turn, for ever."""
import socket
import sys

host = sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1"
port = int(sys.argv[2]) if len(sys.argv) > 2 else 8000
listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.bind((host, port))
listener.listen(1024)  # so many clients may wait in the queue
listener.setblocking(False)
unsent = {}  # each connection, and what the kernel has not taken yet of its answer
try:
    print("listening on", *listener.getsockname()[:2], flush=True)
    while True:
        try:
            while True:  # everybody who has come meanwhile
                conn, peer = listener.accept()
                conn.setblocking(False)  # on Linux accept does not pass the listener's setting on
                unsent[conn] = b""
        except BlockingIOError:
            pass  # nobody else wants to connect just now
        for conn in list(unsent):
            try:
                unsent[conn] = unsent[conn] or conn.recv(65536).upper()
                if unsent[conn]:
                    sent = conn.send(unsent[conn])  # as much as fits into the kernel's buffer
                    unsent[conn] = unsent[conn][sent:]
                    continue
            except BlockingIOError:
                continue  # nothing to read, or no room to write: ask again in the next round
            except (ConnectionResetError, BrokenPipeError):
                pass
            conn.close()  # an empty read or a reset: this client has left
            del unsent[conn]
except KeyboardInterrupt:
    for sock in [listener, *unsent]:
        sock.close()
