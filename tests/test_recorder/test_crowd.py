"""The parent's handle on the clients' process, and that process as a stranger meets it."""

from __future__ import annotations

import json
import os
import resource
import select
import shutil
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from sockreel.recorder.workloads.crowd import CLIENTS_SCRIPT, Crowd

from .playing import PATIENCE_S, Listening, collect, listening, play, results, upper, workload

ONE = '[[clients]]\nname = "anna"\n'

# --- the parent's handle


def test_what_is_known_is_reported_when_the_parent_stops_them(tmp_path: Path) -> None:
    def serve(conn: socket.socket) -> bytes:
        silent = conn.recv(1, socket.MSG_PEEK) == b"?"
        heard.send(b"!")
        return conn.recv(1) + conn.recv(1) if silent else upper(conn)

    heard, listener = socket.socketpair()
    text = '[[clients]]\nname = "a"\nsay = ["hi", { text = "later", after = "20s" }]\n[[clients]]\nname = "b"\nsay = ["?"]\n'
    with heard, listener, listening(serve, clients=2) as server:
        crowd = Crowd(workload(tmp_path, text + '[[clients]]\nname = "c"\nconnect = "20s"'))
        crowd.connect(server.family, server.address)
        listener.settimeout(PATIENCE_S)
        assert listener.recv(1) + listener.recv(1) == b"!!"
        crowd.stop()
    rows = sorted(crowd.poll(), key=lambda row: row.client)
    assert crowd.finished and crowd.error is None and crowd.ended_ns is not None
    assert [(row.client, row.n) for row in rows] == [("a", 1), ("b", 1), ("c", 0)]
    assert [row.result for row in rows[1:]] == ["none", "none"]


def test_stopping_before_there_was_a_server_leaves_nothing_behind(tmp_path: Path) -> None:
    crowd = Crowd(workload(tmp_path, ONE))
    crowd.stop()
    crowd.stop()
    assert (crowd.finished, crowd.error, crowd.poll(), crowd.fileno()) == (True, None, [], -1)
    assert not Path(f"/proc/{crowd.pid}").exists()


def test_clients_that_were_killed_are_not_waited_for(tmp_path: Path) -> None:
    with listening(upper) as server:
        crowd = Crowd(workload(tmp_path, ONE + 'say = ["hello"]\nleave = "stay"'))
        crowd.connect(server.family, server.address)
        os.kill(crowd.pid, signal.SIGKILL)
        assert collect(crowd) == []
        assert crowd.error == "the clients' process ended early: it was killed"
        socket.create_connection(("127.0.0.1", int(server.address.split(":")[1]))).close()  # whom the server waits for


def test_clients_never_wait_for_a_parent_that_does_not_listen(tmp_path: Path) -> None:
    with listening(upper, clients=20) as server:
        crowd = Crowd(workload(tmp_path, '[[clients]]\ncount = 20\nsay = [{ text = "x", repeat = 200 }]'))
        crowd.connect(server.family, server.address)
    assert server.saw == [b"x" * 200] * 20  # all have left, and nothing has been read of their 4,000 rows
    rows = collect(crowd)
    assert len(rows) == 4000 and {row.result for row in rows} == {"ok"}


def test_a_workload_larger_than_a_pipe_is_told_without_waiting(tmp_path: Path) -> None:
    long = "x" * 500_000
    with listening(upper) as server, Crowd(workload(tmp_path, ONE + f'say = ["{long}"]')) as crowd:
        crowd.connect(server.family, server.address)
        rows = []
        while not crowd.finished:
            select.select([crowd], [], [], 0.01)  # what is still to be told goes out at each poll
            rows += crowd.poll()
    assert server.saw == [long.encode()]
    assert results(rows) == [("anna", 1, "ok")]


def test_clients_live_in_a_session_of_their_own_and_leak_no_descriptor(tmp_path: Path) -> None:
    with Crowd(workload(tmp_path, ONE)) as crowd:
        assert os.getsid(crowd.pid) == crowd.pid
        code = "import os; print(len([fd for fd in os.listdir('/proc/self/fd') if os.path.exists(f'/proc/self/fd/{fd}')]))"
        command = [sys.executable, "-c", code]
        beside = subprocess.run(command, close_fds=False, capture_output=True, text=True, check=True).stdout
    alone = subprocess.run(command, close_fds=False, capture_output=True, text=True, check=True).stdout
    assert beside == alone


def test_ten_thousand_clients_at_once(tmp_path: Path) -> None:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard != resource.RLIM_INFINITY and hard < 10_100:
        pytest.skip(f"a process may have {hard} descriptors here")
    code = """
import asyncio, resource
resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
async def serve(reader, writer):
    while data := await reader.read(4096):
        writer.write(data.upper())
    writer.close()
async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", 0, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()
asyncio.run(main())
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            port = server.stdout.readline().strip()
            rows = play(tmp_path, 'limit = "1min"\n[[clients]]\ncount = 10_000\nsay = ["hello"]', Listening("AF_INET", f"127.0.0.1:{port}"))
        finally:
            server.kill()
    assert len(rows) == 10_000 and {(row.result, row.n) for row in rows} == {("ok", 1)}


# --- the script by itself

SPEC = json.dumps(
    {
        "limit_ns": 20_000_000_000,
        "allow_remote": False,
        "groups": [
            {
                "name": "anna",
                "count": None,
                "connect_ns": 0,
                "stagger_ns": 0,
                "leave": "stay",
                "leave_after_ns": 0,
                "timeout_ns": None,
                "messages": [],
            }
        ],
    }
)


def run_script(script: Path, said: str) -> list[dict[str, object]]:
    """Run clients.py as a stranger would, without site-packages; return what it says."""
    command = [sys.executable, "-I", "-S", str(script)]
    done = subprocess.run(command, input=said, capture_output=True, text=True, timeout=PATIENCE_S, cwd="/")
    assert (done.returncode, done.stderr) == (0, "")
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_the_script_stands_alone_and_ends_when_its_parent_does(tmp_path: Path) -> None:
    for file in ("clients.py", "_client.py", "_queue.py"):
        shutil.copy(CLIENTS_SCRIPT.with_name(file), tmp_path)
    accepted = threading.Event()

    def serve(conn: socket.socket) -> bytes:
        accepted.set()
        return conn.recv(1)

    with listening(serve) as server:
        address = json.dumps({"family": "AF_INET", "host": "127.0.0.1", "port": int(server.address.split(":")[1])})
        command = [sys.executable, "-I", "-S", str(tmp_path / "clients.py")]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd="/") as process:
            assert process.stdin is not None and process.stdout is not None
            process.stdin.write(f"{SPEC}\n{address}\n")
            process.stdin.flush()
            assert accepted.wait(PATIENCE_S)
            process.stdin.close()
            row, last = [json.loads(line) for line in process.stdout]
    assert process.returncode == 0
    assert (row["client"], row["n"]) == ("anna", 0)
    assert last["done"] is True and isinstance(last["ended_ns"], int)


@pytest.mark.parametrize(
    "said",
    [
        *("{", "[]", "7", "null", '"x"', "{}", '{"groups": 3}', '{"groups": [{}]}', "\x00", "[" * 100_000),
        *(f"{SPEC}\nhello", f"{SPEC}\n[]", f'{SPEC}\n{{"family": 3}}', f'{SPEC}\n{{"family": "AF_UNIX", "path": "\\u0000"}}'),
    ],
    ids=range(14),
)
def test_nonsense_is_answered_by_one_line(said: str) -> None:
    complaint, last = run_script(CLIENTS_SCRIPT, said + "\n")
    assert list(complaint) == ["error"] and "\n" not in str(complaint["error"])
    assert last["done"] is True


def test_silence_is_no_error() -> None:
    assert [list(each) for each in run_script(CLIENTS_SCRIPT, "")] == [["done", "ended_ns"]]
    assert [list(each) for each in run_script(CLIENTS_SCRIPT, SPEC + "\n")] == [["done", "ended_ns"]]


def test_more_clients_than_descriptors_are_refused_in_one_line(tmp_path: Path) -> None:
    code = (
        "import resource, runpy, sys; resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64));"
        f"sys.argv = [{str(CLIENTS_SCRIPT)!r}]; runpy.run_path(sys.argv[0], run_name='__main__')"
    )
    spec = json.loads(SPEC)
    spec["groups"][0]["count"] = 100
    command = [sys.executable, "-I", "-c", code]
    done = subprocess.run(command, input=json.dumps(spec) + "\n", capture_output=True, text=True, timeout=PATIENCE_S)
    complaint, last = [json.loads(line) for line in done.stdout.splitlines()]
    assert complaint == {"error": "100 clients: this process may have 48 sockets (ulimit -Hn 64)"}
    assert last["done"] is True
