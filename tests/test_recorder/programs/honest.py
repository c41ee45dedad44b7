"""Programs that do all they do through calls that are recorded, each in a way that could look as if they did not."""

import asyncio
import http.server
import os
import socket
import socketserver
import struct
import subprocess
import sys
import tempfile
import threading
import urllib.request


def connected():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        return listener.accept()[0], client


def drain(sock):
    total = 0
    while data := sock.recv(65536):
        total += len(data)
    return total


def http_server():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    for _ in range(3):
        urllib.request.urlopen(f"http://127.0.0.1:{server.server_port}/").read()
    server.shutdown()
    thread.join()
    server.server_close()


def asyncio_streams():
    async def echo(reader, writer):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.close()

    async def main():
        server = await asyncio.start_server(echo, "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.write(b"x" * 1_000_000)
        await reader.readexactly(1_000_000)
        writer.close()
        await writer.wait_closed()
        server.close()

    asyncio.run(main())


def forking_server():
    class Repeat(socketserver.StreamRequestHandler):
        def handle(self):
            self.wfile.write(self.rfile.readline() * 100)

    server = socketserver.ForkingTCPServer(("127.0.0.1", 0), Repeat)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    for _ in range(3):
        with socket.create_connection(server.server_address) as client:
            client.sendall(b"line\n")
            assert drain(client) == 500
    server.shutdown()
    thread.join()
    server.server_close()


def handed_to_a_forked_child():
    one, other = connected()
    one.sendall(b"before")
    other.recv(6)
    pid = os.fork()
    if not pid:
        one.close()
        other.sendall(b"child" * 100)
        other.close()
        os._exit(0)
    other.close()
    os.waitpid(pid, 0)
    assert drain(one) == 500
    one.close()


def reset_with_data_unread():
    one, other = connected()
    one.sendall(b"x" * 5000)
    other.sendall(b"y" * 7000)
    other.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    other.close()
    try:
        one.recv(10)
    except ConnectionResetError:
        pass
    one.close()


def closed_with_data_unread():
    one, other = connected()
    one.sendall(b"x" * 5000)
    other.recv(10)
    other.recv(100, socket.MSG_PEEK)
    one.shutdown(socket.SHUT_WR)
    other.close()
    one.close()


def sendall_that_went_half_way():
    one, other = connected()
    one.settimeout(0.05)
    try:
        one.sendall(b"z" * 50_000_000)
    except TimeoutError:
        pass
    other.recv(1000)
    one.close()
    other.close()


def closed_before_it_was_sent():
    one, other = connected()
    one.setblocking(False)
    try:
        while True:
            one.send(b"z" * 70_000)
    except BlockingIOError:
        pass
    one.close()
    drain(other)
    other.close()


def half_closed_behind_what_was_not_sent_yet():
    one, other = connected()
    one.setblocking(False)
    try:
        while True:
            one.send(b"z" * 70_000)
    except BlockingIOError:
        pass
    one.shutdown(socket.SHUT_WR)
    one.close()
    drain(other)
    other.close()


def file_objects():
    one, other = connected()
    with one.makefile("wb") as out, other.makefile("rb") as lines:
        out.write(b"a line\n" * 10_000)
        out.flush()
        one.shutdown(socket.SHUT_WR)
        assert len(list(lines)) == 10_000
    one.close()
    other.close()


def duplicated():
    one, other = connected()
    copy = one.dup()
    one.sendall(b"1" * 100)
    copy.sendall(b"2" * 100)
    one.close()
    copy.sendall(b"3" * 10)
    copy.close()
    drain(other)
    other.close()


def passed_on():
    one, other = connected()
    here, there = socket.socketpair()
    socket.send_fds(here, [b"1"], [other.fileno()])
    taken = socket.socket(fileno=socket.recv_fds(there, 10, 1)[1][0])
    one.sendall(b"hello")
    assert taken.recv(100) == b"hello"
    for sock in (other, taken, one, here, there):
        sock.close()


def sent_from_a_file():
    one, other = connected()
    with tempfile.TemporaryFile() as file:
        file.write(b"f" * 200_000)
        file.seek(0)
        thread = threading.Thread(target=lambda: (one.sendfile(file), one.close()))
        thread.start()
        assert drain(other) == 200_000
        thread.join()
    other.close()


def bare_descriptors():
    one, other = connected()
    os.write(one.fileno(), b"w" * 1000)
    assert len(os.read(other.fileno(), 2000)) == 1000
    one.close()
    other.close()


def urgent_data():
    one, other = connected()
    one.send(b"urgent", socket.MSG_OOB)
    one.close()
    drain(other)
    other.close()


def sockets_never_used():
    kept = [socket.socket(), socket.socket(type=socket.SOCK_DGRAM), *socket.socketpair(), *connected()]
    subprocess.run([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.DEVNULL, check=True)
    looked_at()
    return kept


def datagrams():
    with socket.socket(type=socket.SOCK_DGRAM) as one, socket.socket(type=socket.SOCK_DGRAM) as other:
        one.bind(("127.0.0.1", 0))
        other.connect(one.getsockname())
        other.send(b"x")
        one.recv(10)


def looked_at():
    # Stays until whoever watches has had a look at us, if a standard input says when.
    sys.stdin.read()


if __name__ == "__main__":
    globals()[sys.argv[1]]()
