"""`sockreel explain`: each rule finds what is broken for real, and leaves alone what is sound."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from sockreel.recorder.models import SERVERS
from sockreel.replay.diagnosis import RULES
from sockreel.tests.commandline import CommandLine
from sockreel.tests.synthetic import MS, US, Recording, S

PROGRAM = Path(__file__).parent / "programs" / "broken.py"
TALK = """
limit = "6s"
[[clients]]
name = "ada"
timeout = "400ms"
say = [{ text = "hello, this is a line of some sixty-four letters, all of them small\\n", repeat = 3, every = "50ms" }]
leave_after = "50ms"
[[clients]]
name = "ben"
connect = "50ms"
timeout = "400ms"
say = [{ text = "me too\\n", at = "150ms" }, { text = "again\\n", at = "500ms" }]
leave_after = "300ms"
"""


def record(folder: Path, *command: str, workload: str = TALK) -> Path:
    """Record a server under a small workload."""
    (folder / "talk.toml").write_text(workload)
    trace = folder / "t.db"
    done = subprocess.run(
        [sys.executable, "-m", "sockreel", "record", "-q", "-o", str(trace), "--workload", str(folder / "talk.toml"), *command],
        capture_output=True, text=True, check=False, cwd=folder)
    assert trace.exists(), done.stderr
    return trace


def found(sockreel: CommandLine, trace: Path | str) -> dict[str, Any]:
    """Return the findings by rule."""
    said = sockreel("explain", trace, "--json")
    assert (said.status, said.err) == (0, "")
    return {finding["rule"]: finding for finding in said.json["findings"]}


BROKEN = ["half-blocking", "empty-reads", "edge-not-drained", "write-interest", "partial-send", "small-reads", "forgotten-close",
          "select-limit", "no-descriptors"]


@pytest.mark.parametrize("rule", BROKEN)
def test_a_broken_server_is_caught_with_calls_that_prove_it(rule: str, tmp_path: Path, sockreel: CommandLine) -> None:
    trace = record(tmp_path, str(PROGRAM), rule)
    findings = found(sockreel, trace)
    assert rule in findings
    finding = findings[rule]
    assert finding["calls"]
    known = sockreel("query", trace, f"SELECT id FROM calls WHERE id IN ({','.join(map(str, finding['calls']))})", "--json").json
    assert {row["id"] for row in known} == set(finding["calls"])
    assert finding["site"]["file"].endswith("broken.py")
    shown = sockreel("explain", trace).out
    assert finding["title"] in shown
    assert max(map(len, shown.splitlines())) <= 100


@pytest.mark.parametrize("rule", BROKEN)
def test_the_same_server_without_the_fault_is_left_alone(rule: str, tmp_path: Path, sockreel: CommandLine) -> None:
    assert rule not in found(sockreel, record(tmp_path, str(PROGRAM), rule, "sound"))


FAULTS_OF_MODELS: dict[str, set[str]] = {
    "blocking": {"held-up", "accept-starved"}, "blocking_threads": set(), "nonblocking": {"busy-polling"},
    "nonblocking_sleep": {"sleeping-poll"}, "select": set(), "poll": set(), "epoll_level": set(), "epoll_edge": set(),
    "asyncio_streams": set(), "signal_driven": set(), "io_uring": set(),
}


@pytest.mark.slow
@pytest.mark.parametrize("model", SERVERS)
def test_the_shipped_servers_get_the_bill_that_they_deserve(model: str, tmp_path: Path, sockreel: CommandLine) -> None:
    said = subprocess.run(
        [sys.executable, "-m", "sockreel", "lab", "--models", model, "-o", str(tmp_path / "t.db")],
        capture_output=True, text=True, check=False)
    if not (tmp_path / "t.db").exists() or f"{model}:" in said.stderr:
        pytest.skip(f"{model} cannot run here: {said.stderr[-200:]}")
    assert set(found(sockreel, f"{tmp_path / 't.db'}#{model}")) == FAULTS_OF_MODELS[model]


def test_threads_for_silent_clients_are_told_and_a_few_of_them_are_not(tmp_path: Path, sockreel: CommandLine) -> None:
    server = str(Path(__file__).resolve().parents[2] / "recorder" / "servers" / "blocking_threads.py")
    assert "idle-threads" not in found(sockreel, record(tmp_path, server, "127.0.0.1", "0"))
    (tmp_path / "t.db").unlink()
    crowd = TALK + '[[clients]]\nname = "silent"\ncount = 15\nleave = "stay"\n'
    finding = found(sockreel, record(tmp_path, server, "127.0.0.1", "0", workload=crowd))["idle-threads"]
    assert finding["severity"] == "minor"


def test_a_clean_server_gets_a_clean_bill_that_says_what_was_looked_at(tmp_path: Path, sockreel: CommandLine) -> None:
    with Recording(tmp_path / "t.db") as recording:
        run = recording.run("clean")
        thread = run.thread()
        listener = run.socket(3, "listener")
        client = run.socket(4, parent_id=listener, opened_ns=10 * MS, closed_ns=30 * MS, closed_by="close")
        run.call(thread, "accept", listener, at_ns=1 * MS, duration_ns=9 * MS, result=client)
        run.call(thread, "recv", client, at_ns=11 * MS, asked=1024, payload=b"hello")
        run.call(thread, "sendall", client, at_ns=12 * MS, asked=5, payload=b"HELLO")
        run.call(thread, "recv", client, at_ns=13 * MS, asked=1024, result=0, outcome="eof")
        run.call(thread, "close", client, at_ns=30 * MS)
        run.finish(40 * MS)
    assert found(sockreel, tmp_path / "t.db") == {}
    shown = sockreel("explain", tmp_path / "t.db").out
    assert "A clean bill" in shown
    assert all(rule in " ".join(shown.split()) for rule in RULES)
    assert "how long a connection lay in the backlog is not known" in " ".join(shown.split())


@pytest.mark.parametrize(("delay_ns", "blamed"), [(0, True), (40 * MS, True), (90 * MS, False)])
def test_who_had_no_processor_left_nobody_in_the_backlog(delay_ns: int, blamed: bool, tmp_path: Path, sockreel: CommandLine) -> None:
    with Recording(tmp_path / "t.db") as recording:
        run = recording.run("late")
        thread = run.thread()
        listener = run.socket(3, "listener")
        client = run.socket(4, parent_id=listener, opened_ns=110 * MS, closed_ns=130 * MS, closed_by="close")
        run.call(thread, "accept", listener, at_ns=109 * MS, duration_ns=MS, result=client)
        asked = run.call(thread, "recv", client, at_ns=111 * MS, asked=1024, payload=b"hello")
        answered = run.call(thread, "sendall", client, at_ns=112 * MS, asked=5, payload=b"HELLO")
        run.exchange("ada", 1, client, connected_ns=10 * MS, sent_ns=11 * MS, answered_ns=113 * MS, sent_bytes=5, answered_bytes=5,
                     first_call_id=asked, last_call_id=answered)
        for at_ms, delayed_ns in ((0, 7 * MS), (120, 7 * MS + delay_ns)):
            run.sample(at_ms * MS, thread=thread, run_ns=at_ms * MS // 10, delay_ns=delayed_ns)
        run.finish(140 * MS)
    assert ("accept-starved" in found(sockreel, tmp_path / "t.db")) is blamed


@pytest.mark.parametrize(("delay_ns", "blamed"), [(0, True), (20 * MS, True), (35 * MS, False)])
def test_who_had_no_processor_was_not_busy_with_somebody_else(delay_ns: int, blamed: bool, tmp_path: Path, sockreel: CommandLine) -> None:
    with Recording(tmp_path / "t.db") as recording:
        run = recording.run("late")
        thread = run.thread()
        listener = run.socket(3, "listener")
        ada, ben = [run.socket(fd, parent_id=listener, opened_ns=fd * MS, closed_ns=130 * MS, closed_by="close") for fd in (4, 5)]
        for fd, client in ((4, ada), (5, ben)):
            run.call(thread, "accept", listener, at_ns=(fd - 1) * MS + 500 * US, duration_ns=MS // 2, result=client)
        run.call(thread, "recv", ada, at_ns=50 * MS, asked=1024, outcome="would_block", timeout_ns=0)
        asked = run.call(thread, "recv", ben, at_ns=90 * MS, asked=1024, payload=b"hello", timeout_ns=0)
        answered = run.call(thread, "sendall", ben, at_ns=91 * MS, asked=5, payload=b"HELLO", timeout_ns=0)
        run.exchange("ben", 1, ben, connected_ns=4 * MS, sent_ns=51 * MS, answered_ns=92 * MS, sent_bytes=5, answered_bytes=5,
                     first_call_id=asked, last_call_id=answered)
        for at_ms, delayed_ns in ((50, 7 * MS), (100, 7 * MS + delay_ns)):
            run.sample(at_ms * MS, thread=thread, run_ns=at_ms * MS // 10, delay_ns=delayed_ns)
        run.finish(140 * MS)
    assert ("held-up" in found(sockreel, tmp_path / "t.db")) is blamed


def test_the_rest_of_a_cut_send_may_come_later(tmp_path: Path, sockreel: CommandLine) -> None:
    with Recording(tmp_path / "t.db") as recording:
        for label, later in (("kept", (700, 300)), ("lost", (5,))):
            run = recording.run(label)
            thread, client = run.thread(), run.socket(4, closed_by="close", closed_ns=90 * MS)
            run.call(thread, "send", client, at_ns=MS, asked=1300, result=300, timeout_ns=0)
            rest = 1000
            for n, result in enumerate(later):
                run.call(thread, "send", client, at_ns=(2 + n) * MS, asked=rest if label == "kept" else result, result=result, timeout_ns=0)
                rest -= result
            run.finish(S)
    assert found(sockreel, f"{tmp_path / 't.db'}#kept") == {}
    assert "At least 995 bytes are missing" in found(sockreel, f"{tmp_path / 't.db'}#lost")["partial-send"]["seen"]


GEVENT = ("gevent was loaded, which waits in C (libev or libuv): its waits are not in this trace; the calls that its sockets make are, "
          "with EAGAIN where a greenlet then waits")


@pytest.mark.parametrize("loop", ["", GEVENT])
def test_what_passes_between_calls_is_no_work_and_no_sleep_where_waits_go_unseen(loop: str, tmp_path: Path, sockreel: CommandLine) -> None:
    with Recording(tmp_path / "t.db") as recording:
        run = recording.run("green")
        thread = run.thread()
        clients = [run.socket(fd, peer=f"127.0.0.1:{fd}") for fd in (4, 5)]
        for n in range(200):
            run.call(thread, "recv", clients[n % 2], at_ns=(1 + 2 * n) * MS, asked=1024, outcome="would_block", errno=11, timeout_ns=0)
        run.finish(S)
    with sqlite3.connect(tmp_path / "t.db") as store:
        store.execute("UPDATE runs SET blind_spots = ?", (json.dumps([loop] if loop else []),))
    store.close()
    assert ("sleeping-poll" in found(sockreel, tmp_path / "t.db")) is not loop.startswith("gevent")


def test_calls_that_were_lost_are_told_beside_what_was_found(tmp_path: Path, sockreel: CommandLine) -> None:
    with Recording(tmp_path / "t.db") as recording:
        run = recording.run("cut")
        thread, client = run.thread(), run.socket(4)
        run.call(thread, "recv", client, at_ns=MS, asked=10, payload=b"hello")
        run.finish(S)
    with sqlite3.connect(tmp_path / "t.db") as store:
        store.execute("UPDATE runs SET calls_lost = 4321")
    store.close()
    assert "Not seen: 4,321 calls happened and could not be recorded" in sockreel("explain", tmp_path / "t.db").out


def test_names_from_the_trace_cannot_drive_the_terminal(tmp_path: Path, sockreel: CommandLine) -> None:
    with Recording(tmp_path / "t.db") as recording:
        run = recording.run("\x1b[31mred")
        thread = run.thread("\x1b]0;title\x07")
        listener = run.socket(3, "listener", local="\x1b[2J")
        run.spin(thread, "accept", listener, at_ns=MS, until_ns=60 * MS, every_ns=10 * US, site=("\x1b[1m/x.py", 3, "f", "\x9b2J"))
        run.finish(70 * MS)
    assert "busy-polling" in found(sockreel, tmp_path / "t.db")
    out = sockreel("explain", tmp_path / "t.db").out
    assert "Busy polling" in out
    assert not [letter for letter in out if letter != "\n" and not letter.isprintable()]


def test_the_rules_are_listed_with_what_they_look_for(sockreel: CommandLine) -> None:
    listed = sockreel("explain", "--rules").out
    assert all(rule in listed for rule in RULES)
    page = (Path(__file__).resolve().parents[2] / "docs" / "explain.md").read_text(encoding="utf-8")
    assert all(f"| `{rule}` |" in page for rule in RULES)


def test_a_run_without_calls_has_nothing_to_say(tmp_path: Path, sockreel: CommandLine) -> None:
    with Recording(tmp_path / "t.db") as recording:
        recording.run("empty").finish(S)
    assert "nothing to say" in sockreel("explain", tmp_path / "t.db").out
    assert sockreel("explain").status == 2


def test_where_all_that_a_server_does_is_out_of_sight_nothing_is_called_sound(tmp_path: Path, sockreel: CommandLine) -> None:
    with Recording(tmp_path / "t.db") as recording:
        run = recording.run("grpc", blind_spots=json.dumps(["gRPC was loaded, whose transport is written in C++"]))
        run.call(run.thread(), "pause", at_ns=5 * MS, duration_ns=600 * MS, outcome="interrupted", layer="wait")
        run.finish(S)
    shown = sockreel("explain", tmp_path / "t.db")
    assert "clean bill" not in shown.out
    assert "No connection is in this trace: there is nothing to judge." in shown.out
    assert "Not seen: gRPC was loaded, whose transport is written in C++" in shown.out
    assert sockreel("explain", tmp_path / "t.db", "--json").json["not_seen"] == ["gRPC was loaded, whose transport is written in C++"]


def test_a_client_without_requests_is_not_said_to_have_too_many_calls(tmp_path: Path, sockreel: CommandLine) -> None:
    with Recording(tmp_path / "t.db") as recording:
        run = recording.run("client")
        run.call(run.thread(), "recv", run.socket(3, "connected"), at_ns=5 * MS, duration_ns=600 * MS, result=4)
        run.finish(S)
    shown = sockreel("explain", tmp_path / "t.db").out
    assert "too many calls" not in shown
    assert "no request was seen" in shown
