"""Which socket a call was made on: descriptors come back, objects come and go, sockets stay the same."""

from __future__ import annotations

import itertools
import json
import ssl
import subprocess
import sys
from typing import Any

import pytest

from .recording import Recorded, Recorder

Row = dict[str, Any]


def sockets(recorded: Recorded, **wanted: Any) -> list[Row]:
    rows = recorded.rows("SELECT s.*, p.pid FROM sockets s JOIN processes p ON p.id = s.process_id ORDER BY s.id")
    return [row for row in rows if all(row[name] == value for name, value in wanted.items())]


def test_a_reused_descriptor_is_a_new_socket_each_time(record: Recorder) -> None:
    done = record(record.script("""
        import socket
        fds = set()
        for n in range(5):
            with socket.socket() as sock:
                fds.add(sock.fileno())
                sock.bind(("127.0.0.1", 0))
        print(len(fds))
    """))  # fmt: skip
    assert done.out == "1\n"
    rows = sockets(done)
    assert len(rows) == 5 and len({row["fd"] for row in rows}) == 1 and len({row["local"] for row in rows}) == 5
    assert [row["closed_by"] for row in rows] == ["close"] * 5
    assert all(before["closed_ns"] <= after["opened_ns"] for before, after in itertools.pairwise(rows))
    assert [row["socket_id"] for row in done.calls(operation="bind")] == [row["id"] for row in rows]


def test_how_a_socket_went_is_told(record: Recorder) -> None:
    done = record(record.script("""
        import os, socket
        def listening():
            sock = socket.socket()
            sock.bind(("127.0.0.1", 0))
            return sock
        def collected():
            import warnings
            warnings.simplefilter("ignore")
            sock = listening()
            del sock
        listening().close()
        collected()
        fd = listening().detach()
        os.close(fd)
        kept = listening()
        twice = listening()
        twice.close()
        twice.close()
    """))  # fmt: skip
    assert [row["closed_by"] for row in sockets(done)] == ["close", "collected", "detach", "exit", "close"]
    assert all(row["closed_ns"] <= done.run["duration_ns"] for row in sockets(done))
    assert len(done.calls(operation="close")) == 3  # one of them by os.close, of what was detached; none for what was closed before


@pytest.mark.parametrize("core", ["c", "python"])
def test_to_close_again_what_is_closed_is_no_call(record: Recorder, core: str) -> None:
    program = record.script("""
        import errno, os, socket
        one, other = socket.socketpair()
        for _ in range(3):
            one.close()
        with other:
            other.close()
        behind, kept = socket.socketpair()
        os.close(behind.fileno())
        try:
            behind.close()  # it has its number still, so the kernel is asked, and says no
        except OSError as error:
            print(errno.errorcode[error.errno])
        kept.detach()
        kept.close()
    """)
    done = record(program, options=["--core", core])
    assert done.out == "EBADF\n"
    assert [(row["operation"], row["outcome"]) for row in done.calls()] == [
        ("close", "ok"), ("close", "ok"), ("close", "ok"), ("close", "error"), ("detach", "ok"),
    ]  # fmt: skip


def test_a_descriptor_closed_behind_pythons_back_and_used_again_is_replaced(record: Recorder) -> None:
    done = record(record.script("""
        import socket
        one = socket.socket()
        one.setblocking(True)
        fd = one.fileno()
        open(fd, "rb", buffering=0).close()
        two = socket.socket()
        assert two.fileno() == fd
        two.setblocking(True)
        one.detach()
    """))  # fmt: skip
    one, two = sockets(done)
    assert (one["fd"], one["closed_by"], two["origin"]) == (two["fd"], "replaced", "created")


def test_copies_are_sockets_of_their_own_that_name_what_they_copy(record: Recorder) -> None:
    done = record(record.script("""
        import socket
        a, b = socket.socketpair()
        a.send(b"1")
        dup = a.dup()
        dup.send(b"2")
        other = socket.fromfd(a.fileno(), socket.AF_UNIX, socket.SOCK_STREAM)
        other.send(b"3")
        dup.close()
        a.send(b"4")
        assert b.recv(10) == b"1234"
    """))  # fmt: skip
    a, b, dup, other = sockets(done)
    assert [(row["origin"], row["role"]) for row in (a, dup, other, b)] == [
        ("created", "pair"), ("duplicated", "pair"), ("duplicated", "pair"), ("created", "pair")]  # fmt: skip
    assert dup["origin_id"] == a["id"] and other["origin_id"] == a["id"]
    assert [row["socket_id"] for row in done.calls(operation="send")] == [a["id"], dup["id"], other["id"], a["id"]]
    assert [row["closed_by"] for row in (a, dup)] == ["exit", "close"]


def test_a_second_object_on_the_same_descriptor_is_the_same_socket(record: Recorder) -> None:
    done = record(record.script("""
        import socket
        a, b = socket.socketpair()
        a.send(b"1")
        again = socket.socket(fileno=a.fileno())
        again.send(b"2")
        again.detach()
        a.send(b"3")
    """))  # fmt: skip
    sends = [row["socket_id"] for row in done.calls(operation="send")]
    assert sends[0] == sends[1]


def test_a_detached_descriptor_in_another_object_is_passed_on_with_its_role(record: Recorder) -> None:
    done = record(record.script("""
        import socket
        with socket.create_server(("127.0.0.1", 0)) as server:
            client = socket.create_connection(server.getsockname())
            conn, _ = server.accept()
            conn.send(b"plain")
            wrapped = socket.socket(fileno=conn.detach())
            wrapped.send(b"wrapped")
            assert client.recv(12, socket.MSG_WAITALL) == b"plainwrapped"
            wrapped.close()
            client.close()
    """))  # fmt: skip
    listener = sockets(done, role="listener")[0]
    first, second = sockets(done, role="accepted")
    assert (first["origin"], first["closed_by"], second["origin"], second["closed_by"]) == ("accepted", "detach", "passed", "close")
    assert second["origin_id"] == first["id"] and second["peer"] == first["peer"] and second["parent_id"] == listener["id"]


def test_tls_goes_over_the_same_socket(record: Recorder) -> None:
    assert ssl.OPENSSL_VERSION
    done = record(record.script("""
        import socket, ssl
        a, b = socket.socketpair()
        context = ssl.create_default_context()
        wrapped = context.wrap_socket(a, server_hostname="example.test", do_handshake_on_connect=False)
        assert a.fileno() == -1
        wrapped.setblocking(False)
        try:
            wrapped.do_handshake()
        except ssl.SSLWantReadError:
            print("wants to read")
        wrapped.close()
    """))  # fmt: skip
    assert done.out == "wants to read\n"
    same, other = sockets(done)
    assert (same["origin"], same["closed_by"], same["pair_id"]) == ("created", "close", other["id"])
    assert ("do_handshake", "want_read") in done.outcomes(socket_id=same["id"]) and done.calls(operation="detach", socket_id=same["id"])


def test_an_accepted_socket_that_nobody_keeps_does_not_lend_its_identity(record: Recorder) -> None:
    done = record(record.script("""
        import socket, warnings
        warnings.simplefilter("ignore")
        server = socket.create_server(("127.0.0.1", 0))
        first = socket.create_connection(server.getsockname())
        server.accept()  # dropped at once: its descriptor is free again
        other = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        other.bind(("127.0.0.1", 0))
        second = socket.create_connection(server.getsockname())
        server.accept()
        third = socket.create_connection(server.getsockname())
        server.accept()
    """))  # fmt: skip
    accepted = sockets(done, origin="accepted")
    (udp,) = sockets(done, kind="udp")
    assert len(accepted) == 3 and udp["fd"] == accepted[0]["fd"]
    assert [row["closed_by"] for row in accepted[:2]] == ["collected"] * 2
    assert done.calls(operation="bind", socket_id=udp["id"]) != []


def test_ten_thousand_short_connections_are_ten_thousand_sockets(record: Recorder) -> None:
    done = record(record.script("""
        import socket
        for _ in range(10_000):
            a, b = socket.socketpair()
            a.send(b"x")
            b.recv(1)
            a.close()
            b.close()
    """), options=["--payload", "0"])  # fmt: skip
    assert done.rows("SELECT count(*) AS n, count(DISTINCT fd) AS fds, sum(closed_by = 'close') AS closed FROM sockets") == [
        {"n": 20_000, "fds": 2, "closed": 20_000}]  # fmt: skip
    assert done.rows("SELECT count(*) AS n FROM payloads") == [{"n": 0}]


def test_a_fork_inherits_and_what_a_child_collects_stays_open_in_the_parent(record: Recorder) -> None:
    done = record(record.script("""
        import json, os, socket, warnings
        warnings.simplefilter("ignore")
        server = socket.create_server(("127.0.0.1", 0))
        client = socket.create_connection(server.getsockname())
        spare = socket.socket()
        spare.bind(("127.0.0.1", 0))
        child = os.fork()
        if not child:
            del spare
            conn, _ = server.accept()
            conn.sendall(b"from a child")
            server.close()
            grandchild = os.fork()
            if not grandchild:
                conn.send(b"!")
                os._exit(0)
            os.waitpid(grandchild, 0)
            os._exit(0)
        os.waitpid(child, 0)
        for n in range(3000):
            spare.setblocking(True)
        with socket.socket() as later:
            later.bind(("127.0.0.1", 0))
        assert client.recv(13, socket.MSG_WAITALL) == b"from a child!"
        print(json.dumps({"parent": os.getpid(), "child": child}))
    """))  # fmt: skip
    assert done.status == 0, done
    pids = done.said
    server, client, spare, later = sockets(done, pid=pids["parent"])
    inherited, conn, *dropped = sockets(done, pid=pids["child"])
    assert (inherited["origin"], inherited["origin_id"], inherited["role"]) == ("inherited", server["id"], "listener")
    assert inherited["closed_by"] == "close" and server["closed_by"] == spare["closed_by"] == "exit" and dropped == []
    assert (later["origin"], later["closed_by"]) == ("created", "close")
    (accept,) = done.calls(operation="accept")
    assert accept["result"] == conn["id"] and conn["parent_id"] == inherited["id"] and accept["pid"] == pids["child"]
    (in_grandchild,) = [row for row in sockets(done) if row["pid"] not in (pids["parent"], pids["child"])]
    assert (in_grandchild["origin"], in_grandchild["origin_id"], in_grandchild["role"]) == ("inherited", conn["id"], "accepted")
    assert in_grandchild["peer"] == conn["peer"] == client["local"]


def test_a_grandchild_of_a_child_that_made_no_call_still_knows_the_listener(record: Recorder) -> None:
    done = record(record.script("""
        import os, socket
        server = socket.create_server(("127.0.0.1", 0))
        child = os.fork()
        if not child:
            grandchild = os.fork()
            if not grandchild:
                server.setblocking(False)
                copy = server.dup()
                copy.setblocking(False)
                os._exit(0)
            os.waitpid(grandchild, 0)
            os._exit(0)
        os.waitpid(child, 0)
    """))  # fmt: skip
    server, inherited, copy = sockets(done)
    assert [(row["origin"], row["origin_id"], row["role"]) for row in (inherited, copy)] == [
        ("inherited", server["id"], "listener"), ("duplicated", inherited["id"], "listener")]  # fmt: skip


def test_children_never_share_the_numbers_of_sockets_threads_or_sites(record: Recorder) -> None:
    done = record(record.script("""
        import os, socket, threading
        def work(depth):
            a, b = socket.socketpair()
            threads = [threading.Thread(target=a.send, args=(b"x",)) for _ in range(3)]
            for thread in threads: thread.start()
            for thread in threads: thread.join()
            assert b.recv(3, socket.MSG_WAITALL) == b"xxx"
            if depth:
                pids = []
                for _ in range(3):
                    pid = os.fork()
                    if not pid:
                        work(depth - 1)
                        os._exit(0)
                    pids.append(pid)
                for pid in pids: os.waitpid(pid, 0)
        work(2)
    """))  # fmt: skip
    processes = 1 + 3 + 9
    assert done.rows("SELECT count(*) AS n FROM processes WHERE recorded") == [{"n": processes}]
    assert len(sockets(done)) == 2 * processes
    assert done.rows("SELECT count(*) AS n FROM threads") == [{"n": 4 * processes}]
    strangers = done.rows("""SELECT count(*) AS n FROM calls c JOIN threads t ON t.id = c.thread_id JOIN sockets s ON s.id = c.socket_id
        WHERE s.process_id <> t.process_id""")
    assert strangers == [{"n": 0}]
    assert len(done.calls(operation="send")) == 3 * processes and len(done.calls(operation="recv", result=3)) == processes


def test_the_socket_types_of_a_program_are_what_they_were(record: Recorder) -> None:
    text = """
        import copy, inspect, json, pickle, socket, _socket
        a, b = socket.socketpair()
        said = {}
        for name in ("recv", "recv_into", "send", "sendall", "bind", "accept", "close", "detach", "sendfile", "settimeout", "_accept"):
            unbound, bound = getattr(socket.socket, name), getattr(a, name)
            said[name] = [
                unbound.__name__, unbound.__qualname__, unbound.__doc__,
                repr(unbound).split(" at ")[0], bound.__name__, bound.__doc__, callable(bound), inspect.isroutine(unbound),
                inspect.ismethoddescriptor(unbound), inspect.isbuiltin(bound), inspect.isfunction(unbound),
                bound.__self__ is a, unbound == getattr(socket.socket, name), bound == getattr(a, name), bound != getattr(b, name),
                hash(bound) == hash(getattr(a, name)), name in dir(a), isinstance(a, _socket.socket), type(a) is socket.socket,
            ]
            try:
                said[name].append(str(inspect.signature(unbound)))
            except ValueError as error:
                said[name].append(type(error).__name__)
        said["mro"] = [repr(cls) for cls in socket.socket.__mro__]
        said["pickled"] = pickle.loads(pickle.dumps(socket.socket.recv)) is not None
        class Mine(socket.socket):
            def recv(self, size, *args):
                return super().recv(size, *args).upper()
        mine = Mine(fileno=a.detach())
        b.send(b"shout")
        said["overridden"] = mine.recv(10).decode()
        said["super"] = socket.socket.send(b, b"unbound")
        said["getattr"] = getattr(mine, "recv")(10).decode()
        print(json.dumps(said, sort_keys=True))
    """  # fmt: skip
    script = record.script(text)
    done = record(script)
    plain = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=True)
    expected, found = json.loads(plain.stdout), done.said
    assert {name: value for name, value in found.items() if value != expected[name]} == {}
    assert done.outcomes(operation="recv") == [("recv", "ok")] * 2


def test_a_connection_that_the_kernel_makes_by_itself_has_its_role_and_address_at_once(record: Recorder) -> None:
    done = record(record.script("""
        import asyncio, json, socket
        with socket.create_server(("127.0.0.1", 0)) as server:
            ways = []
            for way in ("connect", "connect_ex"):
                with socket.socket() as sock:
                    sock.setblocking(False)
                    try:
                        getattr(sock, way)(server.getsockname())
                    except BlockingIOError:
                        pass
                    ways.append("127.0.0.1:%d" % sock.getsockname()[1])
            async def client():
                reader, writer = await asyncio.open_connection(*server.getsockname())
                ways.append("127.0.0.1:%d" % writer.get_extra_info("sockname")[1])
                writer.write(b"hello")
                await writer.drain()
                writer.close()
                await writer.wait_closed()
            asyncio.run(client())
            print(json.dumps({"server": "127.0.0.1:%d" % server.getsockname()[1], "clients": ways}))
    """))  # fmt: skip
    assert [row["outcome"] for row in done.calls(operation="connect") + done.calls(operation="connect_ex")] == ["in_progress"] * 3
    assert [(row["local"], row["peer"]) for row in sockets(done, role="connected")] == [
        (local, done.said["server"]) for local in done.said["clients"]]  # fmt: skip


def test_a_refused_connection_keeps_the_address_that_was_asked_for(record: Recorder) -> None:
    done = record(record.script("""
        import select, socket
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            with socket.socket() as sock:
                sock.setblocking(False)
                assert sock.connect_ex(free.getsockname())
                select.select([], [sock], [])
                print("127.0.0.1:%d" % free.getsockname()[1])
    """))  # fmt: skip
    assert [row["peer"] for row in sockets(done) if row["role"] == "connected"] == [done.out.strip()]


def test_calls_on_a_descriptor_that_was_closed_before_we_met_its_socket_are_recorded(record: Recorder) -> None:
    done = record(record.script("""
        import os, socket
        one, two = socket.socket(), socket.socket()
        os.close(one.fileno())
        socket.socket(fileno=two.fileno()).close()
        for call in (lambda: one.send(b"x"), two.close):
            try:
                call()
            except OSError as error:
                print(error.errno)
        one.detach()
    """))  # fmt: skip
    assert done.out == "9\n9\n" and done.run["calls_lost"] == 0
    assert [row["errno"] for row in done.calls(operation="send")] == [9]
    assert [row["errno"] for row in done.calls(operation="close")][-1] == 9
