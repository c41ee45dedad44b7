"""An upper-casing server with a thread for each connection."""

import socket
import sys
import threading

listener = socket.create_server((sys.argv[1], int(sys.argv[2])))


def serve(conn):
    with conn:
        while True:
            data = conn.recv(65536)
            if not data:
                return
            conn.sendall(data.upper())


try:
    while True:
        conn, peer = listener.accept()
        threading.Thread(target=serve, args=(conn,), daemon=True).start()
        del conn
except KeyboardInterrupt:
    listener.close()
