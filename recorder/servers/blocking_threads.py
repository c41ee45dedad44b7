"""An upper-casing server with a thread for each client: each waits for its own client only."""
import socket
import sys
import threading

host = sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1"
port = int(sys.argv[2]) if len(sys.argv) > 2 else 8000
listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.bind((host, port))
listener.listen(1024)  # so many clients may wait in the queue


def serve(conn):
    """Serve one client till it leaves: the loop of the blocking server, in a thread of its own."""
    with conn:
        try:
            while True:
                data = conn.recv(65536)  # this thread waits; the others go on
                if not data:
                    break  # an empty read: this client has left
                conn.sendall(data.upper())
        except (ConnectionResetError, BrokenPipeError):
            pass  # this client has vanished


try:
    print("listening on", *listener.getsockname()[:2], flush=True)
    while True:
        conn, peer = listener.accept()  # the main thread only ever waits here
        try:
            threading.Thread(target=serve, args=(conn,), daemon=True).start()
        except RuntimeError:
            conn.close()  # no more threads to be had: this client is turned away
except KeyboardInterrupt:
    listener.close()
