"""Which send each receive read: by the position of bytes, in both directions, and nothing where that is not certain."""

from __future__ import annotations

from itertools import accumulate
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sockreel.recorder.linking.senders import connections, matched, way_of
from sockreel.traces.sending import StreamSocket, Transfer

from .recording import Recorded, Recorder

US = 1_000
STREAM = bytes(range(256)) * 40


def transfers(sizes: list[int], at_ns: int, direction: int = 0, flags: int = 0) -> list[Transfer]:
    """Return calls of these sizes, one after the other, with their first bytes."""
    places = [0, *accumulate(sizes)]
    starts = [at_ns + number * 10 * US for number in range(len(sizes))]
    return [
        Transfer(direction, number, starts[number], starts[number] + 5 * US, size, flags, None, STREAM[places[number] :][: min(size, 16)])
        for number, size in enumerate(sizes)
    ]


def found(sends: list[Transfer], receives: list[Transfer]) -> dict[int, list[int]]:
    return {receive: sent for receive, sent, _ in matched(iter(sends), iter(receives))}


SIZES = st.lists(st.integers(1, 40), min_size=1, max_size=30)


@given(SIZES, SIZES)
def test_each_receive_names_exactly_the_sends_whose_bytes_it_read(sent: list[int], taken: list[int]) -> None:
    owner = [number for number, size in enumerate(sent) for _ in range(size)]
    ends = [end for end in accumulate(taken) if end <= len(owner)]
    whole = taken[: len(ends)]
    expected = {number: sorted(set(owner[end - size : end])) for number, (end, size) in enumerate(zip(ends, whole, strict=True))}
    assert found(transfers(sent, 0), transfers(whole, 10**9)) == expected


@given(SIZES, SIZES, st.integers(0, 29))
def test_directions_do_not_mix_and_a_receive_of_more_than_was_sent_ends_its_own_only(one: list[int], two: list[int], more: int) -> None:
    given_ = [*transfers(one, 0, 0), *transfers(two, 0, 1)]
    taken = [*transfers([sum(one) + 1 + more], 10**9, 0), *transfers([sum(two)], 10**9, 1)]
    assert [(sent, ready is not None) for _, sent, ready in matched(iter(given_), iter(taken))] == [(list(range(len(two))), True)]


def test_a_peek_reads_without_taking() -> None:
    peek, taking = transfers([4], 10**9, flags=2)[0], transfers([4], 2 * 10**9)[0]._replace(id=1)
    assert found(transfers([4], 0), [peek, taking]) == {0: [0], 1: [0]}


UNSURE: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "a send of which nobody knows how much went": ({"size": None}, {}),
    "a send that never returned": ({"ended_ns": None}, {}),
    "out-of-band data sent": ({"flags": 1}, {}),
    "out-of-band data received": ({}, {"flags": 1}),
    "other first bytes": ({"data": b"\xff\xff"}, {}),
    "a receive that nobody knows of": ({}, {"size": None}),
    "a receive before its send": ({"started_ns": 2 * 10**9, "ended_ns": 2 * 10**9 + 1}, {}),
}


@pytest.mark.parametrize("why", UNSURE)
def test_nothing_is_said_from_where_it_is_not_certain(why: str) -> None:
    send_is, receive_is = UNSURE[why]
    sends, receives = transfers([5, 5, 5], 0), transfers([5, 5, 5], 10**9)
    assert found(sends, receives) == {0: [0], 1: [1], 2: [2]}
    sends[1], receives[1] = sends[1]._replace(**send_is), receives[1]._replace(**receive_is)
    assert found(sends, receives) == {0: [0]}


def test_two_sends_at_the_same_time_have_no_order() -> None:
    sends = transfers([5, 5, 5], 0)
    sends[2] = sends[2]._replace(started_ns=sends[1].started_ns + 1)
    assert found(sends, transfers([5, 5, 5], 10**9)) == {0: [0]}


def test_a_send_that_was_held_up_tells_no_moment_but_is_named() -> None:
    send, receive = transfers([5], 0)[0]._replace(ended_ns=3_000_000), transfers([5], 10**9)[0]
    assert list(matched(iter([send]), iter([receive]))) == [(0, [0], None)]


def test_with_waitall_the_last_bytes_make_it_ready() -> None:
    sends = transfers([5, 5], 0)
    plain, whole = transfers([10], 10**9), transfers([10], 10**9, flags=0x100)
    ((_, _, first),), ((_, _, last),) = matched(iter(sends), iter(plain)), matched(iter(sends), iter(whole))
    assert first is not None and last is not None
    assert sends[0].started_ns <= first <= (sends[0].ended_ns or 0) and sends[1].started_ns <= last <= (sends[1].ended_ns or 0)


def end(id_: int, role: str, local: str, peer: str, **more: Any) -> StreamSocket:
    told = {"kind": "tcp", "origin": "accepted" if role == "accepted" else "created", "origin_id": None, "pair_id": None, "opened_ns": id_}
    return StreamSocket(id_, role=role, local=local, peer=peer, **{**told, **more})


A, B, MAPPED = "127.0.0.1:80", "127.0.0.1:5000", "[::ffff:127.0.0.1]:5000"


def test_the_ends_of_a_connection_mirror_each_other() -> None:
    assert connections([end(1, "connected", B, A), end(2, "accepted", A, B)], list) == [([1], [2])]
    assert connections([end(1, "connected", B, A), end(2, "accepted", A, MAPPED)], list) == [([1], [2])]
    assert connections([end(1, "connected", B, A), end(2, "accepted", A, "127.0.0.1:5001")], list) == []


def test_a_port_used_again_is_another_connection() -> None:
    ends = [end(1, "connected", B, A), end(2, "accepted", A, B), end(3, "connected", B, A), end(4, "accepted", A, B)]
    assert sorted(map(sorted, ((one[0], other[0]) for one, other in connections(ends, list)))) == [[1, 2], [3, 4]]
    assert connections(ends[:3], list) == []  # which of the two was seen?


def test_copies_of_a_descriptor_are_the_same_end_and_what_was_there_before_is_none() -> None:
    ends = [end(1, "connected", B, A), end(2, "accepted", A, B), end(3, "accepted", A, B, origin="inherited", origin_id=2)]
    assert connections(ends, list) == [([1], [2, 3])]
    assert connections([end(1, "connected", B, A), end(2, "accepted", A, B, origin="inherited")], list) == []


def unix(id_: int, role: str) -> StreamSocket:
    return end(id_, role, "unix:/s" if role == "accepted" else "", "unix:/s" if role == "connected" else "unix:", kind="unix")


def test_unix_clients_meet_their_server_in_order_if_nobody_else_came() -> None:
    ends = [unix(1, "connected"), unix(2, "connected"), unix(3, "accepted"), unix(4, "accepted")]
    in_order = [(2, 10, 20), (1, 30, 40)]
    assert connections(ends, lambda: in_order) == [([2], [3]), ([1], [4])]
    assert connections([*ends, unix(5, "accepted")], lambda: in_order) == []
    assert connections(ends, lambda: [(2, 10, 35), (1, 30, 40)]) == []


def test_operations_are_known_by_the_way_bytes_go() -> None:
    ways = {name: way_of(name) for name in ("sendall", "ring_send", "recv_into", "readv", "tls_send", "splice", "accept", "select")}
    assert list(ways.values()) == ["send", "send", "receive", "receive", "unclear", "unclear", None, None]


def joined(recorded: Recorded) -> list[tuple[int, list[int]]]:
    """Return each receive that read recorded sends: its bytes, and theirs."""
    rows = recorded.rows("""
        SELECT r.id, r.result AS taken, s.result AS sent
        FROM links l JOIN calls r ON r.id = l.to_call_id JOIN calls s ON s.id = l.from_call_id
        WHERE l.kind = 'sent' ORDER BY r.id, s.id""")
    found: dict[int, tuple[int, list[int]]] = {}
    for row in rows:
        found.setdefault(row["id"], (row["taken"], []))[1].append(row["sent"])
    return list(found.values())


KINDS = {
    "tcp": "listener = socket.create_server(('127.0.0.1', 0))\n"
           "one = socket.create_connection(listener.getsockname()); other, _ = listener.accept()",
    "tcp6": "listener = socket.create_server(('::1', 0), family=socket.AF_INET6)\n"
            "one = socket.create_connection(listener.getsockname()[:2]); other, _ = listener.accept()",
    "pair": "one, other = socket.socketpair()",
    "unix": "listener = socket.socket(socket.AF_UNIX); listener.bind('s'); listener.listen()\n"
            "one = socket.socket(socket.AF_UNIX); one.connect('s'); other, _ = listener.accept()",
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_segments_of_one_receive_and_receives_of_one_segment_are_told(record: Recorder, kind: str) -> None:
    script = record.folder / "talk.py"
    script.write_text(f"""import socket
{KINDS[kind]}
one.sendall(b"a" * 3); one.send(b"b" * 4); one.sendmsg([b"c", b"d"])
assert other.recv(9, socket.MSG_WAITALL) == b"aaabbbbcd"
one.sendall(b"0123456789")
assert [other.recv(2), other.recv_into(bytearray(5)), other.recvfrom(50)[0]] == [b"01", 5, b"789"]
other.send(b"back")
assert one.recvmsg(3)[0] + one.recv(1) == b"back"
""")
    done = record(script)
    assert done.status == 0, done
    assert joined(done) == [(9, [3, 4, 2]), (2, [10]), (5, [10]), (3, [10]), (3, [4]), (1, [4])]
    assert {row["ready_source"] for row in done.rows("SELECT * FROM phases")} == {"sender"}


def test_a_client_in_a_child_and_copies_of_its_descriptor_are_followed(record: Recorder) -> None:
    script = record.script("""
        import os, socket
        listener = socket.create_server(("127.0.0.1", 0))
        if os.fork() == 0:
            sock = socket.create_connection(listener.getsockname())
            sock.send(b"one")
            twin = sock.dup()
            twin.send(b"three")
            os.write(twin.fileno(), b"!!")
            os._exit(0)
        server, _ = listener.accept()
        print(server.recv(10, socket.MSG_WAITALL))
        os.wait()
    """)
    done = record(script)
    assert done.out == "b'onethree!!'\n"
    assert joined(done) == [(10, [3, 5, 2])]


def test_a_sendfile_that_sends_by_itself_counts_once(record: Recorder) -> None:
    script = record.script("""
        import io, socket
        one, other = socket.socketpair()
        one.sendfile(io.BytesIO(b"x" * 1000))
        one.send(b"end")
        print(len(other.recv(1003, socket.MSG_WAITALL)))
    """)
    done = record(script)
    assert done.out == "1003\n"
    assert joined(done) == [(1003, [1000, 3])]


def test_after_a_send_that_failed_half_way_nothing_is_joined(record: Recorder) -> None:
    script = record.script("""
        import socket
        one, other = socket.socketpair()
        one.send(b"known")
        other.recv(5)
        one.settimeout(0.05)
        try:
            one.sendall(b"x" * (1 << 24))
        except TimeoutError:
            pass
        print(len(other.recv(100)))
    """)
    done = record(script)
    assert done.out == "100\n"
    assert joined(done) == [(5, [5])]
