"""TLS in every way a program of the standard library does it; each case prints what it saw.

Run with the folder of certificate.pem and key.pem, and the names of cases (none: all).
"""

import asyncio
import select
import socket
import ssl
import sys
import threading

FOLDER = sys.argv[1]


def server_context():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(FOLDER + "/certificate.pem", FOLDER + "/key.pem")
    return context


def client_context():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(FOLDER + "/certificate.pem")
    return context


def pair(timeout_s=None, server_timeout_s=None):
    """Return both ends of a connection that has shaken hands, over TCP."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        plain = socket.create_connection(listener.getsockname())
        accepted = listener.accept()[0]
    made = []
    thread = threading.Thread(target=lambda: made.append(client_context().wrap_socket(plain, server_hostname="localhost")))
    thread.start()
    server = server_context().wrap_socket(accepted, server_side=True)
    thread.join()
    made[0].settimeout(timeout_s)
    server.settimeout(server_timeout_s)
    return made[0], server


class Failing:
    """Keeps what went wrong inside, so that calls stay those of the case."""

    def __init__(self, said):
        self.said = said

    def __enter__(self):
        pass

    def __exit__(self, kind, error, trace):
        if isinstance(error, Exception):
            self.said.append(f"{kind.__name__} {getattr(error, 'reason', '')}")
        return isinstance(error, Exception)


def case_moving():
    client, server = pair()
    buffer = bytearray(8)
    client.sendall(b"hello")
    said = [server.recv(100), server.send(b"worlds"), client.recv_into(buffer), bytes(buffer)]
    said += [client.write(b"written"), server.read(3), server.read(100, buffer), server.pending()]
    said += [client.recv(0), client.send(memoryview(b"seen")), server.recv(1000)]
    with open(__file__, "rb") as file:
        said += [client.sendfile(file, 0, 100), len(server.recv(1000))]
    client.close()
    return [*said, server.recv(10), server.close()]


def case_ending():
    client, server = pair()
    server.settimeout(5)
    thread = threading.Thread(target=server.unwrap)
    thread.start()
    said = [client.recv(1), client.unwrap() is client]
    thread.join()
    client.send(b"in the clear")
    return [*said, server.recv(100), client.close(), server.close()]


def case_polling():
    client, server = pair()
    server.setblocking(False)
    said = []
    for _ in range(3):
        with Failing(said):
            server.recv(10)
    client.send(b"there")
    select.select([server], [], [])
    said.append(server.recv(10))
    with Failing(said):
        server.recv(10)
    with Failing(said):
        while True:
            server.send(b"x" * 65536)
    server.settimeout(0.05)
    with Failing(said):
        server.recv(10)
    return [*said, client.close(), server.close()]


def case_shaking():
    """A handshake in steps, by both ends in turn."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        plain = socket.create_connection(listener.getsockname())
        accepted = listener.accept()[0]
    server = server_context().wrap_socket(accepted, server_side=True, do_handshake_on_connect=False)
    client = client_context().wrap_socket(plain, server_hostname="localhost", do_handshake_on_connect=False)
    server.setblocking(False)
    client.setblocking(False)
    todo = [client, server]
    while todo:
        for end in list(todo):
            try:
                end.do_handshake()
                todo.remove(end)
            except ssl.SSLWantReadError:
                pass
    return [client.version() == server.version(), client.close(), server.close()]


def refused(talk):
    """Return what a TLS server says of a client that does not talk TLS as it should."""
    with server_context().wrap_socket(socket.create_server(("127.0.0.1", 0)), server_side=True) as listener:
        thread = threading.Thread(target=talk, args=(listener.getsockname(),))
        thread.start()
        said = []
        with Failing(said):
            listener.accept()
        thread.join()
    return said[0]


def case_plain_http():
    def talk(address):
        with socket.create_connection(address) as client:
            client.sendall(b"GET / HTTP/1.0\r\n\r\n")
            with Failing([]):
                client.recv(100)

    return refused(talk)


def case_distrust():
    said = []

    def talk(address):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        with socket.create_connection(address) as client, Failing(said):
            context.wrap_socket(client, server_hostname="localhost")

    return [refused(talk), *said]


def case_vanishing():
    def talk(address):
        with socket.create_connection(address) as client:
            client.sendall(b"\x16\x03\x01\x02\x00\x01")

    return refused(talk).split()[0] in ("SSLEOFError", "SSLError")


def case_asyncio():
    async def answer(reader, writer):
        while True:
            line = await reader.readline()
            if not line:
                break
            writer.write(line.upper() * 1000)
        writer.close()

    async def main():
        server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=server_context())
        address = server.sockets[0].getsockname()[:2]
        reader, writer = await asyncio.open_connection(*address, ssl=client_context(), server_hostname="localhost")
        told = []
        for _ in range(3):
            writer.write(b"hello\n")
            told.append(len(await reader.readexactly(6000)))
        writer.close()
        await asyncio.sleep(0)
        server.close()
        await server.wait_closed()
        return told

    return asyncio.run(main())


def case_memory():
    """TLS in memory, moved by hand; nobody's socket is in it."""
    client_in, client_out, server_in, server_out = (ssl.MemoryBIO() for _ in range(4))
    client = client_context().wrap_bio(client_in, client_out, server_hostname="localhost")
    server = server_context().wrap_bio(server_in, server_out, server_side=True)
    said = []
    for _ in range(2):
        for end in (client, server):
            with Failing(said):
                said.append(end.do_handshake())
            server_in.write(client_out.read())
            client_in.write(server_out.read())
    client.write(b"hello")
    server_in.write(client_out.read())
    said.append(server.read())
    with Failing(said):
        server.read()
    return [*said, client.pending()]


def main():
    cases = {name: case for name, case in globals().items() if name.startswith("case_")}
    for name in sys.argv[2:] or cases:
        print(name, cases[name]())


main()
