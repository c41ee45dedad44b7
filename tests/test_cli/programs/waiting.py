"""Receives from a thread of its own, in the way that is named: blocking, nonblocking or multiplexing."""
import select
import socket
import sys
import threading
import time

how = sys.argv[1]
listener = socket.create_server(("127.0.0.1", 0))


def client():
    sock = socket.create_connection(listener.getsockname())
    for _ in range(3):
        time.sleep(0.03)  # so long the server has nothing to read
        sock.sendall(b"x" * 100)
        sock.recv(10)
    sock.close()


thread = threading.Thread(target=client, name="client")
thread.start()
conn, _ = listener.accept()
conn.setblocking(how == "blocking")
while True:
    try:
        if how == "multiplexing":
            select.select([conn], [], [])
        data = conn.recv(1000)
    except BlockingIOError:
        continue
    if not data:
        break
    conn.sendall(b"ok")
thread.join()
