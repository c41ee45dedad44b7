"""A nonblocking upper-casing echo server that keeps its own books and ends when its five clients have left."""

import json
import socket
from collections import Counter

made = Counter()

server = socket.socket()
server.bind(("127.0.0.1", 0))
server.listen()
server.setblocking(False)
made.update(["bind ok", "listen ok", "setblocking ok"])
print(server.getsockname()[1], flush=True)

clients = []
left = 0
while left < 5:
    try:
        conn, _ = server.accept()
    except BlockingIOError:
        made["accept would_block"] += 1
    else:
        made["accept ok"] += 1
        conn.setblocking(False)
        made["setblocking ok"] += 1
        clients.append(conn)
    for conn in list(clients):
        try:
            data = conn.recv(8192)
        except BlockingIOError:
            made["recv would_block"] += 1
            continue
        except ConnectionResetError:
            made["recv reset"] += 1
            data = b""
        else:
            made["recv ok" if data else "recv eof"] += 1
        if data:
            sent = conn.send(data.upper())
            assert sent == len(data)
            made["send ok"] += 1
        else:
            conn.close()
            made["close ok"] += 1
            clients.remove(conn)
            left += 1
server.close()
made["close ok"] += 1
print(json.dumps({"calls": made, **made}))
