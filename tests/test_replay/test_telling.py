"""A run told in sentences: each says what its call did, in both languages, and fits the screen."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from sockreel.replay.cast import Cast
from sockreel.replay.language import catalogues, language, read_catalogue, usual_language, wrapped
from sockreel.replay.look import Look
from sockreel.replay.player.state import Play
from sockreel.replay.reading import Reader
from sockreel.replay.tale import load_tale, render_tale
from sockreel.replay.telling import tell_call
from sockreel.replay.values import Span
from sockreel.tests.commandline import CommandLine
from sockreel.tests.synthetic import MS, US, Recording
from sockreel.tests.test_replay.goldfiles import assert_like_gold
from sockreel.tests.test_replay.messages import messages_in_code
from sockreel.traces import Trace, open_trace

PLACES = re.compile(r"\{(\w+)\}")
WIDE = re.compile("[\u4e00-\u9fff]")


def test_every_message_of_the_code_is_translated_and_no_other_stands_in_the_catalogue() -> None:
    code = messages_in_code()
    found = [entry for text in catalogues("zh") for entry in read_catalogue(text) if entry["msgid"]]
    entries = {entry["msgid"]: entry for entry in found}
    assert len(found) == len(entries), "a message stands in two catalogues"
    assert len(code) > 300
    assert set(entries) == set(code)
    for english, entry in entries.items():
        chinese = entry.get("msgstr") or entry["msgstr[0]"]
        assert sorted(PLACES.findall(chinese)) == sorted(PLACES.findall(code[english] or english)), english
        assert WIDE.search(chinese) or not re.search("[a-z]{2}", PLACES.sub("", english)), f"{english!r} is not translated"
        assert entry.get("msgid_plural") == code[english]


@pytest.mark.parametrize("code", ["en", "zh"])
@pytest.mark.parametrize("label", ["blocking", "nonblocking"])
def test_a_lecture_is_told(trace: Trace, code: str, label: str) -> None:
    spoken = language(code)
    tale = load_tale(trace, trace.find_run(label), spoken, lines=24)
    assert_like_gold(f"tell_{label}_{code}.txt", render_tale(tale, Look(80), spoken))


@pytest.mark.parametrize("code", ["en", "zh"])
@pytest.mark.parametrize("width", [40, 79, 200])
def test_no_line_is_wider_than_the_screen_and_nothing_is_lost(trace: Trace, code: str, width: int) -> None:
    spoken = language(code)
    tale = load_tale(trace, trace.find_run("blocking"), spoken)
    text = render_tale(tale, Look(width), spoken)
    assert max(map(cell_len, text.splitlines())) <= width
    packed = re.sub(r"\s", "", text)
    assert all(re.sub(r"\s", "", line.words) in packed for line in tale.lines if line.site is None)


def test_a_spin_is_told_with_its_first_call_and_how_many_followed(trace: Trace) -> None:
    tale = load_tale(trace, trace.find_run("nonblocking"), language("en"))
    spin = next(line for line in tale.lines if line.calls > 1)
    assert spin.words == ("accept on the listener returned at once with nothing: BlockingIOError; "
                          "599 more like it follow in 60.0 ms, all of them for nothing")


def test_every_call_of_a_run_is_in_exactly_one_sentence(trace: Trace) -> None:
    for label in ("blocking", "nonblocking"):
        run = trace.find_run(label)
        assert sum(line.calls for line in load_tale(trace, run, language("en"), lines=100_000).lines) == run.calls_recorded


def test_payloads_cannot_drive_the_terminal_and_can_be_left_out(lecture_file: Path, sockreel: CommandLine) -> None:
    said = sockreel("tell", f"{lecture_file}#blocking", "--lang", "en")
    assert "'\\x1b[31mred\\x07'" in said.out
    assert "\x1b" not in said.out
    without = sockreel("tell", f"{lecture_file}#blocking", "--lang", "en", "--no-payload")
    assert "red" not in without.out
    assert "returned 9 bytes" in without.out


def test_json_names_the_calls_of_each_sentence(lecture_file: Path, sockreel: CommandLine) -> None:
    said = sockreel("tell", f"{lecture_file}#nonblocking", "--json", "--lang", "zh").json
    spin = next(line for line in said["lines"] if line["calls"] == 600)
    assert spin["last_call_id"] - spin["first_call_id"] == 599
    assert "一无所获" in spin["words"]


def test_bytes_are_counted_once_and_what_was_peeked_at_never(tmp_path: Path) -> None:
    with Recording(tmp_path / "t.db") as recording:
        run = recording.run("once")
        thread = run.thread()
        plain, secret = run.socket(4, "pair", opened_ns=0), run.socket(5, "pair", opened_ns=0)
        run.call(thread, "recv", plain, at_ns=MS, result=3, flags=2)
        run.call(thread, "recv", plain, at_ns=2 * MS, result=3)
        outer = run.call(thread, "sendall", plain, at_ns=3 * MS, result=7)
        run.call(thread, "send", plain, at_ns=3 * MS + 100, duration_ns=US, result=7, parent_id=outer)
        carrier = run.call(thread, "recv", secret, at_ns=5 * MS + 100, duration_ns=US, result=60)
        clear = run.call(thread, "tls_recv", secret, at_ns=5 * MS, duration_ns=20 * US, layer="tls", result=11)
        recording.insert("links", from_call_id=clear, to_call_id=carrier, kind="wrapped")
        run.finish(10 * MS)
    with open_trace(tmp_path / "t.db") as trace:
        told = load_tale(trace, trace.runs()[0], language("en"))
        assert "0 of them for nothing, 14 B received, 7 B sent." in told.closing[0]
        whole = Play(Reader(trace, trace.runs()[0]), language("en"))
        state = whole.state(whole.line.at_call(len(whole.line)))
        assert (state.received_bytes, state.sent_bytes) == (14, 7)


def test_the_language_is_that_of_the_locale() -> None:
    assert usual_language({"LANG": "zh_CN.UTF-8"}) == "zh"
    assert usual_language({"LANG": "zh_CN.UTF-8", "LC_ALL": "C"}) == "en"
    assert usual_language({}) == "en"


CAST = Cast({7: "client ada"}, {7: "fd 7 ada"}, (), {}, language("en"), {7: "127.0.0.1:41234"})


def _call(operation: str, outcome: str | None, layer: str = "socket", **columns: object) -> Span:
    values: dict[str, object] = {"kind": "other", "ended_ns": 20 * US, **columns}
    return Span(1, 1, 7, operation, layer, outcome, started_ns=0, **values)  # type: ignore[arg-type]


@pytest.mark.parametrize(("call", "words"), [
    (_call("recv", "eof", asked=10, result=0), "recv on client ada returned b'' at once: the other side will send no more"),
    (_call("recv", "ok", asked=0, result=0), "recv on client ada asked for no bytes, and got none"),
    (_call("recv", "ok", asked=9, result=1), "recv on client ada returned 1 byte at once"),
    (_call("recv", "ok", asked=9, result=5, ready_ns=-3 * MS),
     "recv on client ada returned 5 bytes at once, which had lain in the kernel for 3.00 ms"),
    (_call("recv", "ok", asked=9, result=5, kind="blocked", ended_ns=9 * MS, ready_ns=8 * MS),
     "recv on client ada stood still for 9.00 ms, then returned 5 bytes (8.00 ms until the kernel had it, 1.00 ms to wake up and copy)"),
    (_call("send", "ok", asked=9000, result=5000),
     "send on client ada handed over only 5,000 of 9,000 bytes: the send buffer has no room for the rest"),
    (_call("send", "would_block", asked=9), "send on client ada could hand over nothing, as the send buffer is full: BlockingIOError"),
    (_call("recv", "timeout", timeout_ns=MS, ended_ns=MS), "recv on client ada gave up after 1.00 ms: TimeoutError"),
    (_call("select", "timeout", "wait", timeout_ns=0), "select on client ada looked and did not wait: nothing is ready"),
    (_call("listen", "ok", asked=None),
     "listen on client ada: from now on the kernel takes up connections, and they wait here for accept"),
    (_call("bind", "ok", peer="127.0.0.1:8000"), "bind on client ada gave it its address 127.0.0.1:8000"),
    (_call("bind", "ok", peer="127.0.0.1:0"), "bind on client ada asked for any free port and got 127.0.0.1:41234"),
    (_call("recv", "error", errno=9), "recv on client ada failed after 20.0 µs: EBADF"),
    (_call("recv", None, kind="blocked", ended_ns=MS),
     "recv on client ada never returned: it was still waiting 1.00 ms later, when the run ended"),
    (_call("setblocking", "ok", asked=0),
     "setblocking on client ada: from now on a call that would have to wait raises BlockingIOError instead"),
    (_call("settimeout", "ok", asked=None), "settimeout on client ada: from now on a call that would have to wait waits"),
    (_call("recv", "ok", asked=10, result=3, flags=2), "recv on client ada looked at 3 bytes and took nothing out of the kernel"),
    (_call("shutdown", "ok", asked=0),
     "shutdown on client ada: from now on a receive here ends with b''; the other side is told nothing"),
    (_call("shutdown", "ok", asked=1), "shutdown on client ada: the other side will read b'' when it has read the rest"),
])
def test_a_sentence_says_what_the_call_did(call: Span, words: str) -> None:
    assert tell_call(call, CAST) == words


OPERATIONS = ["accept", "recv", "recv_into", "send", "sendall", "sendmsg", "connect", "close", "select", "epoll_wait", "tls_recv",
              "ring_recv", "ring_wait", "setsockopt", "fcntl", "pause", "sigwait", "shutdown", "x\x1b[1m{0}"]
OUTCOMES = [None, "ok", "would_block", "in_progress", "eof", "timeout", "want_read", "reset", "broken_pipe", "refused", "aborted",
            "interrupted", "cancelled", "error", "junk{x}"]
NUMBERS = st.none() | st.integers(-(2**63), 2**63 - 1)


@settings(max_examples=300)
@given(st.sampled_from(OPERATIONS), st.sampled_from(OUTCOMES), st.sampled_from(["socket", "wait"]), NUMBERS, NUMBERS, NUMBERS, NUMBERS,
       st.sampled_from(["blocked", "fruitless", "moved", "other"]), st.sampled_from(["en", "zh"]))
def test_whatever_a_call_is_it_is_told_in_one_safe_line(
    operation: str, outcome: str | None, layer: str, asked: int | None, result: int | None, errno: int | None, ready_ns: int | None,
    kind: str, code: str,
) -> None:
    cast = Cast(CAST.sockets, CAST.short, (), {}, language(code))
    said = tell_call(_call(operation, outcome, layer, asked=asked, result=result, errno=errno, ready_ns=ready_ns, kind=kind), cast)
    assert said and said.isprintable()


@given(st.text(alphabet="ab 数据，。 (:", max_size=80), st.integers(4, 40))
def test_wrapping_keeps_the_text_and_the_width(text: str, width: int) -> None:
    lines = wrapped(text, width)
    assert all(cell_len(line) <= width for line in lines)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
