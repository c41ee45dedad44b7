"""What calls were given, in the names of the manual pages."""

from __future__ import annotations

import fcntl
import os
import signal
import socket

import pytest
from sockreel.replay.arguments import argument_words
from sockreel.replay.values import Span
from sockreel.replay.words import call_words

NAMES = {3: "fd 3 anna"}


def span(
    operation: str, flags: int | None, asked: int | None = None, outcome: str = "ok", result: int | None = None, errno: int | None = None
) -> Span:
    layer = "file" if operation == "fcntl" else "socket"
    return Span(1, 1, 3, operation, layer, outcome, "other", 0, 1_000, asked, result, errno, flags=flags)


@pytest.mark.parametrize(("command", "asked", "words"), [
    ("F_SETFL", os.O_RDWR | os.O_ASYNC | os.O_NONBLOCK, "F_SETFL, O_ASYNC|O_NONBLOCK"),
    ("F_SETFL", os.O_RDWR, "F_SETFL, 0"),
    ("F_SETFL", os.O_NONBLOCK | 1 << 30, "F_SETFL, O_NONBLOCK|0x40000000"),
    ("F_SETOWN", 4242, "F_SETOWN, process 4242"), ("F_SETOWN", -17, "F_SETOWN, group 17"), ("F_SETOWN", 0, "F_SETOWN, nobody"),
    (10, signal.SIGRTMIN + 1, "F_SETSIG, SIGRTMIN+1"), (10, signal.SIGALRM, "F_SETSIG, SIGALRM"),
    (10, 0, "F_SETSIG, SIGIO, untold"),
    (15, None, "F_SETOWN_EX"), (99, 5, "command 99, 5"),
])
def test_fcntl_names_its_command_and_what_it_set(command: str | int, asked: int | None, words: str) -> None:
    flags = command if isinstance(command, int) else getattr(fcntl, command)
    assert call_words(span("fcntl", flags, asked), NAMES) == f"fcntl(fd 3 anna, {words})"


@pytest.mark.parametrize("name", [
    "SO_REUSEADDR", "SO_REUSEPORT", "SO_KEEPALIVE", "SO_RCVBUF", "SO_SNDBUF", "SO_LINGER", "SO_RCVTIMEO", "SO_BROADCAST", "TCP_NODELAY",
    "TCP_CORK", "TCP_QUICKACK", "TCP_FASTOPEN", "TCP_DEFER_ACCEPT", "TCP_USER_TIMEOUT", "IP_TTL", "IP_TOS", "IP_ADD_MEMBERSHIP",
    "IP_MULTICAST_TTL", "IPV6_V6ONLY", "IPV6_JOIN_GROUP",
])
def test_options_have_the_names_of_this_systems_socket_module(name: str) -> None:
    level = {"SO": socket.SOL_SOCKET, "TCP": socket.IPPROTO_TCP, "IP": socket.IPPROTO_IP, "IPV6": socket.IPPROTO_IPV6}[name.split("_")[0]]
    flags = level << 16 | getattr(socket, name)
    assert call_words(span("setsockopt", flags, 1), NAMES) == f"setsockopt(fd 3 anna, {name}, 1)"
    assert argument_words(span("setsockopt", flags)) == (name,)  # a value of bytes is not told


def test_what_has_no_name_is_told_by_number() -> None:
    assert argument_words(span("setsockopt", 6 << 16 | 999, 2)) == ("IPPROTO_TCP", "option 999", "2")
    assert argument_words(span("setsockopt", 77 << 16 | 1, -1)) == ("level 77", "option 1", "-1")
    assert argument_words(span("shutdown", 0, 7)) == ("7",)
    assert argument_words(span("recv", 1 << 28)) == ("0x10000000",)
    assert argument_words(span("setsockopt", None)) == argument_words(span("fcntl", None)) == argument_words(span("shutdown", None)) == ()


def test_flags_of_a_message_stand_beside_what_came_of_it() -> None:
    peek = span("recv", socket.MSG_PEEK | socket.MSG_DONTWAIT, 10, result=5)
    assert call_words(peek, NAMES) == "recv(fd 3 anna, MSG_DONTWAIT|MSG_PEEK) 5 of 10 bytes"
    assert call_words(span("recv", 0, 10, result=5), NAMES) == "recv(fd 3 anna) 5 of 10 bytes"
    assert call_words(span("accept", 0o4000), NAMES) == "accept(fd 3 anna)"


def test_which_way_was_shut_down_and_what_failed_is_told() -> None:
    assert call_words(span("shutdown", None, socket.SHUT_WR), NAMES) == "shutdown(fd 3 anna, SHUT_WR)"
    failed = span("setsockopt", socket.SOL_SOCKET << 16 | socket.SO_REUSEPORT, 1, "error", errno=92)
    assert call_words(failed, NAMES) == "setsockopt(fd 3 anna, SO_REUSEPORT, 1) error ENOPROTOOPT"
