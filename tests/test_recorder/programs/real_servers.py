"""Servers as people write them, each with its clients, a function each: `real_servers.py NAME` prints what the clients got.

Runs from Python 3.8 on.
"""

import asyncio
import concurrent.futures
import fcntl
import json
import os
import select
import signal
import socket
import socketserver
import sys
import tempfile
import threading
import time

CLIENTS = 4
ROUNDS = 3


def talk(family, address):
    """Say a few words as one client, each when the answer to the one before is there; return the answers."""
    with socket.socket(family) as sock:
        sock.connect(address)
        heard = []
        for number in range(ROUNDS):
            sock.sendall(b"word %d" % number)
            heard.append(sock.recv(100).decode())
        return heard


def talk_together(family, address):
    with concurrent.futures.ThreadPoolExecutor(CLIENTS) as pool:
        return list(pool.map(lambda _: talk(family, address), range(CLIENTS)))


def in_child(family, address):
    """Talk from a forked child; return a function that waits for what it heard."""
    source, sink = os.pipe()
    child = os.fork()
    if not child:
        os.write(sink, json.dumps(talk_together(family, address)).encode())
        os._exit(0)

    def heard():
        os.waitpid(child, 0)
        os.close(sink)
        return json.loads(os.read(source, 10_000))

    return heard


def in_thread(server, family, address):
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        return talk_together(family, address)
    finally:
        server.shutdown()
        thread.join()


class Shout(socketserver.BaseRequestHandler):
    def handle(self):
        while True:
            data = self.request.recv(100)
            if not data:
                break
            self.request.sendall(data.upper())


class ShoutDatagram(socketserver.BaseRequestHandler):
    def handle(self):
        data, sock = self.request
        sock.sendto(data.upper(), self.client_address)


def tcp_server(kind):
    with kind(("127.0.0.1", 0), Shout) as server:
        return in_thread(server, socket.AF_INET, server.server_address)


def socketserver_threading():
    return tcp_server(socketserver.ThreadingTCPServer)


def socketserver_forking():
    with socketserver.ForkingTCPServer(("127.0.0.1", 0), Shout) as server:
        heard = in_child(socket.AF_INET, server.server_address)  # ours, or the server's children would hold its sockets open
        for _ in range(CLIENTS):
            server.handle_request()
        return heard()


def socketserver_unix():
    with tempfile.TemporaryDirectory() as folder, socketserver.ThreadingUnixStreamServer(folder + "/s", Shout) as server:
        return in_thread(server, socket.AF_UNIX, folder + "/s")


def socketserver_udp():
    with socketserver.ThreadingUDPServer(("127.0.0.1", 0), ShoutDatagram) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            heard = []
            for number in range(ROUNDS):
                sock.sendto(b"word %d" % number, server.server_address)
                heard.append(sock.recvfrom(100)[0].decode())
        server.shutdown()
        thread.join()
        return [heard]


def thread_pool():
    def serve(conn):
        with conn:
            while True:
                data = conn.recv(100)
                if not data:
                    break
                conn.sendall(data.upper())

    with socket.create_server(("127.0.0.1", 0)) as listener, concurrent.futures.ThreadPoolExecutor(2) as workers:
        clients = threading.Thread(target=lambda: heard.extend(talk_together(socket.AF_INET, listener.getsockname())))
        heard = []
        clients.start()
        for _ in range(CLIENTS):
            workers.submit(serve, listener.accept()[0])
        clients.join()
    return heard


def edge_oneshot():
    """An epoll of its own inside asyncio's: every socket is told of once, and then asked for again."""
    again = select.EPOLLIN | select.EPOLLET | select.EPOLLONESHOT

    async def main():
        loop = asyncio.get_running_loop()
        listener = socket.create_server(("127.0.0.1", 0))
        listener.setblocking(False)
        connections = {}
        epoll = select.epoll()
        epoll.register(listener, again)

        def accept():
            while True:
                try:
                    conn, _ = listener.accept()
                except BlockingIOError:
                    break
                conn.setblocking(False)
                connections[conn.fileno()] = conn
                epoll.register(conn, again)
            epoll.modify(listener, again)

        def serve(conn):
            while True:
                try:
                    data = conn.recv(100)
                except BlockingIOError:
                    epoll.modify(conn, again)
                    break
                if not data:
                    epoll.unregister(conn)
                    del connections[conn.fileno()]
                    conn.close()
                    break
                conn.send(data.upper())

        def ready():
            for fd, _ in epoll.poll(0):
                accept() if fd == listener.fileno() else serve(connections[fd])

        loop.add_reader(epoll.fileno(), ready)
        heard = await loop.run_in_executor(None, talk_together, socket.AF_INET, listener.getsockname())
        loop.remove_reader(epoll.fileno())
        epoll.close()
        for sock in [listener, *connections.values()]:
            sock.close()
        return heard

    return asyncio.run(main())


def asyncio_datagram():
    class Server(asyncio.DatagramProtocol):
        def connection_made(self, transport):
            self.transport = transport

        def datagram_received(self, data, peer):
            self.transport.sendto(data.upper(), peer)

    class Client(asyncio.DatagramProtocol):
        def __init__(self):
            self.answers = asyncio.Queue()

        def datagram_received(self, data, peer):
            self.answers.put_nowait(data.decode())

    async def main():
        loop = asyncio.get_running_loop()
        server, _ = await loop.create_datagram_endpoint(Server, local_addr=("127.0.0.1", 0))
        client, protocol = await loop.create_datagram_endpoint(Client, remote_addr=server.get_extra_info("sockname"))
        heard = []
        for number in range(ROUNDS):
            client.sendto(b"word %d" % number)
            heard.append(await protocol.answers.get())
        client.close()
        server.close()
        return [heard]

    return asyncio.run(main())


def asyncio_sockets():
    async def main():
        loop = asyncio.get_running_loop()
        listener = socket.create_server(("127.0.0.1", 0))
        listener.setblocking(False)

        async def serve(conn):
            room = bytearray(100)
            while True:
                size = await loop.sock_recv_into(conn, room)
                if not size:
                    break
                await loop.sock_sendall(conn, bytes(room[:size]).upper())
            conn.close()

        async def client():
            with socket.socket() as sock:
                sock.setblocking(False)
                await loop.sock_connect(sock, listener.getsockname())
                heard = []
                for number in range(ROUNDS):
                    await loop.sock_sendall(sock, b"word %d" % number)
                    heard.append((await loop.sock_recv(sock, 100)).decode())
                return heard

        async def accept():
            return [loop.create_task(serve((await loop.sock_accept(listener))[0])) for _ in range(CLIENTS)]

        accepting = loop.create_task(accept())
        heard = await asyncio.gather(*(client() for _ in range(CLIENTS)))
        await asyncio.gather(*(await accepting))
        listener.close()
        return heard

    return asyncio.run(main())


def asyncio_unix():
    async def serve(reader, writer):
        while True:
            data = await reader.read(100)
            if not data:
                break
            writer.write(data.upper())
            await writer.drain()
        writer.close()

    async def client(path):
        reader, writer = await asyncio.open_unix_connection(path)
        heard = []
        for number in range(ROUNDS):
            writer.write(b"word %d" % number)
            heard.append((await reader.read(100)).decode())
        writer.close()
        await writer.wait_closed()
        return heard

    async def main():
        with tempfile.TemporaryDirectory() as folder:
            server = await asyncio.start_unix_server(serve, folder + "/s")
            heard = await asyncio.gather(*(client(folder + "/s") for _ in range(CLIENTS)))
            server.close()
            return heard

    return asyncio.run(main())


def asyncio_reader():
    async def main():
        loop = asyncio.get_running_loop()
        near, far = socket.socketpair()
        source, sink = os.pipe()
        heard, done = [], loop.create_future()

        def from_socket():
            os.write(sink, near.recv(100).upper())

        def from_pipe():
            heard.append(os.read(source, 100).decode())
            if len(heard) == ROUNDS:
                done.set_result(None)
            else:
                far.send(b"word %d" % len(heard))

        loop.add_reader(near, from_socket)
        loop.add_reader(source, from_pipe)
        far.send(b"word 0")
        await done
        loop.remove_reader(near)
        loop.remove_reader(source)
        for end in (near, far):
            end.close()
        os.close(source)
        os.close(sink)
        return [heard]

    return asyncio.run(main())


def asyncio_subprocess():
    async def main():
        child = await asyncio.create_subprocess_exec("cat", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE)
        heard = []
        for number in range(ROUNDS):
            child.stdin.write(b"WORD %d\n" % number)
            heard.append((await child.stdout.readline()).decode().strip())
        child.stdin.close()
        await child.wait()
        return [heard]

    return asyncio.run(main())


class Done(Exception):
    pass


def sigio():
    """The program waits for nothing; a handler serves whoever sent, and the last one who leaves ends it."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.setblocking(False)
    connections, left = [], []

    def arm(sock):
        fcntl.fcntl(sock, fcntl.F_SETOWN, os.getpid())
        fcntl.fcntl(sock, fcntl.F_SETFL, fcntl.fcntl(sock, fcntl.F_GETFL) | os.O_ASYNC | os.O_NONBLOCK)

    def serve(sock):
        try:
            while True:
                if sock is listener:
                    conn = sock.accept()[0]
                    conn.setblocking(False)
                    connections.append(conn)
                    arm(conn)
                    continue
                data = sock.recv(100)
                if not data:
                    left.append(sock)
                    connections.remove(sock)
                    sock.close()
                    return
                sock.send(data.upper())
        except BlockingIOError:
            pass

    def handler(number, frame):
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGIO])
        while True:
            serve(listener)
            for sock in list(connections):
                serve(sock)
            if len(left) == CLIENTS or not signal.sigtimedwait([signal.SIGIO], 0):
                break
        if len(left) == CLIENTS:
            raise Done  # and SIGIO stays blocked
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGIO])

    heard = in_child(socket.AF_INET, listener.getsockname())
    try:
        signal.signal(signal.SIGIO, handler)
        arm(listener)
        os.kill(os.getpid(), signal.SIGIO)  # who knocked before it was armed
        while True:
            time.sleep(0.05)  # not pause(): that sleeps through a signal that came just before it
    except Done:
        pass
    listener.close()
    return heard()


if __name__ == "__main__":
    print(json.dumps(globals()[sys.argv[1]]()))
