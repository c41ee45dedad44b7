"""Every kind of socket, and every way a socket comes into a process: by fork, by exec, by message."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from .playing import interpreter
from .recording import PATIENCE_S, SOCKREEL, Recorded, Recorder, environment, flaws

VERSIONS = ["this", "3.8", "3.13"]
KEYS = ("kind", "family", "type", "role", "origin", "closed_by")


def sockets(recorded: Recorded, **wanted: Any) -> list[dict[str, Any]]:
    rows = recorded.rows("SELECT s.*, p.pid FROM sockets s JOIN processes p ON p.id = s.process_id ORDER BY s.id")
    return [row for row in rows if all(row[name] == value for name, value in wanted.items())]


def told(row: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(row[name] for name in KEYS)


def moved(recorded: Recorded, socket_id: int) -> list[tuple[str, str, int | None]]:
    return [(row["operation"], row["outcome"], row["result"]) for row in recorded.calls(socket_id=socket_id) if row["result"] is not None]


@pytest.mark.parametrize("core", ["c", "python"])
def test_a_server_of_both_families_sees_clients_of_either(record: Recorder, core: str) -> None:
    if not socket.has_dualstack_ipv6():
        pytest.skip("there is no dual-stack IPv6 here")
    done = record(record.script("""
        import json, socket
        with socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True) as server:
            port = server.getsockname()[1]
            for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
                with socket.socket(family) as client:
                    client.connect((host, port))
                    conn, address = server.accept()
                    with conn:
                        client.send(b"hello")
                        conn.recv(5)
        print(json.dumps(port))
    """), options=["--core", core])  # fmt: skip
    port = done.said
    server, old, accepted_old, new, accepted_new = [
        row for row in sockets(done) if not row["local"].endswith(":0")]  # without a trial of IPv6
    assert (server["local"], *told(server)) == (f"[::]:{port}", "tcp", "AF_INET6", "SOCK_STREAM", "listener", "created", "close")
    assert (old["family"], old["peer"], accepted_old["family"]) == ("AF_INET", f"127.0.0.1:{port}", "AF_INET6")
    assert (accepted_old["local"], accepted_old["peer"]) == (f"[::ffff:127.0.0.1]:{port}", f"[::ffff:{old['local']}".replace("1:", "1]:"))
    assert (new["peer"], accepted_new["peer"], accepted_new["role"]) == (f"[::1]:{port}", new["local"], "accepted")


UNIX = """
import os, socket, tempfile
folder = tempfile.mkdtemp()
for kind in (socket.SOCK_STREAM, socket.SOCK_SEQPACKET):
    for address in (os.path.join(folder, "s%d" % kind), "\\0sockreel test %d %d" % (os.getpid(), kind)):
        with socket.socket(socket.AF_UNIX, kind) as server:
            server.bind(address)
            server.listen()
            with socket.socket(socket.AF_UNIX, kind) as client:
                client.connect(address)
                conn, _ = server.accept()
                client.send(b"hello")
                os.read(conn.fileno(), 10)
                conn.close()
print(folder, os.getpid())
"""


@pytest.mark.parametrize("version", VERSIONS)
def test_unix_sockets_have_paths_abstract_names_or_none(record: Recorder, version: str) -> None:
    done = record(record.script(UNIX), python=interpreter(version))
    folder, pid = done.out.split()
    rows = sockets(done)
    assert len(rows) == 12
    for kind, (server, client, conn) in zip([1, 1, 5, 5], zip(rows[::3], rows[1::3], rows[2::3], strict=True), strict=True):
        name = {1: "SOCK_STREAM", 5: "SOCK_SEQPACKET"}[kind]
        assert server["local"] in (f"unix:{folder}/s{kind}", f"unix:@sockreel test {pid} {kind}")
        assert told(server) == ("unix", "AF_UNIX", name, "listener", "created", "close")
        assert (*told(client), client["local"], client["peer"]) == (
            "unix", "AF_UNIX", name, "connected", "created", "close", None, server["local"])  # fmt: skip
        assert (*told(conn), conn["parent_id"]) == ("unix", "AF_UNIX", name, "accepted", "accepted", "close", server["id"])
        assert moved(done, conn["id"]) == [("read", "ok", 5)]


def test_datagrams_with_and_without_a_connected_peer(record: Recorder) -> None:
    done = record(record.script("""
        import os, socket
        for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
            try:
                here, there = socket.socket(family, socket.SOCK_DGRAM), socket.socket(family, socket.SOCK_DGRAM)
                here.bind((host, 0))
            except OSError:
                continue
            there.sendto(b"to you", here.getsockname())
            data, address = here.recvfrom(100)
            here.connect(address)
            os.write(here.fileno(), b"to my peer")
            os.read(there.fileno(), 100)
            there.sendto(b"", here.getsockname())
            os.read(here.fileno(), 100)
            here.close(); there.close()
    """))  # fmt: skip
    for there, here in zip(sockets(done)[1::2], sockets(done)[::2], strict=True):
        assert (here["kind"], here["type"], there["kind"], there["role"]) == ("udp", "SOCK_DGRAM", "udp", "datagram")
        assert moved(done, here["id"]) == [("recvfrom", "ok", 6), ("write", "ok", 10), ("read", "ok", 0)]  # no end of stream
        assert moved(done, there["id"]) == [("sendto", "ok", 6), ("read", "ok", 10), ("sendto", "ok", 0)]
        assert here["peer"] and here["peer"].rpartition(":")[2] == there["local"].rpartition(":")[2]


@pytest.mark.skipif(os.geteuid() != 0, reason="raw sockets are for root")
def test_raw_sockets(record: Recorder) -> None:
    done = record(record.script("""
        import socket
        try:
            raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
        except PermissionError:
            print("no")
        else:
            raw.settimeout(5)
            raw.sendto(b"\\x08\\x00\\xf7\\xff\\x00\\x00\\x00\\x00", ("127.0.0.1", 0))
            print(len(raw.recv(1000)))
    """))  # fmt: skip
    if done.out == "no\n":
        pytest.skip("raw sockets are forbidden here")
    (raw,) = sockets(done)
    assert told(raw) == ("other", "AF_INET", "SOCK_RAW", "other", "created", "exit")
    assert moved(done, raw["id"]) == [("sendto", "ok", 8), ("recv", "ok", int(done.out))]


def test_the_ends_of_a_pair_name_each_other(record: Recorder) -> None:
    done = record(record.script("""
        import socket
        pairs = [socket.socketpair(), socket.socketpair(type=socket.SOCK_DGRAM), socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)]
        for one, other in pairs:
            one.send(b"across")
            other.recv(10)
    """))  # fmt: skip
    rows = sockets(done)
    assert [row["pair_id"] for row in rows] == [rows[at ^ 1]["id"] for at in range(6)]
    assert [row["role"] for row in rows] == ["pair", "pair", "datagram", "datagram", "pair", "pair"]
    assert [moved(done, row["id"]) for row in rows] == [[("send", "ok", 6)], [("recv", "ok", 6)]] * 3


WORKERS = """
import multiprocessing, socket, sys
from concurrent.futures import ProcessPoolExecutor

def work(listener, count):
    conn, _ = listener.accept()
    conn.sendall(b"x" * count)
    conn.close()

def give(pipe):
    conn = pipe.recv()
    conn.sendall(b"given")

def square(n):
    return n * n

if __name__ == "__main__":
    context = multiprocessing.get_context(sys.argv[1])
    with socket.create_server(("127.0.0.1", 0)) as listener:
        process = context.Process(target=work, args=(listener, 7))
        process.start()
        with socket.create_connection(listener.getsockname()) as client:
            assert client.recv(7, socket.MSG_WAITALL) == b"x" * 7
        process.join()
        here, there = context.Pipe()
        process = context.Process(target=give, args=(there,))
        process.start()
        with socket.create_connection(listener.getsockname()) as client:
            conn, _ = listener.accept()
            here.send(conn)
            conn.close()
            assert client.recv(5, socket.MSG_WAITALL) == b"given"
        process.join()
    with ProcessPoolExecutor(2, mp_context=context) as pool:
        print(sum(pool.map(square, range(5))))
"""

PASSING = """
import array, json, os, socket, sys
here, there = socket.socketpair()
with socket.create_server(("127.0.0.1", 0)) as server:
    pid = os.fork()
    if not pid:
        if hasattr(socket, "recv_fds"):
            data, fds, _, _ = socket.recv_fds(there, 10, 4)
        else:
            data, ancillary, _, _ = there.recvmsg(10, 64)
            fds = array.array("i", ancillary[0][2])
        assert len(fds) == 2
        os.write(fds[0], b"from the one it was passed to")
        os.read(fds[1], 10)  # a file came along
        os.close(fds[0])
        os._exit(0)
    client = socket.create_connection(server.getsockname())
    conn, _ = server.accept()
    with open("/dev/null") as file:
        here.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [conn.fileno(), file.fileno()]))])
    conn.close()
    os.waitpid(pid, 0)
    assert client.recv(100) == b"from the one it was passed to"
    print(json.dumps({"parent": os.getpid(), "child": pid}))
"""


@pytest.mark.parametrize("version", VERSIONS)
def test_a_socket_that_came_by_message_names_the_one_that_was_sent(record: Recorder, version: str) -> None:
    done = record(record.script(PASSING), python=interpreter(version))
    assert done.status == 0, done
    (conn,) = sockets(done, role="accepted", pid=done.said["parent"])
    (came,) = [row for row in sockets(done, pid=done.said["child"]) if row["kind"] == "tcp"]
    assert (came["origin"], came["origin_id"], came["closed_by"], came["peer"]) == ("passed", conn["id"], "close", conn["peer"])
    assert moved(done, came["id"]) == [("write", "ok", 29)]
    assert done.calls(operation="recvmsg")[0]["result"] == 1


def test_a_child_inherits_what_it_was_left(record: Recorder) -> None:
    record.script("""
        import os, socket, sys
        listener = socket.socket(fileno=int(sys.argv[1]))
        conn, _ = listener.accept()
        conn.sendall(b"hello")
        os.write(int(sys.argv[2]), b"served")
    """, "child.py")  # fmt: skip
    done = record(record.script("""
        import os, socket, subprocess, sys
        here, there = socket.socketpair()
        with socket.create_server(("127.0.0.1", 0)) as server:
            fds = [server.fileno(), there.fileno()]
            child = subprocess.Popen([sys.executable, "child.py", *map(str, fds)], pass_fds=fds, env={})
            there.close()
            with socket.create_connection(server.getsockname()) as client:
                assert client.recv(5, socket.MSG_WAITALL) == b"hello"
            assert os.read(here.fileno(), 10) == b"served" and child.wait() == 0
    """))  # fmt: skip
    assert done.status == 0, done
    server = sockets(done, role="listener", origin="created")[0]
    (there,) = sockets(done, role="pair", closed_by="close")
    (theirs,) = sockets(done, role="listener", origin="inherited")
    (end,) = sockets(done, role="pair", origin="inherited")
    assert (theirs["origin_id"], theirs["fd"], theirs["local"]) == (server["id"], server["fd"], server["local"])
    assert end["origin_id"] == there["id"] and moved(done, end["id"]) == [("write", "ok", 6)]


ACTIVATE = """
os.dup2({fd}, 3)
os.set_inheritable(3, True)
os.environ.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid()))
"""


def started_with(record: Recorder, script: Path, fd: int, first: str = "") -> Recorded:
    """Record a program while one of our descriptors is open in sockreel, too: its process runs `first` before it is sockreel."""
    path = record.folder / "trace.db"
    command = [*SOCKREEL, "record", "-o", str(path), "--python", sys.executable, str(script)]
    become = f"import os, sys\n{first}\nos.execv(sys.argv[1], sys.argv[1:])"
    done = subprocess.run(
        [sys.executable, "-c", become, *command], pass_fds=[fd], capture_output=True, text=True, env=environment(), timeout=PATIENCE_S
    )
    assert flaws(path) == [], done
    return Recorded(done.returncode, done.stdout, done.stderr, path)


def test_an_activated_service_gets_its_listener_through_sockreel(record: Recorder) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        script = record.script("""
            import os, socket
            assert os.environ["LISTEN_FDS"] == "1" and os.environ["LISTEN_PID"] == str(os.getpid()), os.environ
            with socket.socket(fileno=3) as listener, listener.accept()[0] as conn:
                conn.sendall(b"active")
        """)  # fmt: skip
        done = started_with(record, script, server.fileno(), ACTIVATE.format(fd=server.fileno()))
        assert done.status == 0 and client.recv(6, socket.MSG_WAITALL) == b"active", done
        local = f"127.0.0.1:{server.getsockname()[1]}"
    listener, conn = sockets(done)
    assert (*told(listener), listener["fd"], listener["origin_id"]) == (
        "tcp", "AF_INET", "SOCK_STREAM", "listener", "inherited", "close", 3, None)  # fmt: skip
    assert listener["local"] == local and conn["parent_id"] == listener["id"]


def test_what_the_program_was_started_with_is_inherited(record: Recorder) -> None:
    here, there = socket.socketpair()
    with here, there:
        script = record.script(f"""
            import os
            os.write({there.fileno()}, b"to whoever it is")
            os.close({there.fileno()})
        """)
        done = started_with(record, script, there.fileno())
        assert here.recv(100) == b"to whoever it is"
    (row,) = sockets(done)
    assert (row["origin"], row["origin_id"], row["role"], row["closed_by"]) == ("inherited", None, "pair", "close")
    assert moved(done, row["id"]) == [("write", "ok", 16)]


def test_a_program_that_executes_itself_anew_keeps_its_listener(record: Recorder) -> None:
    done = record(record.script("""
        import os, socket, sys
        if len(sys.argv) == 1:
            server = socket.create_server(("127.0.0.1", 0))
            server.set_inheritable(True)
            os.execv(sys.executable, [sys.executable, __file__, str(server.fileno())])
        server = socket.socket(fileno=int(sys.argv[1]))
        with socket.create_connection(server.getsockname()), server.accept()[0]:
            server.close()
    """))  # fmt: skip
    assert done.status == 0, done
    before, after = sockets(done, role="listener")
    assert (before["closed_by"], after["origin"], after["origin_id"]) == ("exec", "inherited", before["id"])


@pytest.mark.slow
@pytest.mark.parametrize("how", ["fork", "spawn", "forkserver"])
@pytest.mark.parametrize("version", VERSIONS)
def test_multiprocessing_takes_sockets_along_and_sends_them(record: Recorder, how: str, version: str) -> None:
    done = record(record.script(WORKERS), how, python=interpreter(version))
    assert done.status == 0 and done.out == "30\n", done
    (listener,) = sockets(done, role="listener", kind="tcp", origin="created")
    descent = {row["id"]: row["origin_id"] for row in sockets(done)}

    def ancestor(id_: int) -> int:
        return ancestor(above) if (above := descent[id_]) is not None else id_

    accepted = done.rows("SELECT s.* FROM calls c JOIN operations o ON o.id = c.operation_id JOIN sockets s ON s.id = c.socket_id "
                         "JOIN sockets n ON n.id = c.result WHERE o.name = 'accept' AND n.kind = 'tcp' ORDER BY c.id")  # fmt: skip
    assert len(accepted) == 2 and {ancestor(row["id"]) for row in accepted} == {listener["id"]}
    assert len({row["process_id"] for row in accepted}) == 2  # a worker, and its parent
    (given,) = done.calls(operation="sendall", result=5)
    assert ancestor(given["socket_id"]) in {row["id"] for row in sockets(done, role="accepted", origin="accepted")}
    sent, received = ({call["process_id"] for call in done.calls(operation=name, result=7)} for name in ("sendall", "recv"))
    assert len(sent) == len(received) == 1 and sent != received
    processes = done.rows("SELECT * FROM processes ORDER BY id")
    assert len(processes) >= 5 and all(row["recorded"] for row in processes)
    started_by = {row["started_by"] for row in processes[1:]}
    assert started_by == {"fork": {"fork"}, "spawn": {"spawn"}, "forkserver": {"spawn", "fork"}}[how]
    assert all(row["parent_id"] is not None for row in processes[1:]) and done.blind_spots == []


def test_threads_of_an_executor_share_the_sockets_of_their_process(record: Recorder) -> None:
    done = record(record.script("""
        import os, socket
        from concurrent.futures import ThreadPoolExecutor
        pairs = [socket.socketpair() for _ in range(4)]
        with ThreadPoolExecutor(4, thread_name_prefix="pool") as pool:
            answers = [pool.submit(os.read, there.fileno(), 10) for _, there in pairs]
            for here, _ in pairs:
                here.send(b"ready")
            assert [answer.result() for answer in answers] == [b"ready"] * 4
    """))  # fmt: skip
    reads = done.calls(operation="read", outcome="ok", result=5)
    names = done.rows("SELECT DISTINCT t.name FROM threads t JOIN calls c ON c.thread_id = t.id JOIN operations o ON o.id = c.operation_id "
                      "WHERE o.name = 'read'")  # fmt: skip
    assert len(reads) == 4 and all(row["name"].startswith("pool") for row in names)
    assert done.rows("SELECT count(*) AS n FROM processes") == [{"n": 1}]
