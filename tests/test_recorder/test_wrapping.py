"""Which socket call carried which TLS call: the rule, on made slots."""

from __future__ import annotations

import struct

from hypothesis import given
from hypothesis import strategies as st
from sockreel.recorder.agent import layout
from sockreel.recorder.linking.wrapping import Wrapping

SLOT = struct.Struct("<" + layout.SLOT_FIELDS)
Step = tuple[int, str, str, int]  # socket, operation, outcome, bytes


def slots(steps: list[Step]) -> bytes:
    return b"".join(
        SLOT.pack(1, socket, 0, 0, 0, 0, 0, 0, 0, layout.OPERATIONS[operation], 1, moved or layout.NOTHING, 0, 0,
                  layout.OUTCOMES[outcome], 0, layout.COMPLETE)
        for socket, operation, outcome, moved in steps
    )  # fmt: skip


def linked(steps: list[Step], pieces: int = 1) -> list[tuple[int, int]]:
    """Return the links among steps that follow a first receive, number 0, on socket 1; they come in so many pieces."""
    wrapping = Wrapping()
    wrapping.begin(1, 0)
    found: list[tuple[int, int]] = []
    size = max(1, -(-len(steps) // pieces))
    for start in range(0, len(steps), size):
        found += wrapping.links([(1 + start, slots(steps[start : start + size]))])
    return found


def test_what_decrypts_worked_on_the_last_receive_until_it_wants_more() -> None:
    steps = [(1, "tls_read", "ok", 5), (1, "tls_read", "want_read", 0), (1, "tls_read", "want_read", 0),
             (1, "recv_into", "ok", 30), (1, "tls_read", "ok", 8)]  # fmt: skip
    assert linked(steps) == [(1, 0), (2, 0), (5, 4)]


def test_what_encrypts_left_with_the_next_send_that_moved_something() -> None:
    steps = [(1, "tls_write", "ok", 5), (1, "tls_write", "ok", 6), (1, "send", "would_block", 0), (1, "recv", "ok", 9),
             (1, "send", "ok", 60), (1, "send", "ok", 7)]  # fmt: skip
    assert linked(steps) == [(1, 5), (2, 5)]


def test_a_step_of_a_handshake_is_linked_both_ways_unless_it_had_nothing_to_say() -> None:
    assert linked([(1, "do_handshake", "want_read", 0), (1, "send", "ok", 99)]) == [(1, 0), (1, 2)]
    assert linked([(1, "do_handshake", "want_read", 0), (1, "recv", "ok", 9), (1, "do_handshake", "ok", 0), (1, "send", "ok", 99)]) == [
        (1, 0), (3, 2), (3, 4),
    ]  # fmt: skip


def test_sockets_that_feed_no_memory_have_no_links() -> None:
    assert linked([(2, "recv", "ok", 9), (2, "do_handshake", "ok", 0), (2, "send", "ok", 5), (0, "tls_read", "want_read", 0)]) == []
    assert list(Wrapping().links([(0, slots([(1, "recv", "ok", 9), (1, "tls_read", "ok", 5)]))])) == []


STEPS = st.lists(
    st.tuples(
        st.integers(0, 2),
        st.sampled_from(["recv", "recv_into", "send", "tls_read", "tls_write", "do_handshake", "unwrap", "epoll_wait"]),
        st.sampled_from(["ok", "would_block", "want_read"]),
        st.integers(0, 3),
    ),
    max_size=40,
)


@given(steps=STEPS, pieces=st.integers(1, 9))
def test_links_do_not_depend_on_the_pieces_calls_come_in_and_lead_to_calls_that_moved_bytes(steps: list[Step], pieces: int) -> None:
    found = linked(steps)
    assert sorted(linked(steps, pieces)) == sorted(found) and len(set(found)) == len(found)
    for tls, call in found:
        socket, operation, _, _ = steps[tls - 1]
        assert socket == 1 and operation in ("tls_read", "tls_write", "do_handshake", "unwrap")
        if call:
            carrier = steps[call - 1]
            assert carrier[0] == 1 and carrier[3] > 0
            assert carrier[1] == "send" if call > tls else carrier[1].startswith("recv")
