"""An upper-casing server that waits in every call: one client is served till it leaves."""
import socket
import sys

host = sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1"
port = int(sys.argv[2]) if len(sys.argv) > 2 else 8000
listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.bind((host, port))
listener.listen(1024)  # so many clients may wait in the queue
try:
    print("listening on", *listener.getsockname()[:2], flush=True)
    while True:
        conn, peer = listener.accept()  # waits until somebody connects
        with conn:
            try:
                while True:
                    data = conn.recv(65536)  # waits until this client says something
                    if not data:
                        break  # an empty read: this client has left
                    conn.sendall(data.upper())  # waits until the kernel has taken all of it
            except (ConnectionResetError, BrokenPipeError):
                pass  # this client has vanished: on to the next
except KeyboardInterrupt:
    listener.close()
