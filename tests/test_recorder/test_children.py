"""Children of the recorded program: recorded whatever way they were started, or named where they cannot be."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest

from .recording import Recorded, Recorder, query, until

# What a child does: a call that tells it apart, and what it was told to say.
TALK = """
import os, socket, sys
a, b = socket.socketpair()
a.send(b"x" * int(sys.argv[1]))
a.close(); b.close()
print(sorted(name for name in os.environ if "SOCKREEL" in name and name != "SOCKREEL_CORE"), os.environ.get("PYTHONPATH"), flush=True)
"""


def processes(recorded: Recorded) -> list[dict[str, Any]]:
    return recorded.rows("SELECT * FROM processes ORDER BY id")


def sent(recorded: Recorded) -> dict[int, int]:
    """Bytes sent per process: process id -> bytes."""
    return {row["process_id"]: row["result"] for row in recorded.calls(operation="send")}


STARTS = {
    "no environment of its own": "subprocess.run([sys.executable, 'talk.py', '3'], check=True)",
    "an empty environment": "subprocess.run([sys.executable, 'talk.py', '3'], env={}, check=True)",
    "a shell": "subprocess.run(f'{shlex.quote(sys.executable)} talk.py 3', shell=True, check=True)",
    "a shell that stays": "subprocess.run(f'true; {shlex.quote(sys.executable)} talk.py 3; true', shell=True, check=True)",
    "a shell with an empty environment": "subprocess.run(f'{shlex.quote(sys.executable)} talk.py 3', shell=True, env={}, check=True)",
    "os.system": "assert os.system(f'{shlex.quote(sys.executable)} talk.py 3') == 0",
    "posix_spawn": "os.waitpid(os.posix_spawn(sys.executable, [sys.executable, 'talk.py', '3'], {}), 0)",
    "posix_spawn with the program's": "os.waitpid(os.posix_spawn(sys.executable, [sys.executable, 'talk.py', '3'], os.environ), 0)",
    "posix_spawnp": "os.waitpid(os.posix_spawnp(sys.executable, [sys.executable, 'talk.py', '3'], {'A': 'b'}), 0)",
    "os.spawnve": "assert os.spawnve(os.P_WAIT, sys.executable, [sys.executable, 'talk.py', '3'], {}) == 0",
    "os.spawnv": "assert os.spawnv(os.P_WAIT, sys.executable, [sys.executable, 'talk.py', '3']) == 0",
    "fork and execve": "pid = os.fork(); pid or os.execve(sys.executable, [sys.executable, 'talk.py', '3'], {}); os.waitpid(pid, 0)",
    "fork and execv": "pid = os.fork(); pid or os.execv(sys.executable, [sys.executable, 'talk.py', '3']); os.waitpid(pid, 0)",
    "fork and execlp": "pid = os.fork(); pid or os.execlp(sys.executable, sys.executable, 'talk.py', '3'); os.waitpid(pid, 0)",
    "popen": "assert os.popen(f'{shlex.quote(sys.executable)} talk.py 3').read()",
    "asyncio": "asyncio.run(child())",
    "a thread": "t = threading.Thread(target=lambda: subprocess.run([sys.executable, 'talk.py', '3'])); t.start(); t.join()",
}


@pytest.mark.parametrize("way", STARTS)
def test_a_child_is_recorded_however_it_was_started(record: Recorder, way: str) -> None:
    record.script(TALK, "talk.py")
    done = record(record.script(f"""
        import asyncio, os, shlex, socket, subprocess, sys, threading
        async def child():
            process = await asyncio.create_subprocess_exec(sys.executable, "talk.py", "3", env={{}})
            assert await process.wait() == 0
        a, b = socket.socketpair()
        a.send(b"parent")
        {STARTS[way]}
    """))  # fmt: skip
    assert done.status == 0, done
    assert done.out in ("[] None\n", ""), done
    # Calls that asyncio makes for itself are calls as well.
    assert {row["result"] for row in done.calls(operation="send", function="<module>")} - {1} == {6, 3}
    main = processes(done)[0]
    (child,) = [row for row in processes(done)[1:] if row["recorded"]]
    assert main["started_by"] == "main" and main["exit_status"] == 0
    assert child["started_by"] == "spawn" and json.loads(child["command"])[-2:] == ["talk.py", "3"]
    assert main["started_ns"] < child["started_ns"] < child["ended_ns"]
    assert child["parent_id"] == main["id"]  # the nearest one recorded: a shell between them is none
    if "shell" not in way and way not in ("os.system", "popen"):
        assert done.blind_spots == []


def test_a_child_keeps_a_pythonpath_that_it_was_given(record: Recorder) -> None:
    record.script(TALK, "talk.py")
    record.script("print('its own module')", "own/theirs.py")
    own = str(record.folder / "own")
    done = record(record.script(f"""
        import os, subprocess, sys
        subprocess.run([sys.executable, "talk.py", "3"], env={{"PYTHONPATH": {own!r}}}, check=True)
        subprocess.run([sys.executable, "-c", "import theirs"], env={{"PYTHONPATH": {own!r}}}, check=True)
        os.environ["PYTHONPATH"] = {own!r}
        subprocess.run([sys.executable, "talk.py", "4"], check=True)
        del os.environ["PYTHONPATH"]
        subprocess.run([sys.executable, "talk.py", "5"], check=True)
        os.environ.clear()
        subprocess.run([sys.executable, "talk.py", "6"], check=True)
    """))  # fmt: skip
    assert done.status == 0, done
    assert done.out == f"[] {own}\nits own module\n[] {own}\n[] None\n[] None\n"
    assert sorted(sent(done).values()) == [3, 4, 5, 6]


def test_the_environment_a_child_is_given_is_not_changed_for_the_program(record: Recorder) -> None:
    done = record(record.script("""
        import os, subprocess, sys
        mine = {"A": "b"}
        before = dict(os.environ)
        subprocess.run([sys.executable, "-c", ""], env=mine, check=True)
        os.waitpid(os.posix_spawn(sys.executable, [sys.executable, "-c", ""], mine), 0)
        print(mine, os.environ == before, os.environb.get(b"SOCKREEL_AGENT"), os.getenv("SOCKREEL_AGENT"))
    """))  # fmt: skip
    assert done.out == "{'A': 'b'} True None None\n"


@pytest.mark.parametrize("flag", ["-I", "-E", "-S"])
def test_a_child_that_cannot_be_recorded_is_named(record: Recorder, flag: str) -> None:
    done = record(record.script(f"""
        import socket, subprocess, sys
        a, b = socket.socketpair()
        a.send(b"parent")
        subprocess.run([sys.executable, {flag!r}, "-c", "import socket; a, b = socket.socketpair(); a.send(b'unseen')"], check=True)
    """))  # fmt: skip
    assert [row["result"] for row in done.calls(operation="send")] == [6]
    main, child = processes(done)
    assert (child["recorded"], child["parent_id"], child["started_by"]) == (0, main["id"], "spawn")
    assert child["why_not"] and json.loads(child["command"])[1] == flag
    (spot,) = done.blind_spots
    assert str(child["pid"]) in spot


def test_a_child_whose_starter_forbids_it_is_left_alone_and_named(record: Recorder) -> None:
    record.script(TALK, "talk.py")
    done = record(record.script("""
        import os, subprocess, sys
        subprocess.run([sys.executable, "talk.py", "3"], env={**os.environ, "SOCKREEL_AGENT": ""}, check=True)
        os.waitpid(os.posix_spawn(sys.executable, [sys.executable, "talk.py", "4"], {"SOCKREEL_AGENT": ""}), 0)
    """))  # fmt: skip
    assert done.calls(operation="send") == []
    assert done.out == "['SOCKREEL_AGENT'] None\n" * 2
    assert [(row["recorded"], row["why_not"]) for row in processes(done)[1:]] == [
        (0, "its environment holds an empty SOCKREEL_AGENT")] * 2  # fmt: skip
    assert len(done.blind_spots) == 2


def test_a_child_that_is_no_python_is_named_once(record: Recorder) -> None:
    done = record(record.script("""
        import subprocess
        subprocess.run(["true", "a", "b"], check=True)
    """))  # fmt: skip
    (spot,) = done.blind_spots
    assert "true a b" in spot
    assert [(row["recorded"], json.loads(row["command"])) for row in processes(done)] == [
        (1, [sys.executable, str(done.path.parent / "program.py")]), (0, ["true", "a", "b"])]  # fmt: skip


def test_a_program_that_becomes_another_goes_on_in_the_same_run(record: Recorder) -> None:
    record.script(TALK, "talk.py")
    done = record(record.script("""
        import os, socket, sys
        a, b = socket.socketpair()
        a.send(b"before")
        b.set_inheritable(True)
        os.execve(sys.executable, [sys.executable, "talk.py", "3"], {})
    """))  # fmt: skip
    assert done.status == 0, done
    before, after = processes(done)
    assert (before["pid"], before["started_by"]) == (after["pid"], "main")
    assert (after["started_by"], after["parent_id"]) == ("exec", before["id"])
    assert sent(done) == {before["id"]: 6, after["id"]: 3}
    assert {row["closed_by"] for row in done.rows("SELECT * FROM sockets WHERE process_id = ?", before["id"])} == {"exec"}
    assert after["exit_status"] == 0


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_the_workers_of_multiprocessing_are_recorded(record: Recorder, method: str) -> None:
    done = record(record.script(f"""
        import multiprocessing, socket, warnings
        warnings.simplefilter("ignore")
        def work(number):
            a, b = socket.socketpair()
            a.send(b"w" * number)
            return b.recv(100).decode()
        if __name__ == "__main__":
            context = multiprocessing.get_context({method!r})
            with context.Pool(2) as pool:
                print(pool.map(work, [10, 20, 30]))
                pool.close()
                pool.join()
    """))  # fmt: skip
    assert done.status == 0, done
    assert done.out == f"{['w' * 10, 'w' * 20, 'w' * 30]}\n"
    calls = done.calls(operation="send", function="work")
    assert sorted(row["result"] for row in calls) == [10, 20, 30]
    main = processes(done)[0]["id"]
    assert main not in {row["process_id"] for row in calls}
    started = {row["id"]: row["started_by"] for row in processes(done)}
    assert {started[row["process_id"]] for row in calls} == {"spawn" if method == "spawn" else "fork"}


def test_a_preforking_server_hands_its_listener_to_all_workers(record: Recorder) -> None:
    done = record(record.script("""
        import os, socket
        server = socket.create_server(("127.0.0.1", 0))
        workers = []
        for _ in range(3):
            pid = os.fork()
            if not pid:
                conn, _ = server.accept()
                conn.sendall(conn.recv(100).upper())
                conn.close()
                os._exit(0)
            workers.append(pid)
        for _ in workers:
            with socket.create_connection(server.getsockname()) as client:
                client.sendall(b"hello")
                assert client.recv(5, socket.MSG_WAITALL) == b"HELLO"
        print([os.waitpid(pid, 0)[1] for pid in workers])
    """))  # fmt: skip
    assert done.out == "[0, 0, 0]\n"
    accepts = done.calls(operation="accept")
    assert len(accepts) == 3 and len({row["process_id"] for row in accepts}) == 3
    for accept in accepts:
        (row,) = done.rows(
            "SELECT s.*, l.origin AS of FROM sockets s JOIN sockets l ON l.id = s.parent_id WHERE s.id = ?", accept["result"]
        )
        assert row["process_id"] == accept["process_id"] and row["of"] == "inherited" and row["role"] == "accepted"
        assert [call["result"] for call in done.calls(operation="recv", socket_id=row["id"])] == [5]


def test_a_run_lasts_as_long_as_its_last_recorded_process(record: Recorder) -> None:
    with record.running(record.script("""
        import os, socket, sys
        a, b = socket.socketpair()
        if os.fork():
            sys.exit(7)
        a.send(b"daemon")
        os.setsid()
        while not os.path.exists("go on"):
            b.setblocking(False)
        a.send(b"the end")
    """)) as running:  # fmt: skip
        sends = "SELECT count(*) AS n FROM calls WHERE operation_id = 8"
        until(lambda: running.rows(sends)[:1] == [{"n": 1}], "the daemon's first call")
        assert running.process.poll() is None
        (record.folder / "go on").touch()
        done = running.ended()
    assert done.status == 7
    assert query(done.path, sends) == [{"n": 2}]


@pytest.mark.parametrize("first", ["epoll.register(server, 1)", "os.write(server.fileno(), b'')", "subprocess.run(['true'])"])
def test_whatever_a_forked_child_does_first_all_of_it_is_told(record: Recorder, first: str) -> None:
    done = record(record.script(f"""
        import os, select, socket, subprocess
        server, other = socket.socketpair()
        child = os.fork()
        if not child:
            epoll = select.epoll()
            {first}
            server.send(b"x")
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        assert other.recv(1) == b"x"
    """))  # fmt: skip
    assert [(row["role"], row["outcome"]) for row in done.calls(operation="send")] == [("pair", "ok")]
    assert len(done.rows("SELECT * FROM processes WHERE recorded")) == 2


def test_each_program_that_takes_the_place_of_another_is_a_child_of_the_one_before(record: Recorder) -> None:
    done = record(record.script("""
        import os, socket, sys
        a, b = socket.socketpair()
        a.send(b"x")
        generation = int(sys.argv[1])
        if generation < 3:
            os.execv(sys.executable, [sys.executable, __file__, str(generation + 1)])
        sys.exit(5)
    """), "0")  # fmt: skip
    rows = done.rows("SELECT id, parent_id, started_by, exit_status FROM processes ORDER BY id")
    assert [row["started_by"] for row in rows] == ["main", "exec", "exec", "exec"]
    assert [row["parent_id"] for row in rows] == [None, *(row["id"] for row in rows[:-1])]
    assert [row["exit_status"] for row in rows] == [None, None, None, 5]
    closed = done.rows("SELECT closed_by, count(*) AS n FROM sockets GROUP BY 1 ORDER BY 1")
    assert {row["closed_by"]: row["n"] for row in closed}["exec"] >= 3
