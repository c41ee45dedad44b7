"""Signals in the trace: when their handlers ran, inside which call, what they did there, and that nobody notices."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from .playing import interpreter
from .recording import PROGRAMS, Recorded, Recorder, environment, flaws

PROGRAM = PROGRAMS / "signalled.py"
_SIGNALS = """
SELECT g.*, o.name AS during, c.started_ns AS call_ns, c.duration_ns AS call_took_ns, f.function FROM signals g
LEFT JOIN calls c ON c.id = g.during_call_id LEFT JOIN operations o ON o.id = c.operation_id LEFT JOIN sites f ON f.id = c.site_id
ORDER BY g.started_ns, g.id
"""


@pytest.fixture(scope="module", params=["c", "python"])
def recorded(record_once: Recorder, request: pytest.FixtureRequest) -> Recorded:
    """All cases under this Python, once per core."""
    done = record_once(PROGRAM, options=["--core", request.param], whole=False)
    assert done.status == 0 and flaws(done.path) == [], done
    return done


def signals(recorded: Recorded, case: str | None = None) -> list[dict[str, Any]]:
    """Return the signals that came in calls of one case, or all."""
    return [row for row in recorded.rows(_SIGNALS) if case is None or row["function"] == case]


def test_the_program_sees_what_it_sees_without_us(recorded: Recorded) -> None:
    plain = subprocess.run([sys.executable, str(PROGRAM)], capture_output=True, text=True, env=environment(), check=True)
    assert recorded.out == plain.stdout
    assert recorded.blind_spots == [] and recorded.run["calls_lost"] == 0


def test_a_handler_runs_inside_the_call_that_it_interrupts_and_the_call_goes_on(recorded: Recorded) -> None:
    (row,) = signals(recorded, "case_recv_goes_on")
    (recv,) = recorded.calls(function="case_recv_goes_on", operation="recv")
    assert (row["signal"], row["via"], row["during_call_id"]) == ("SIGALRM", "handler", recv["id"])
    assert recv["started_ns"] < row["started_ns"] <= row["ended_ns"] < recv["started_ns"] + recv["duration_ns"]
    (send,) = recorded.calls(operation="send", parent_id=recv["id"])
    assert row["started_ns"] <= send["started_ns"] <= row["ended_ns"] and recv["outcome"] == "ok" and recv["result"] == 5


def test_a_handler_that_raises_interrupts_the_call(recorded: Recorded) -> None:
    (row,) = signals(recorded, "case_handler_raises")
    (recv,) = recorded.calls(function="case_handler_raises", operation="recv")
    assert (recv["outcome"], recv["errno"]) == ("interrupted", None)
    assert row["during_call_id"] == recv["id"] and row["ended_ns"] is not None


def test_a_signal_in_a_handler_is_told_with_its_own_calls(recorded: Recorded) -> None:
    outer, inner = signals(recorded, "case_nested")
    assert (outer["signal"], inner["signal"], outer["during"], inner["during"]) == ("SIGALRM", "SIGUSR2", "pause", "pause")
    assert outer["started_ns"] <= inner["started_ns"] <= inner["ended_ns"] <= outer["ended_ns"]
    (pause,) = recorded.calls(operation="pause", function="case_nested")
    assert [row["function"].rpartition(".")[2] for row in recorded.calls(operation="send", parent_id=pause["id"])] == ["inner", "outer"]


def test_waits_for_signals_say_how_long_they_could_wait_and_what_came(recorded: Recorded) -> None:
    rows = recorded.calls(function="case_waits")
    told = [(row["operation"], row["outcome"], row["asked"], row["timeout_ns"]) for row in rows]
    assert told == [
        ("sigtimedwait", "timeout", 2, 0),
        ("sigtimedwait", "timeout", 2, 10_000_000),
        ("sigtimedwait", "ok", 2, 5_000_000_000),
        ("sigwaitinfo", "ok", 2, None),
        ("sigwait", "ok", 2, None),
        ("sigtimedwait", "error", 2, 0),
        ("sigtimedwait", "error", None, 1_000_000_000),  # a set that is none
    ]
    assert [row["result"] for row in rows[:2]] == [0, 0] and rows[2]["result"] == rows[4]["result"] > 0
    came = [(row["signal"], row["via"], row["during"]) for row in signals(recorded, "case_waits")]
    assert came == [("SIGUSR1", "sigwait", "sigtimedwait"), ("SIGRTMIN+3", "sigwait", "sigwaitinfo"), ("SIGUSR1", "sigwait", "sigwait")]


def test_a_signal_that_was_written_to_the_wakeup_descriptor_names_its_socket(recorded: Recorded) -> None:
    (row,) = [row for row in signals(recorded) if row["via"] == "wakeup_fd"]
    (socket,) = {call["socket_id"] for call in recorded.calls(function="case_wakeup", operation="setblocking")}
    assert (row["signal"], row["socket_id"], row["during_call_id"]) == ("SIGUSR2", socket, None)


def test_arming_signal_driven_io_is_recorded_and_its_signals_name_their_sockets(recorded: Recorded) -> None:
    told = [(row["operation"], row["flags"]) for row in recorded.calls(function="arm")]
    assert told == [("fcntl", 8), ("fcntl", 10), ("fcntl", 4)] * 2
    one, two = sorted({row["socket_id"] for row in recorded.calls(function="arm")})
    rows = [row for row in signals(recorded) if row["signal"] == "SIGRTMIN+5"]
    # The first came while one socket was armed; the second is told by the handler's first call.
    assert [row["socket_id"] for row in rows if row["socket_id"] == one][:1] == [one] and rows[-1]["socket_id"] == two


def test_blocking_set_behind_the_sockets_back_is_known(recorded: Recorded) -> None:
    rows = [row for row in recorded.calls(operation="recv") if row["function"] in ("refused", "case_blocking_behind_the_socket")]
    assert [(row["outcome"], row["timeout_ns"]) for row in rows] == [("would_block", 0), ("ok", None), ("would_block", 0), ("ok", None)]


def test_a_child_forked_in_a_handler_has_signals_of_its_own(recorded: Recorded) -> None:
    (here,) = signals(recorded, "case_fork_in_handler")
    pids = recorded.rows(
        "SELECT p.pid, g.signal FROM signals g JOIN threads t ON t.id = g.thread_id JOIN processes p ON p.id = t.process_id"
    )
    main = recorded.rows("SELECT pid FROM processes WHERE started_by = 'main'")[0]["pid"]
    assert [row["signal"] for row in pids if row["pid"] != main] == ["SIGUSR2"]
    assert here["ended_ns"] is not None


def test_ctrl_c_is_told_where_nobody_set_a_handler(recorded: Recorded) -> None:
    (row,) = [row for row in signals(recorded) if row["signal"] == "SIGINT"]
    assert row["via"] == "handler" and row["ended_ns"] is not None


@pytest.mark.parametrize("version", ["3.8", "3.9", "3.10", "3.12", "3.13"])
def test_signals_are_recorded_under_another_python(record: Recorder, version: str) -> None:
    python = interpreter(version)
    done = record(PROGRAM, python=python)
    plain = subprocess.run([python, str(PROGRAM)], capture_output=True, text=True, env=environment(), check=True)
    assert done.status == 0 and done.out == plain.stdout and done.blind_spots == []
    assert {row["via"] for row in signals(done)} == {"handler", "wakeup_fd", "sigwait"}
    assert len(done.calls(operation="fcntl", function="arm")) == 6


def test_a_handler_that_never_came_back_is_in_the_trace(record: Recorder) -> None:
    done = record(record.script("""
        import os, signal, socket
        a, b = socket.socketpair()
        def handler(number, frame):
            a.send(b"last words")
            os.kill(os.getpid(), signal.SIGKILL)
        signal.signal(signal.SIGTERM, handler)
        os.kill(os.getpid(), signal.SIGTERM)
        b.recv(100)
        b.recv(100)
    """))  # fmt: skip
    (row,) = signals(done)
    assert (row["signal"], row["ended_ns"]) == ("SIGTERM", None) and len(done.calls(operation="send")) == 1


def test_the_functions_of_signal_are_what_they_were(record: Recorder) -> None:
    script = record.script("""
        import _signal, inspect, pickle, signal
        for module in (signal, _signal):
            for name in ("signal", "getsignal", "set_wakeup_fd", "sigwait", "sigwaitinfo", "sigtimedwait", "pause"):
                one = getattr(module, name)
                try:
                    signature = str(inspect.signature(one))
                except ValueError as error:
                    signature = str(type(error))
                print(name, repr(one).split(" at ")[0], one.__name__, one.__qualname__, one.__module__, one.__doc__, signature,
                      inspect.isbuiltin(one), inspect.isfunction(one), inspect.isroutine(one), pickle.loads(pickle.dumps(one)) is one)
        for number in (signal.SIGINT, signal.SIGPIPE, signal.SIGCHLD, signal.SIGTERM):
            print(signal.getsignal(number), signal.signal(number, signal.SIG_IGN), signal.getsignal(number))
        for wrong in (("x", print), (signal.SIGTERM,), (signal.SIGTERM, 7), (999, print), (signal.SIGKILL, print), ()):
            try:
                signal.signal(*wrong)
            except BaseException as error:
                print(type(error), error)
        class Callable:
            def __call__(self, *args):
                print("called", args[0])
        mine = Callable()
        signal.signal(signal.SIGUSR1, mine)
        signal.raise_signal(signal.SIGUSR1)
        print(signal.getsignal(signal.SIGUSR1) is mine)
        signal.signal(signal.SIGUSR1, lambda: None)
        try:
            signal.raise_signal(signal.SIGUSR1)
        except TypeError as error:
            print(error)
    """)  # fmt: skip
    plain = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, env=environment(), check=True)
    for core in ("c", "python"):
        done = record(script, options=["--core", core])
        assert done.out.splitlines() == plain.stdout.splitlines()


def test_what_a_handler_raises_reaches_the_program_wherever_it_comes(record: Recorder) -> None:
    # Thousands of moments, many of them inside of the agent: each Late must arrive, and no call be made twice.
    done = record(record.script("""
        import signal, socket, sys
        class Late(Exception):
            pass
        raised = caught = ignored = 0
        def unraisable(told):  # the interpreter itself drops what is raised while something is being finalized
            global ignored
            ignored += told.exc_type is Late
        sys.unraisablehook = unraisable
        def handler(number, frame):
            global raised
            raised += 1
            raise Late
        a, b = socket.socketpair()
        a.setblocking(False)
        signal.signal(signal.SIGVTALRM, handler)
        while raised < 300:
            try:
                signal.setitimer(signal.ITIMER_VIRTUAL, 0.0003, 1)
                while True:
                    try:
                        a.recv(1)
                    except BlockingIOError:
                        pass
            except Late:
                caught += 1
        print(raised, caught + ignored, ignored < 10)
    """), options=["--core", "python", "--payload", "0"])  # fmt: skip
    assert done.out == "300 300 True\n"
    assert done.rows("SELECT count(*) AS n FROM calls WHERE parent_id IS NOT NULL") == [{"n": 0}]


def test_asyncio_is_woken_through_its_own_pair(record: Recorder) -> None:
    done = record(record.script("""
        import asyncio, os, signal
        async def main():
            loop, came = asyncio.get_running_loop(), asyncio.Event()
            loop.add_signal_handler(signal.SIGUSR1, came.set)
            server = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0)
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            assert await reader.read() == b""
            writer.close()
            os.kill(os.getpid(), signal.SIGUSR1)
            await came.wait()
            server.close()
        asyncio.run(main())
    """))  # fmt: skip
    assert done.status == 0, done
    (row,) = signals(done)
    own = {row["id"] for row in done.rows("SELECT id FROM sockets WHERE internal")}
    assert (row["signal"], row["via"]) == ("SIGUSR1", "wakeup_fd") and row["socket_id"] in own and len(own) == 2
    assert {row["role"] for row in done.rows("SELECT role FROM sockets WHERE NOT internal")} >= {"listener", "accepted", "poller"}
