"""The usual tutorial's server: its listener is nonblocking, and its connections, it says, are so, too."""
import socket
import sys

host = sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1"
port = int(sys.argv[2]) if len(sys.argv) > 2 else 8000
listener = socket.socket()
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.bind((host, port))
listener.listen(128)
listener.setblocking(False)
clients = []
try:
    while True:
        try:
            conn, peer = listener.accept()
            clients.append(conn)  # nonblocking like its listener?
        except BlockingIOError:
            pass  # nobody wants to connect just now
        for conn in list(clients):
            try:
                data = conn.recv(1024)
                if data:
                    conn.send(data.upper())
                    continue
            except BlockingIOError:
                continue  # nothing to read: ask the next one
            except (ConnectionResetError, BrokenPipeError):
                pass
            conn.close()
            clients.remove(conn)
except KeyboardInterrupt:
    for sock in [listener, *clients]:
        sock.close()
