"""Waits in every way that Python has, and prints what it saw."""
import asyncio
import os
import select
import selectors
import socket
import threading

said = []


def case_select():
    a, b = socket.socketpair()
    assert select.select([a], [], [], 0) == ([], [], [])
    assert select.select([a], [], [], 0.01) == ([], [], [])
    b.send(b"x")
    assert select.select([a], [b, a], [], 5) == ([a], [b, a], [])
    a.recv(1)
    a.send(b"y")
    assert select.select([b.fileno()], [], []) == ([b.fileno()], [], [])
    b.recv(1)


def case_poll():
    a, b = socket.socketpair()
    r, w = os.pipe()
    poll = select.poll()
    poll.register(a, select.POLLIN)
    poll.register(r, select.POLLIN)
    poll.modify(a, select.POLLIN | select.POLLPRI)
    assert poll.poll(0) == []
    b.send(b"x")
    os.write(w, b"p")
    assert sorted(poll.poll()) == sorted([(a.fileno(), select.POLLIN), (r, select.POLLIN)])
    a.recv(1)
    poll.unregister(r)
    try:
        poll.unregister(r)
    except KeyError:
        pass
    os.close(r), os.close(w)


def case_epoll():
    a, b = socket.socketpair()
    with select.epoll() as epoll:
        epoll.register(a, select.EPOLLIN | select.EPOLLET)
        assert epoll.poll(0) == []
        b.send(b"xy")
        assert epoll.poll(2.5, 7) == [(a.fileno(), select.EPOLLIN)]
        a.recv(1)
        assert epoll.poll(timeout=0) == []  # edge-triggered: there is more, and nobody says so
        epoll.modify(a, select.EPOLLIN | select.EPOLLONESHOT)
        assert epoll.poll(maxevents=1) == [(a.fileno(), select.EPOLLIN)]
        assert epoll.poll(0) == []
        a.recv(1)
        epoll.unregister(a)
        for wrong in (lambda: epoll.unregister(a), lambda: epoll.poll("x"), lambda: epoll.register("x"), lambda: epoll.poll(0, 0)):
            try:
                wrong()
            except (OSError, TypeError, ValueError) as error:
                said.append(f"{type(error).__name__} {error}")
    try:
        epoll.poll()
    except ValueError as error:
        said.append(str(error))


def case_selectors():
    for kind in (selectors.SelectSelector, selectors.PollSelector, selectors.EpollSelector):
        a, b = socket.socketpair()
        with kind() as selector:
            selector.register(a, selectors.EVENT_READ)
            assert selector.select(0) == []
            b.send(b"z")
            ((key, _),) = selector.select()
            key.fileobj.recv(1)


def case_threads():
    pairs = [socket.socketpair() for _ in range(2)]

    def serve(sock):
        select.select([sock], [], [])
        sock.recv(1)

    threads = [threading.Thread(target=serve, args=(a,)) for a, _ in pairs]
    for thread in threads:
        thread.start()
    for _, b in pairs:
        b.send(b"t")
    for thread in threads:
        thread.join()


async def case_asyncio():
    async def serve(reader, writer):
        writer.write((await reader.read(100)).upper())
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    writer.write(b"asyncio")
    said.append((await reader.read(100)).decode())
    writer.close()
    server.close()


if __name__ == "__main__":
    said.append(repr(select.select))
    said.append(repr(select.epoll.poll) + repr(select.epoll.register) + select.epoll.poll.__doc__ + type(select.epoll()).__name__)
    said.append(str(isinstance(select.epoll(), select.epoll)) + str("poll" in dir(select.poll())))
    for case in (case_select, case_poll, case_epoll, case_selectors, case_threads):
        case()
    asyncio.run(case_asyncio())
    print("\n".join(said))
