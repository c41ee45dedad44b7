"""TLS in the trace: what is read and written in the clear, on a socket and in memory, and how a handshake goes."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from .playing import interpreter
from .recording import PROGRAMS, SOCKREEL, Recorded, Recorder, environment

PROGRAM = PROGRAMS / "tls_cases.py"
TLS = ("tls_recv", "tls_send", "tls_read", "tls_write", "do_handshake", "unwrap")
_CARRIED = """
SELECT o.name AS tls, u.name AS outcome, c.result, p.name AS operation, d.result AS moved, c.socket_id = d.socket_id AS same
FROM links l JOIN calls c ON c.id = l.from_call_id JOIN operations o ON o.id = c.operation_id JOIN outcomes u ON u.id = c.outcome_id
JOIN calls d ON d.id = l.to_call_id JOIN operations p ON p.id = d.operation_id WHERE l.kind = 'wrapped' ORDER BY c.id, d.id
"""


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a key and a certificate for localhost."""
    if not shutil.which("openssl"):
        pytest.skip("there is no openssl here")
    folder = tmp_path_factory.mktemp("certificate")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-keyout", "key.pem", "-out", "certificate.pem", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"],
        cwd=folder, check=True, capture_output=True,
    )  # fmt: skip
    return folder


@pytest.fixture(scope="module", params=["c", "python"])
def recorded(record_once: Recorder, certificate: Path, request: pytest.FixtureRequest) -> Recorded:
    """All cases under this Python, once per core."""
    return record_once(PROGRAM, certificate, options=["--core", request.param])


def of_case(recorded: Recorded, case: str) -> list[tuple[Any, ...]]:
    """Return operation, outcome, bytes asked and moved of the TLS calls a case made itself, in its main thread."""
    calls = recorded.calls(function=case)
    return [(row["operation"], row["outcome"], row["asked"], row["result"]) for row in calls if row["operation"] in TLS]


def test_the_program_sees_what_it_sees_without_us(recorded: Recorded, certificate: Path) -> None:
    plain = subprocess.run(
        [sys.executable, str(PROGRAM), str(certificate)], capture_output=True, text=True, env=environment(), check=True, timeout=60
    )
    assert recorded.out == plain.stdout
    assert recorded.blind_spots == [] and recorded.run["calls_lost"] == 0


def test_what_moves_in_the_clear_is_told_once_whichever_way_it_is_asked_for(recorded: Recorded) -> None:
    assert of_case(recorded, "case_moving") == [
        ("tls_send", "ok", 5, 5), ("tls_recv", "ok", 100, 5), ("tls_send", "ok", 6, 6), ("tls_recv", "ok", 8, 6),
        ("tls_send", "ok", 7, 7), ("tls_recv", "ok", 3, 3), ("tls_recv", "ok", 8, 4), ("tls_recv", "ok", 0, 0),
        ("tls_send", "ok", 4, 4), ("tls_recv", "ok", 1000, 4), ("tls_send", "ok", 100, 100), ("tls_recv", "ok", 1000, 100),
        ("tls_recv", "eof", 10, None),
    ]  # fmt: skip
    told = [row["payload"] for row in recorded.calls(function="case_moving") if row["operation"] in TLS]
    assert told[:4] == [b"hello", b"hello", b"worlds", b"worlds"] and told[6] == b"tten" and told[8:10] == [b"seen"] * 2


def test_a_tls_socket_is_the_socket_it_was_made_of(recorded: Recorded) -> None:
    rows = recorded.rows("SELECT id, role, origin, closed_by FROM sockets WHERE kind = 'tcp'")
    assert len(rows) > 10 and {row["origin"] for row in rows} == {"created", "accepted"}
    assert {row["closed_by"] for row in rows} == {"close"}
    on = {row["socket_id"] for row in recorded.calls(function="case_moving")}
    assert len(on) == 2 and all(row["role"] in ("accepted", "connected") for row in recorded.calls(function="case_moving"))


def test_a_socket_that_left_tls_behind_goes_on_in_the_clear(recorded: Recorded) -> None:
    said = [(row["operation"], row["outcome"], row["result"]) for row in recorded.calls(function="case_ending")]
    assert [row for row in said if row[0] in ("tls_recv", "unwrap")] == [("tls_recv", "eof", 0), ("unwrap", "ok", None)]
    assert [row for row in said if row[0] in ("send", "recv")] == [("send", "ok", 12), ("recv", "ok", 12)]
    assert [row["outcome"] for row in recorded.calls(operation="unwrap") if row["timeout_ns"] == 5_000_000_000] == ["ok"]  # the other end's


def test_a_nonblocking_tls_call_that_wants_more_is_fruitless_and_one_with_a_timeout_is_blocked(recorded: Recorded) -> None:
    said = of_case(recorded, "case_polling")
    assert said[:6] == [("tls_recv", "want_read", 10, None)] * 3 + [
        ("tls_send", "ok", 5, 5), ("tls_recv", "ok", 10, 5), ("tls_recv", "want_read", 10, None),
    ]  # fmt: skip
    assert said[-2:] == [("tls_send", "want_write", 65536, None), ("tls_recv", "timeout", 10, None)]
    timeouts = [row["timeout_ns"] for row in recorded.calls(function="case_polling", operation="tls_recv")]
    assert timeouts == [0] * 5 + [50_000_000]
    socket = recorded.calls(function="case_polling", outcome="want_write")[0]["socket_id"]
    assert recorded.rows("SELECT fruitless FROM connections WHERE socket_id = ?", socket) == [{"fruitless": 5}]
    assert recorded.rows("SELECT sum(calls) AS n FROM levels WHERE level = 7 AND socket_id = ? AND class = 'fruitless'", socket) == [
        {"n": 5}
    ]
    assert recorded.rows(
        """SELECT o.name FROM links l JOIN calls w ON w.id = l.from_call_id JOIN sites s ON s.id = w.site_id
        JOIN calls c ON c.id = l.to_call_id JOIN operations o ON o.id = c.operation_id
        WHERE l.kind = 'readiness' AND s.function = 'case_polling'"""
    ) == [{"name": "tls_recv"}]


def test_a_handshake_in_steps_wants_to_read_and_then_is_done(recorded: Recorded) -> None:
    said = [row[:2] for row in of_case(recorded, "case_shaking")]
    assert said.count(("do_handshake", "ok")) == 2 and said.count(("do_handshake", "want_read")) >= 2
    assert len(said) == len([row for row in said if row[0] == "do_handshake"])


def test_a_handshake_that_fails_says_how_without_an_errno_that_is_none(recorded: Recorded) -> None:
    failed = [row for row in recorded.calls(operation="do_handshake") if row["outcome"] in ("error", "eof", "reset")]
    assert sorted(row["outcome"] for row in failed) == ["eof", "error", "error", "error"]
    assert [row["errno"] for row in failed] == [None] * 4
    assert all(row["socket_id"] for row in failed)


def test_tls_in_memory_is_told_with_the_socket_that_feeds_it_and_the_calls_that_carried_it(recorded: Recorded) -> None:
    carried = [row for row in recorded.rows(_CARRIED) if row["tls"] in ("tls_read", "tls_write")]
    moved = [(row["tls"], row["result"], row["operation"]) for row in carried if row["result"]]
    assert moved.count(("tls_write", 6, "send")) == 3 and moved.count(("tls_write", 6000, "send")) == 3
    assert moved.count(("tls_read", 6, moved[[row[0] for row in moved].index("tls_read")][2])) == 3
    assert all(row["same"] for row in carried)
    assert all(row["moved"] > row["result"] for row in carried if row["result"])  # what is encrypted is longer
    totals = recorded.rows(
        """SELECT received_bytes, sent_bytes FROM connections WHERE role = 'accepted' AND socket_id IN
        (SELECT c.socket_id FROM calls c JOIN operations o ON o.id = c.operation_id WHERE o.name = 'tls_read')"""
    )
    assert totals == [{"received_bytes": 18, "sent_bytes": 18000}]
    assert recorded.rows("SELECT DISTINCT received_bytes, sent_bytes FROM requests WHERE sent_bytes = 6000") == [
        {"received_bytes": 6, "sent_bytes": 6000}
    ]


def test_tls_in_memory_that_no_socket_feeds_has_none(recorded: Recorded) -> None:
    calls = [row for row in recorded.calls(function="case_memory") if row["operation"] in TLS]
    assert [(row["operation"], row["outcome"]) for row in calls] == [
        ("do_handshake", "want_read"), ("do_handshake", "want_read"), ("do_handshake", "ok"), ("do_handshake", "ok"),
        ("tls_write", "ok"), ("tls_read", "ok"), ("tls_read", "want_read"),
    ]  # fmt: skip
    assert {row["socket_id"] for row in calls} == {None} and {row["timeout_ns"] for row in calls} == {0}


@pytest.mark.parametrize("core", ["c", "python"])
def test_a_forked_child_tells_its_own_tls_on_sockets_and_in_memory(record: Recorder, certificate: Path, core: str) -> None:
    done = record(record.script(f"""
        import asyncio, os, socket, ssl
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain({str(certificate / "certificate.pem")!r}, {str(certificate / "key.pem")!r})
        trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        trusting.load_verify_locations({str(certificate / "certificate.pem")!r})
        first, second = socket.create_server(("127.0.0.1", 0)), socket.create_server(("127.0.0.1", 0))
        wrapped = context.wrap_socket(first, server_side=True)

        async def serve():
            over = asyncio.Event()
            async def answer(reader, writer):
                writer.write((await reader.readline()).upper())
                writer.close()
                over.set()
            server = await asyncio.start_server(answer, sock=second, ssl=context)
            await over.wait()
            server.close()

        pid = os.fork()
        if not pid:
            accepted = wrapped.accept()[0]
            accepted.sendall(accepted.recv(100).upper())
            accepted.close()
            asyncio.run(serve())
            os._exit(0)
        for listener in wrapped, second:
            with trusting.wrap_socket(socket.create_connection(listener.getsockname()), server_hostname="localhost") as client:
                client.sendall(b"hello\\n")
                print(client.recv(100))
        os.waitpid(pid, 0)
    """), options=["--core", core])  # fmt: skip
    assert done.out == "b'HELLO\\n'\n" * 2
    child = done.rows("SELECT s.role, n.received_bytes, n.sent_bytes FROM connections n JOIN sockets s ON s.id = n.socket_id"
                      " JOIN processes p ON p.id = s.process_id WHERE p.started_by = 'fork' AND s.role = 'accepted'")  # fmt: skip
    assert child == [{"role": "accepted", "received_bytes": 6, "sent_bytes": 6}] * 2
    told = {row["operation"] for row in done.calls() if row["operation"].startswith("tls_")}
    assert told == {"tls_recv", "tls_send", "tls_read", "tls_write"}


def test_a_spin_on_a_nonblocking_tls_socket_is_polling_wherever_it_is_shown(record: Recorder, certificate: Path) -> None:
    done = record(record.script(f"""
        import socket, ssl, threading
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain({str(certificate / "certificate.pem")!r}, {str(certificate / "key.pem")!r})
        trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        trusting.load_verify_locations({str(certificate / "certificate.pem")!r})
        ours, theirs = socket.socketpair()
        made = []
        thread = threading.Thread(target=lambda: made.append(trusting.wrap_socket(theirs, server_hostname="localhost")))
        thread.start()
        server = context.wrap_socket(ours, server_side=True)
        thread.join()
        server.setblocking(False)
        for _ in range(5000):
            try:
                server.recv(100)
            except ssl.SSLWantReadError:
                pass
    """))  # fmt: skip
    assert len(done.calls(operation="tls_recv", outcome="want_read")) == 5000
    assert done.rows("SELECT calls FROM spins ORDER BY calls DESC LIMIT 1") == [{"calls": 5000}]
    said = subprocess.run([*SOCKREEL, "stats", "--json", str(done.path)], capture_output=True, text=True, check=True, env=environment())
    assert json.loads(said.stdout)["fruitless_calls"] == 5000
    shown = subprocess.run([*SOCKREEL, "show", str(done.path)], capture_output=True, text=True, check=True, env=environment())
    assert "fruitless" in shown.stdout and "99." in shown.stdout.split("fruitless")[0]


def test_a_program_with_a_module_of_its_own_named_ssl_gets_that(record: Recorder) -> None:
    record.script("answer = 42\n", "ssl.py")
    done = record(record.script("import ssl, socket; socket.socketpair(); print(ssl.answer, ssl.__file__.endswith('lib/ssl.py'))"))
    assert done.out == "42 False\n" and done.blind_spots == []


@pytest.mark.slow
@pytest.mark.parametrize("version", ["3.8", "3.9", "3.10", "3.12", "3.13"])
def test_other_pythons_tell_the_same(version: str, record: Recorder, certificate: Path) -> None:
    python = interpreter(version)
    plain = subprocess.run([python, str(PROGRAM), str(certificate)], capture_output=True, text=True, env=environment(), timeout=60)
    done = record(PROGRAM, certificate, python=python)
    assert done.out == plain.stdout and plain.returncode == 0
    assert of_case(done, "case_moving")[-1][:3] == ("tls_recv", "eof", 10) and len(of_case(done, "case_moving")) == 13
    failed = [row["outcome"] for row in done.calls(operation="do_handshake") if row["outcome"] not in ("ok", "want_read")]
    assert sorted(failed) == ["eof"] + ["error"] * 3
    assert len([row for row in done.rows(_CARRIED) if row["tls"] == "tls_write"]) == 6


def test_the_classes_of_ssl_are_what_they_were(record: Recorder, certificate: Path) -> None:
    script = record.script(
        """
        import copyreg, inspect, pickle, socket, ssl, sys, _ssl
        def told(cls, name):
            found = inspect.getattr_static(cls, name)
            try:
                signature = str(inspect.signature(found))
            except (TypeError, ValueError) as error:
                signature = type(error).__name__
            return [repr(found).split(" at 0x")[0], type(found).__name__, found.__name__, found.__qualname__, found.__doc__, signature,
                    getattr(found, "__text_signature__", None), inspect.isroutine(found), inspect.ismethoddescriptor(found),
                    inspect.isfunction(found), found.__class__.__name__]
        for cls in (ssl.SSLSocket, ssl.SSLObject):
            for name, value in sorted(vars(cls).items()):
                if inspect.isfunction(value):
                    print(cls.__name__, told(cls, name))
        for cls, names in ((_ssl._SSLSocket, ("read", "write", "do_handshake", "shutdown", "pending")), (_ssl.MemoryBIO, ("write", "read")),
                           (_ssl._SSLContext, ("_wrap_bio",))):
            for name in names:
                row = told(cls, name)
                row[1] = ""  # what type() says cannot be changed, what __class__ says is
                print(cls.__name__, row, sorted(vars(cls)) == sorted(set(vars(cls))), pickle.dumps(getattr(cls, name)))
        memory = ssl.MemoryBIO()
        print(repr(memory.write).split(" at 0x")[0], memory.write.__self__ is memory, memory.write(b"123"), memory.read())
        try:
            _ssl._SSLSocket.read(memory, 1)
        except TypeError as error:
            print(error)
        print([type(finder).__name__ for finder in sys.meta_path], ssl.__spec__.origin == ssl.__file__, type(ssl.__loader__).__name__)
        print([sorted(vars(finder)) for path, finder in sys.path_importer_cache.items() if path + "/ssl.py" == ssl.__file__])
        """
    )
    plain = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, env=environment(), check=True)
    for core in ("c", "python"):
        assert record(script, options=["--core", core]).out == plain.stdout
