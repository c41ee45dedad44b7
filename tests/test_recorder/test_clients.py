"""What a workload's clients do, seen from both ends: real sockets, a real process of clients."""

from __future__ import annotations

import os
import select
import socket
import struct
import threading
import time
from pathlib import Path

import pytest
from sockreel.recorder.workloads.clients import AddressError, server_address
from sockreel.recorder.workloads.crowd import Crowd

from .playing import PATIENCE_S, Listening, address_text, collect, listening, play, results, upper, workload

ONE = '[[clients]]\nname = "anna"\n'


def read_exactly(conn: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        chunk = conn.recv(size - len(data))
        assert chunk, f"the client left after {data!r}"
        data += chunk
    return data


# --- answers


def test_an_upper_cased_answer_is_ok_and_its_times_are_those_of_the_monotonic_clock(tmp_path: Path) -> None:
    before_ns = time.monotonic_ns()
    ports = []

    def serve(conn: socket.socket) -> bytes:
        ports.append(conn.getpeername()[1])
        return upper(conn)

    with listening(serve) as server:
        rows = play(tmp_path, ONE + 'say = ["hello", "x1"]', server)
    assert server.saw == [b"hellox1"]
    assert results(rows) == [("anna", 1, "ok"), ("anna", 2, "ok")]
    for row, size in zip(rows, (5, 2), strict=True):
        assert row.connected_ns is not None and row.sent_ns is not None and row.answered_ns is not None
        assert before_ns < row.connected_ns <= row.sent_ns < row.answered_ns < time.monotonic_ns()
        assert (row.sent_bytes, row.answered_bytes, row.local_port) == (size, size, ports[0])


@pytest.mark.parametrize(
    ("expect", "answer", "result"),
    [
        ('"upper"', b"HELLO", "ok"),
        ('"upper"', b"hello", "wrong"),
        ('"upper"', b"HELLOO", "wrong"),
        ('"upper"', b"HELL", "none"),
        ('{ text = "bye" }', b"bye", "ok"),
        ('{ text = "bye" }', b"BYE", "wrong"),
        ('{ text = "bye" }', b"bye!", "wrong"),
        ('{ text = "bye" }', b"by", "none"),
        ('{ text = "bye" }', b"bx", "wrong"),
        ('{ bytes = "00 ff" }', b"\x00\xff", "ok"),
        ('{ bytes = "00 ff" }', b"", "none"),
        ('"any"', b"whatever", "ok"),
        ('"any"', b"", "none"),
        ('"none"', b"", "ok"),
        ('"none"', b"who asked?", "wrong"),
    ],
)
def test_an_answer_is_judged_by_what_was_expected(tmp_path: Path, expect: str, answer: bytes, result: str) -> None:
    def serve(conn: socket.socket) -> bytes:
        said = read_exactly(conn, 5)
        conn.sendall(answer)
        return said  # and hangs up

    with listening(serve) as server:
        rows = play(tmp_path, ONE + f'say = [{{ text = "hello", expect = {expect} }}]\nleave = "half-close"', server)
    assert server.saw == [b"hello"]
    assert results(rows) == [("anna", 1, result)]
    assert rows[0].answered_bytes == len(answer)
    assert (rows[0].answered_ns is None) == (not answer)


def test_an_answer_may_come_in_many_parts(tmp_path: Path) -> None:
    def serve(conn: socket.socket) -> bytes:
        conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        said = read_exactly(conn, 26)
        for letter in said.upper():
            conn.send(bytes([letter]))
        return said + conn.recv(1)

    with listening(serve) as server:
        rows = play(tmp_path, ONE + "say = [{ size = 26 }]", server)
    assert server.saw == [b"abcdefghijklmnopqrstuvwxyz"]
    assert results(rows) == [("anna", 1, "ok")]


def test_what_the_server_says_first_is_a_greeting_and_not_an_answer(tmp_path: Path) -> None:
    greeted = []

    def serve(conn: socket.socket) -> bytes:
        conn.sendall(b"220 welcome\r\n")
        greeted.append(True)
        return upper(conn)

    with listening(serve, clients=2) as server:
        text = ONE + 'say = [{ text = "hello", after = "500ms" }]\n[[clients]]\nname = "mute"\nleave_after = "500ms"'
        rows = play(tmp_path, text, server)
    assert greeted == [True, True]
    assert results(rows) == [("anna", 1, "ok"), ("mute", 0, "ok")]
    assert rows[0].answered_bytes == 5


def test_an_answer_given_up_and_coming_late_is_not_taken_for_the_next_one(tmp_path: Path) -> None:
    def serve(conn: socket.socket) -> bytes:
        said = read_exactly(conn, 10)  # answers the first message only once the second is there
        conn.sendall(said.upper())
        return said + conn.recv(1)

    with listening(serve) as server:
        rows = play(tmp_path, ONE + 'say = [{ text = "first", timeout = "100ms" }, "other"]', server)
    assert server.saw == [b"firstother"]
    assert [(row.result, row.answered_bytes) for row in rows] == [("none", 0), ("ok", 5)]


# --- when nothing comes of it


def test_a_closed_port_refuses_every_client(tmp_path: Path) -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        text = '[[clients]]\nname = "talker"\ncount = 3\nsay = ["hello"]\n[[clients]]\nname = "mute"\nleave = "stay"'
        rows = play(tmp_path, text, Listening("AF_INET", address_text(deaf)))
    assert results(rows) == [(name, 0, "refused") for name in ("mute", "talker-1", "talker-2", "talker-3")]
    assert {(row.connected_ns, row.sent_ns, row.sent_bytes) for row in rows} == {(None, None, 0)}


def test_a_missing_unix_socket_refuses(tmp_path: Path) -> None:
    rows = play(tmp_path, ONE, Listening("AF_UNIX", f"unix:{tmp_path}/nobody.sock"))
    assert results(rows) == [("anna", 0, "refused")]


def test_the_limit_ends_an_exchange_that_is_never_answered(tmp_path: Path) -> None:
    with listening(lambda conn: (read_exactly(conn, 5), conn.recv(1))) as server:
        rows = play(tmp_path, 'limit = "300ms"\n' + ONE + 'say = ["hello", "never said"]', server)
    assert server.saw == [(b"hello", b"")]
    assert results(rows) == [("anna", 1, "none")]
    assert rows[0].sent_bytes == 5


def test_a_client_cut_off_before_its_first_word_has_a_row_that_says_none(tmp_path: Path) -> None:
    with listening(lambda conn: conn.recv(1)) as server:
        rows = play(tmp_path, 'limit = "200ms"\n' + ONE + 'say = [{ text = "hello", after = "1min" }]', server)
    assert server.saw == [b""]
    assert results(rows) == [("anna", 0, "none")]
    assert rows[0].connected_ns is not None


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_UNIX])
def test_a_client_for_whom_the_queue_has_no_room_is_never_connected(tmp_path: Path, family: socket.AddressFamily) -> None:
    with socket.socket(family) as listener:
        listener.bind(str(tmp_path / "full.sock") if family == socket.AF_UNIX else ("127.0.0.1", 0))
        listener.listen(0)  # room for one
        text = 'limit = "300ms"\n[[clients]]\ncount = 4\nleave = "stay"'
        rows = play(tmp_path, text, Listening(family.name, address_text(listener)))
    assert results(rows) == [(f"client-{n}", 0, "none" if row.connected_ns is None else "ok") for n, row in enumerate(rows, 1)]
    assert {row.result for row in rows} == {"ok", "none"}


def test_a_server_that_hangs_up_or_resets_while_an_answer_is_awaited(tmp_path: Path) -> None:
    def serve(conn: socket.socket) -> bytes:
        said = read_exactly(conn, 5)
        if said == b"crash":
            conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return said

    text = '[[clients]]\nname = "a"\nsay = ["leave", "more"]\n[[clients]]\nname = "b"\nsay = ["crash", "more"]'
    with listening(serve, clients=2) as server:
        rows = play(tmp_path, text, server)
    assert sorted(map(str, server.saw)) == ["b'crash'", "b'leave'"]
    assert results(rows) == [("a", 1, "none"), ("b", 1, "reset")]


def test_a_server_that_leaves_between_two_messages_is_noticed_by_the_next(tmp_path: Path) -> None:
    def serve(conn: socket.socket) -> bytes:
        said = read_exactly(conn, 5)
        conn.sendall(said.upper())
        return said

    with listening(serve) as server:
        rows = play(tmp_path, ONE + 'say = ["hello", { text = "again", after = "20s" }, "third"]', server)
    assert server.saw == [b"hello"]
    assert results(rows) == [("anna", 1, "ok"), ("anna", 2, "none")]
    assert (rows[1].sent_ns, rows[1].sent_bytes) == (None, 0)


def test_a_message_given_up_when_half_of_it_is_out_ends_the_connection(tmp_path: Path) -> None:
    with listening(lambda conn: conn.recv(1)) as server:
        text = ONE + 'say = [{ text = "abc", piece = 1, piece_every = "20s", timeout = "100ms" }, "never said"]'
        rows = play(tmp_path, text, server)
    assert server.saw == [b"a"]
    assert results(rows) == [("anna", 1, "none")]
    assert rows[0].sent_bytes == 1


# --- leaving


def test_close_is_an_empty_read_and_never_a_reset(tmp_path: Path) -> None:
    def serve(conn: socket.socket) -> list[bytes]:
        said = [read_exactly(conn, 5)]
        conn.sendall(b"an answer that nobody asked for")
        return [*said, conn.recv(10)]

    with listening(serve) as server:
        rows = play(tmp_path, ONE + 'say = [{ text = "hello", expect = "none" }]\nleave_after = "500ms"', server)
    assert server.saw == [[b"hello", b""]]
    assert results(rows) == [("anna", 1, "wrong")]


def test_reset_raises_connection_reset_in_the_server(tmp_path: Path) -> None:
    def serve(conn: socket.socket) -> tuple[bytes, str]:
        said = read_exactly(conn, 5)
        conn.sendall(said.upper())
        try:
            return said, repr(conn.recv(10))
        except ConnectionResetError:
            return said, "reset"

    with listening(serve) as server:
        rows = play(tmp_path, ONE + 'say = ["hello"]\nleave = "reset"', server)
    assert server.saw == [(b"hello", "reset")]
    assert results(rows) == [("anna", 1, "ok")]


def test_half_close_lets_the_server_answer_after_it_has_seen_the_end(tmp_path: Path) -> None:
    def serve(conn: socket.socket) -> list[bytes]:
        said = [read_exactly(conn, 6), conn.recv(10)]
        conn.sendall(said[0].upper())
        return said

    with listening(serve) as server:
        says = 'say = [{ text = "a", expect = "none" }, { text = "bcdef", expect = { text = "ABCDEF" } }]\n'
        rows = play(tmp_path, ONE + says + 'leave = "half-close"', server)
    assert server.saw == [[b"abcdef", b""]]
    assert results(rows) == [("anna", 1, "ok"), ("anna", 2, "ok")]


def test_half_close_reads_on_to_the_end(tmp_path: Path) -> None:
    def serve(conn: socket.socket) -> bytes:
        said = read_exactly(conn, 5)
        assert conn.recv(1) == b""
        conn.sendall(said.upper())
        conn.sendall(b"x" * 1_000_000)  # would be a reset, were the client gone
        return said

    with listening(serve) as server:
        rows = play(tmp_path, ONE + 'say = ["hello"]\nleave = "half-close"', server)
    assert server.saw == [b"hello"]
    assert [(row.result, row.answered_bytes) for row in rows] == [("wrong", 1_000_005)]


def test_a_half_closed_client_does_not_wait_for_ever(tmp_path: Path) -> None:
    released = threading.Event()

    def serve(conn: socket.socket) -> list[bytes]:
        said = [read_exactly(conn, 5), conn.recv(1)]
        conn.sendall(said[0].upper())
        assert released.wait(PATIENCE_S)  # does not hang up before the client has given up
        return said

    with listening(serve) as server:
        rows = play(tmp_path, ONE + 'timeout = "200ms"\nsay = ["hello"]\nleave = "half-close"', server)
        released.set()
    assert server.saw == [[b"hello", b""]]
    assert results(rows) == [("anna", 1, "ok")]


@pytest.mark.parametrize("leave", ["close", "half-close", "reset", "stay"])
def test_a_client_that_says_nothing_has_one_row(tmp_path: Path, leave: str) -> None:
    def serve(conn: socket.socket) -> str:
        try:
            return repr(conn.recv(1))
        except ConnectionResetError:
            return "reset"

    with listening(serve) as server:
        rows = play(tmp_path, f'limit = "300ms"\n{ONE}leave = "{leave}"', server)
    assert server.saw == ["reset" if leave == "reset" else "b''"]
    assert results(rows) == [("anna", 0, "ok")]


def test_those_who_stay_leave_when_all_others_have_left(tmp_path: Path) -> None:
    def serve(conn: socket.socket) -> tuple[bytes, int]:
        return upper(conn), time.monotonic_ns()

    with listening(serve, clients=3) as server:
        text = '[[clients]]\nname = "ghost"\ncount = 2\nleave = "stay"\n' + ONE + 'say = ["hello", { text = "bye", after = "100ms" }]'
        rows = play(tmp_path, text, server)
    assert results(rows) == [("anna", 1, "ok"), ("anna", 2, "ok"), ("ghost-1", 0, "ok"), ("ghost-2", 0, "ok")]
    saw = sorted(server.saw, key=str)
    assert [said for said, _ in saw] == [b"", b"", b"hellobye"]
    talked_ns = rows[1].answered_ns
    assert talked_ns is not None and all(left_ns > talked_ns for _, left_ns in saw)


def test_one_who_stays_may_say_something_before_it_falls_silent(tmp_path: Path) -> None:
    with listening(upper, clients=2) as server:
        text = '[[clients]]\nname = "ghost"\nsay = ["boo"]\nleave = "stay"\n' + ONE + 'say = ["hello"]'
        rows = play(tmp_path, text, server)
    assert sorted(server.saw, key=str) == [b"boo", b"hello"]
    assert results(rows) == [("anna", 1, "ok"), ("ghost", 1, "ok")]


# --- when things are said


def test_pieces_go_out_one_after_another(tmp_path: Path) -> None:
    with listening(upper) as server:
        rows = play(tmp_path, ONE + 'say = [{ text = "abcdefg", piece = 2, piece_every = "30ms" }]', server)
    assert server.saw == [b"abcdefg"]
    assert results(rows) == [("anna", 1, "ok")]
    assert rows[0].answered_ns is not None and rows[0].sent_ns is not None
    assert rows[0].answered_ns - rows[0].sent_ns >= 3 * 25_000_000


def test_nothing_is_said_before_its_time(tmp_path: Path) -> None:
    started_ns = time.monotonic_ns()
    says = '[{ text = "a", at = "150ms" }, { text = "b", after = "100ms" }, { text = "c", repeat = 3, every = "40ms" }]'
    with listening(upper) as server:
        rows = play(tmp_path, f'{ONE}connect = "50ms"\nsay = {says}', server)
    assert server.saw == [b"abccc"]
    assert [row.result for row in rows] == ["ok"] * 5
    sent_ns = [row.sent_ns or 0 for row in rows]
    assert (rows[0].connected_ns or 0) - started_ns >= 50_000_000
    assert sent_ns[0] - started_ns >= 150_000_000
    assert sent_ns[1] - (rows[0].answered_ns or 0) >= 100_000_000
    assert sent_ns[4] - sent_ns[2] >= 60_000_000  # two steps of 40 ms, counted from begin to begin


def test_a_message_whose_time_has_passed_waits_for_the_answer_before_it(tmp_path: Path) -> None:
    def serve(conn: socket.socket) -> list[bytes]:
        heard = []
        for _ in range(3):
            heard.append(read_exactly(conn, 2))
            assert not select.select([conn], [], [], 0.2)[0], "spoke before it was answered"
            conn.sendall(heard[-1].upper())
        return heard

    with listening(serve) as server:
        rows = play(tmp_path, ONE + 'say = ["aa", { text = "bb", at = "1ms" }, { text = "cc", at = "2ms" }]', server)
    assert server.saw == [[b"aa", b"bb", b"cc"]]
    assert [row.result for row in rows] == ["ok"] * 3


def test_bytes_of_every_value_and_megabytes_arrive_unchanged(tmp_path: Path) -> None:
    every = bytes(range(256))
    with listening(upper) as server:
        rows = play(tmp_path, ONE + f'say = [{{ bytes = "{every.hex()}" }}, {{ size = 8_000_000 }}]', server)
    assert server.saw == [every + (b"abcdefghijklmnopqrstuvwxyz" * 307_693)[:8_000_000]]
    assert [(row.result, row.answered_bytes) for row in rows] == [("ok", 256), ("ok", 8_000_000)]


# --- where to


@pytest.mark.parametrize("kind", ["IPv4", "any IPv4", "IPv6", "any IPv6", "path", "abstract"])
def test_clients_reach_a_server_wherever_it_listens_on_this_machine(tmp_path: Path, kind: str) -> None:
    where: dict[str, tuple[socket.AddressFamily, object]] = {
        "IPv4": (socket.AF_INET, ("127.0.0.2", 0)),
        "any IPv4": (socket.AF_INET, ("0.0.0.0", 0)),
        "IPv6": (socket.AF_INET6, ("::1", 0)),
        "any IPv6": (socket.AF_INET6, ("::", 0)),
        "path": (socket.AF_UNIX, str(tmp_path / "a socket.sock")),
        "abstract": (socket.AF_UNIX, f"\0sockreel-test-{os.getpid()}"),
    }
    family, address = where[kind]
    if family == socket.AF_INET6:
        try:
            socket.create_server(("::1", 0), family=family).close()
        except OSError:
            pytest.skip("this machine has no IPv6 loopback")
    with listening(upper, family, address) as server:
        rows = play(tmp_path, ONE + 'say = ["hello"]', server)
    assert server.saw == [b"hello"]
    assert results(rows) == [("anna", 1, "ok")]
    assert (rows[0].local_port is None) == (family == socket.AF_UNIX)


@pytest.mark.parametrize(
    ("family", "address"),
    [
        ("AF_INET", "192.0.2.1:80"),
        ("AF_INET", "example.org:80"),
        ("AF_INET6", "[2001:db8::1]:80"),
        ("AF_INET6", "[::ffff:192.0.2.1]:80"),
        ("AF_INET", "127.0.0.1:0"),
        ("AF_INET", "127.0.0.1:70000"),
        ("AF_INET", "nonsense"),
        ("AF_INET", ""),
        ("AF_UNIX", "unix:"),
        ("AF_UNIX", "127.0.0.1:80"),
        ("AF_NETLINK", "127.0.0.1:80"),
    ],
)
def test_no_client_goes_anywhere_else_and_one_line_says_so(tmp_path: Path, family: str, address: str) -> None:
    with Crowd(workload(tmp_path, ONE)) as crowd:
        crowd.connect(family, address)
        assert collect(crowd) == []
        assert crowd.error is not None and "connect" in crowd.error and "\n" not in crowd.error


def test_another_machine_is_allowed_when_asked_for() -> None:
    far = {"family": "AF_INET", "host": "192.0.2.1", "port": 80}
    assert server_address(far, allow_remote=True) == (socket.AF_INET, ("192.0.2.1", 80))
    with pytest.raises(AddressError, match="this machine only"):
        server_address(far, allow_remote=False)
