"""How calls are told that had a Python timeout: in truth a poll and a call on a nonblocking descriptor."""

from __future__ import annotations

import pytest
from sockreel.replay.values import Span
from sockreel.replay.words import call_words, timeout_words

NAMES = {3: "fd 3 anna"}


def span(
    operation: str, timeout_ns: int | None, outcome: str = "ok", layer: str = "socket", asked: int | None = 10, result: int | None = 5
) -> Span:
    return Span(1, 1, 3, operation, layer, outcome, "other", 0, 1_000, asked, result, timeout_ns=timeout_ns)


@pytest.mark.parametrize(("operation", "calls"), [
    ("recv", "poll + recv"), ("recv_into", "poll + recv"), ("sendall", "poll + send"), ("accept", "poll + accept"),
    ("connect", "connect + poll"),
])
def test_a_call_with_a_timeout_says_what_the_kernel_was_asked(operation: str, calls: str) -> None:
    told = span(operation, 2_000_000_000)
    assert call_words(told, NAMES).endswith(f" (timeout 2.00 s: {calls})")
    assert timeout_words(told) == f"with a timeout of 2.00 s ({calls} on a nonblocking descriptor)"


@pytest.mark.parametrize("told", [
    span("recv", None), span("recv", 0), span("read", 2_000, layer="file"), span("epoll_wait", 2_000, layer="wait"), span("bind", 2_000),
])
def test_no_other_call_does(told: Span) -> None:
    assert timeout_words(told) == "" and "timeout" not in call_words(told, NAMES)


def test_a_timeout_that_was_reached_stands_beside_what_it_was() -> None:
    assert call_words(span("recv", 50_000_000, "timeout", result=None), NAMES) == "recv(fd 3 anna) timed out (timeout 50.0 ms: poll + recv)"


@pytest.mark.parametrize(("asked", "words"), [
    (None, "blocking"), (0, "nonblocking"), (50_000_000, "50.0 ms: its descriptor is nonblocking"),
])
def test_settimeout_says_what_it_makes_of_the_descriptor(asked: int | None, words: str) -> None:
    assert call_words(span("settimeout", None, asked=asked, result=None), NAMES) == f"settimeout(fd 3 anna) {words}"
