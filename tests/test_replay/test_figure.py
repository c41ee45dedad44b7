"""Stevens' figures of a receive: what they say, and what they leave open."""

from __future__ import annotations

import contextlib
import re
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from sockreel.errors import SockreelError
from sockreel.replay import Look, ReplayError
from sockreel.replay.figure import Figure
from sockreel.replay.figure_shapes import draw_up
from sockreel.replay.figure_words import _CHINESE, _ENGLISH, LANGUAGES
from sockreel.replay.receive import load_receive
from sockreel.replay.svg_figure import svg_figure
from sockreel.replay.terminal_figure import render_figure, wrap
from sockreel.tests.commandline import CommandLine
from sockreel.tests.synthetic import MS, US, Recording
from sockreel.tests.test_replay.figures import HELLO, MODELS, models
from sockreel.tests.test_replay.goldfiles import assert_like_gold
from sockreel.traces import Trace, open_trace

ROOT = Path(__file__).resolve().parent.parent.parent
runs = pytest.mark.parametrize("run", [*MODELS, "unmeasured"])
languages = pytest.mark.parametrize("lang", LANGUAGES)


@pytest.fixture(scope="module")
def models_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return models(tmp_path_factory.mktemp("figures") / "models.db")


@pytest.fixture
def models_trace(models_file: Path) -> Iterator[Trace]:
    with open_trace(models_file) as trace:
        yield trace


def _figure(trace: Trace, run: str, call: int | None = None) -> Figure:
    return draw_up(load_receive(trace, trace.find_run(run), call))


@runs
@languages
def test_a_figure_looks_like_the_one_that_was_accepted(models_trace: Trace, run: str, lang: str) -> None:
    figure = _figure(models_trace, run)
    assert_like_gold(f"figure-{run}-{lang}.txt", render_figure(figure, Look(80), lang))
    assert_like_gold(f"figure-{run}-{lang}.svg", svg_figure(figure, lang))


@pytest.mark.parametrize(("run", "number"), list(zip(MODELS, ("6.1", "6.2", "6.3", "6.4", "6.5"), strict=True)))
def test_the_model_follows_from_what_led_to_the_receive(models_trace: Trace, run: str, number: str) -> None:
    figure = _figure(models_trace, run)
    assert (figure.model, figure.number, figure.call.bytes) == (run, number, len(HELLO))


def _phases(figure: Figure) -> list[tuple[str, str, int | None]]:
    return [(phase.state, phase.words.key, phase.ns) for phase in figure.phases if phase.side == "kernel"]


def test_the_two_phases_are_those_of_the_measured_moment(models_trace: Trace) -> None:
    assert _phases(_figure(models_trace, "blocking")) == [
        ("wait", "wait for data", 60 * MS), ("copy", "wake up and copy", 80 * US)]
    assert _phases(_figure(models_trace, "nonblocking")) == [
        ("wait", "wait for data", 60 * MS), ("free", "lies there", 40 * US), ("copy", "copy", 7 * US)]
    assert _phases(_figure(models_trace, "signal-driven")) == [
        ("wait", "wait for data", 60 * MS), ("free", "signal on its way", 60 * US), ("copy", "copy", 6 * US)]
    assert _phases(_figure(models_trace, "asynchronous"))[1] == ("copy", "wake up and copy", 100 * US)


def test_no_phase_ends_at_a_moment_that_nobody_measured(models_trace: Trace) -> None:
    """It is known that the client began to send 110 us before the call returned, and no more."""
    figure = _figure(models_trace, "unmeasured")
    assert _phases(figure) == [("unknown", "not measured", None)]
    (ready,) = [step for step in figure.steps if step.kernel is not None and step.kernel.key == "data ready"]
    assert (ready.at_ns, ready.source) == (None, "none")
    page = render_figure(figure, Look(100))
    assert "within the 110 µs after ada began to send" in page and "wait for" not in page


def test_each_moment_tells_how_it_is_known(models_trace: Trace) -> None:
    sources = {run: {step.source for step in _figure(models_trace, run).steps if step.at_ns is not None} for run in MODELS}
    assert sources == {"blocking": {"calls", "client", "kernel"}, "nonblocking": {"calls", "packet"}, "multiplexing": {"calls", "sender"},
                       "signal-driven": {"calls", "kernel", "signal"}, "asynchronous": {"calls", "kernel"}}


def test_polls_that_were_only_counted_are_in_the_count(models_trace: Trace) -> None:
    figure = _figure(models_trace, "nonblocking")
    assert figure.receive.polls is not None
    assert (figure.receive.polls.calls, figure.receive.polls.others) == (5640, 5600)
    assert "5,638 more calls" in " ".join(render_figure(figure, Look(160)).split())


def test_the_buffer_fills_with_each_segment_and_not_twice_with_one(models_trace: Trace) -> None:
    """The second segment came again; a third one much later."""
    steps = _figure(models_trace, "nonblocking").steps
    assert [step.queued for step in steps if step.at_ns is not None] == [0, 0, 0, 0, 4, 6, 0]


def test_what_a_read_got_proves_what_lay_there(models_trace: Trace) -> None:
    steps = _figure(models_trace, "blocking").steps
    assert [(step.queued, step.at_least) for step in steps if step.queued is not None] == [(0, False), (6, True), (0, False)]


def test_a_poll_and_a_wait_stand_for_the_receive_they_led_to(models_trace: Trace) -> None:
    polled = _figure(models_trace, "nonblocking")
    assert polled.receive.polls is not None
    again = _figure(models_trace, "nonblocking", polled.receive.polls.first.call_id)
    assert again == polled
    waited = _figure(models_trace, "multiplexing")
    assert waited.receive.wait is not None
    assert _figure(models_trace, "multiplexing", waited.receive.wait.call_id) == waited
    ring = _figure(models_trace, "asynchronous")
    assert ring.receive.completed_by is not None
    assert _figure(models_trace, "asynchronous", ring.receive.completed_by.call_id) == ring


def test_without_a_name_it_is_a_receive_that_waited_and_whose_moment_is_known(models_trace: Trace) -> None:
    """The longer one got the end of the stream."""
    assert _figure(models_trace, "blocking").call.duration_ns == 60 * MS + 80 * US


def test_what_is_no_receive_is_refused(models_trace: Trace) -> None:
    run = models_trace.find_run("blocking")
    with pytest.raises(ReplayError, match="call 2 is send"):
        load_receive(models_trace, run, 2)
    with pytest.raises(ReplayError, match="blocking has no call 4000"):
        load_receive(models_trace, run, 4000)
    with pytest.raises(ReplayError, match="has 1 exchanges: name one from 1 to 1"):
        load_receive(models_trace, run, exchange=2)


def test_an_exchange_names_the_receive_that_took_it_up(models_trace: Trace) -> None:
    run = models_trace.find_run("blocking")
    assert load_receive(models_trace, run, exchange=1).call.bytes == 6
    # Where no workload was, requests as the server's own calls show them.
    assert load_receive(models_trace, models_trace.find_run("unmeasured"), exchange=1).client == "ada"


@runs
@languages
@pytest.mark.parametrize("width", [40, 60, 80, 100, 160])
def test_no_line_is_wider_than_the_screen(models_trace: Trace, run: str, lang: str, width: int) -> None:
    page = render_figure(_figure(models_trace, run), Look(width), lang)
    assert max(map(cell_len, page.splitlines())) <= width


@runs
def test_a_screen_without_our_signs_gets_ascii(models_trace: Trace, run: str) -> None:
    page = render_figure(_figure(models_trace, run), Look(80, ascii=True))
    assert page.isascii() and "\\u" not in page and ">|" in page


@runs
@languages
def test_the_arrow_heads_touch_their_lifelines(models_trace: Trace, run: str, lang: str) -> None:
    """Wide characters are measured: every lifeline stands in one column."""
    lines = render_figure(_figure(models_trace, run), Look(80), lang).splitlines()
    columns = {cell_len(line[:line.index(sign)]) for line in lines for sign in "▶" if sign in line}
    lifelines = {cell_len(line[:line.index("◀")]) - 1 for line in lines if "◀" in line}
    assert len(columns) == 1 and len(lifelines) == 1


def test_both_languages_say_the_same_things() -> None:
    assert _ENGLISH.keys() == _CHINESE.keys()
    for key, words in _ENGLISH.items():
        assert set(re.findall(r"\{\d\}", words)) == set(re.findall(r"\{\d\}", _CHINESE[key])), key
    used = set(re.findall(r'Say\("([^"]+)"', (ROOT / "replay" / "figure_shapes.py").read_text(encoding="utf-8")))
    assert len(used) > 20 and used <= _ENGLISH.keys()


def test_words_break_between_wide_characters() -> None:
    assert wrap("将数据从内核拷贝", 6) == ["将数据", "从内核", "拷贝"]
    assert wrap("a bc def", 4) == ["a bc", "def"]


def _hostile(path: Path) -> Path:
    nasty = "</text><script>alert(1)</script>&\x1b[31m\u202e\ufffe]]>"
    with Recording(path) as recording:
        run = recording.run(f"r{nasty}")
        sock = run.socket(4, local="127.0.0.1:1", peer=f"unix:{nasty}")
        run.call(run.thread(nasty), "recv", sock, at_ns=1 * MS, duration_ns=50 * MS, payload=b"<&\x00\x1b[2J\xff", asked=100,
                 site=(f"/x/{nasty}.py", 1, nasty, nasty), ready_ns=40 * MS, ready_source="kernel")
        run.exchange(nasty, 1, sock, sent_ns=39 * MS, first_call_id=1, last_call_id=1)
        run.finish(100 * MS)
    return path


@languages
def test_hostile_text_stays_text(tmp_path: Path, lang: str) -> None:
    with open_trace(_hostile(tmp_path / "t.db")) as trace:
        figure = draw_up(load_receive(trace, trace.find_run()))
    svg = svg_figure(figure, lang)
    tags = {element.tag.rpartition("}")[2] for element in ElementTree.fromstring(svg).iter()}
    assert tags == {"svg", "title", "style", "rect", "text", "tspan", "line", "path", "circle"}
    assert "<script" not in svg and "\x1b" not in svg and "\u202e" not in svg
    page = render_figure(figure, Look(80), lang)
    assert "\x1b" not in page and "\u202e" not in page and "\x00" not in page


@runs
def test_without_payload_no_byte_of_it_is_shown(models_trace: Trace, run: str) -> None:
    figure = _figure(models_trace, run)
    assert "hello" in render_figure(figure, Look(80)) and "hello" in svg_figure(figure)
    assert "hello" not in render_figure(figure, Look(80), payload=False) and "hello" not in svg_figure(figure, payload=False)


def test_an_accept_a_datagram_and_a_call_that_never_returned_have_figures_too(tmp_path: Path) -> None:
    with Recording(tmp_path / "t.db") as recording:
        run = recording.run("others")
        thread = run.thread()
        listener, udp = run.socket(3, "listener"), run.socket(4, "datagram", kind="udp", type="SOCK_DGRAM")
        accept = run.call(thread, "accept", listener, at_ns=1 * MS, duration_ns=20 * MS, result=9, ready_ns=20 * MS, ready_source="packet")
        datagram = run.call(thread, "recvfrom", udp, at_ns=30 * MS, duration_ns=20 * MS, result=0, asked=99)
        early = run.call(thread, "recvfrom", udp, at_ns=60 * MS, duration_ns=9 * US, result=7, asked=99, ready_ns=50 * MS,
                         ready_source="kernel")
        limited = run.call(thread, "recvfrom", udp, at_ns=70 * MS, duration_ns=2 * MS, outcome="timeout", timeout_ns=2 * MS, asked=99)
        hanging = run.call(thread, "recvfrom", udp, at_ns=80 * MS, duration_ns=None, asked=99)
        run.finish(200 * MS)
    with open_trace(tmp_path / "t.db") as trace:
        pages = {call: " ".join(render_figure(_figure(trace, "others", call), Look(160)).split())
                 for call in (accept, datagram, early, limited, hanging)}
        assert _phases(_figure(trace, "others", hanging)) == [("wait", "wait for datagram", None)]
        assert _phases(_figure(trace, "others", early)) == [("copy", "wake up and copy", 9 * US)]
    assert "connection ready" in pages[accept] and "wait for connection" in pages[accept]
    assert "datagram ready" in pages[datagram] and "not measured" in pages[datagram]
    assert "lying in the kernel for 10.0 ms" in pages[early]
    assert "return timeout" in pages[limited] and "timeout of 2.00 ms" in pages[limited]
    assert "never returned" in pages[hanging]


def test_the_command_draws_in_the_terminal_and_writes_svg(sockreel: CommandLine, models_file: Path, tmp_path: Path) -> None:
    said = sockreel("figure", f"{models_file}#select", "--lang", "zh")
    assert said.status == 1
    said = sockreel("figure", f"{models_file}#multiplexing", "--lang", "zh")
    assert said.status == 0 and "I/O 复用" in said.out and "\x1b" not in said.out
    file = tmp_path / "f.svg"
    wrote = sockreel("figure", f"{models_file}#blocking", "--svg", file, "--no-payload")
    assert (wrote.status, wrote.out) == (0, "") and str(file) in wrote.err
    assert "hello" not in file.read_text(encoding="utf-8")
    assert sockreel("figure", f"{models_file}#blocking", "--svg", "-", "--no-payload").out == file.read_text(encoding="utf-8")
    assert sockreel("figure", models_file, "--call", "1", "--exchange", "1").status == 2
    assert "cannot write" in sockreel("figure", models_file, "--svg", tmp_path / "no" / "f.svg").err


def test_a_late_return_is_not_laid_to_the_copy(tmp_path: Path) -> None:
    with Recording(tmp_path / "t.db") as recording:
        run = recording.run("late")
        run.call(run.thread(), "recv", run.socket(4), at_ns=1 * MS, duration_ns=20 * MS, result=7, ready_ns=15 * MS, ready_source="kernel")
        run.finish(99 * MS)
    with open_trace(tmp_path / "t.db") as trace:
        assert "From data to return it took 6.00 ms" in render_figure(_figure(trace, "late"), Look(100))


_DAMAGED = {
    "calls": ("socket_id", "operation_id", "outcome_id", "started_ns", "duration_ns", "asked", "result", "timeout_ns", "parent_id",
              "ready_ns", "ready_source", "thread_id"),
    "links": ("from_call_id", "to_call_id", "kind"), "signals": ("started_ns", "ended_ns", "during_call_id", "via", "thread_id"),
    "packets": ("at_ns", "seq", "payload_bytes", "socket_id"), "exchanges": ("sent_ns", "first_call_id", "socket_id"),
    "fold_parts": ("calls", "in_calls_ns", "socket_id"), "sockets": ("kind", "local", "opened_ns", "role"),
}
_columns = st.sampled_from([(table, column) for table, columns in _DAMAGED.items() for column in columns])
_values = st.sampled_from([None, 0, -1, 7, 2**62, -(2**62), "x", b"\xff", 1.5, 160 * MS])


@settings(max_examples=40)
@given(st.lists(st.tuples(_columns, _values, st.integers(1, 3)), min_size=1, max_size=3), st.none() | st.integers(1, 60))
def test_whatever_rows_hold_a_figure_is_drawn_or_refused_in_one_line(
    models_file: Path, tmp_path: Path, damage: list[tuple[tuple[str, str], Any, int]], call: int | None,
) -> None:
    path = tmp_path / "damaged.db"
    shutil.copy(models_file, path)
    connection = sqlite3.connect(path)
    for (table, column), value, every in damage:
        with contextlib.suppress(sqlite3.IntegrityError):
            connection.execute(f"UPDATE {table} SET {column} = ? WHERE rowid % ? = 0", [value, every])
    connection.commit()
    connection.close()
    with open_trace(path) as trace:
        for run in trace.runs():
            with contextlib.suppress(SockreelError):
                figure = draw_up(load_receive(trace, run, call))
                assert render_figure(figure, Look(80), "zh")
                ElementTree.fromstring(svg_figure(figure))


def test_a_run_that_received_nothing_has_no_figure(sockreel: CommandLine, tmp_path: Path) -> None:
    with Recording(tmp_path / "t.db") as recording:
        recording.run("silent").finish(MS)
    assert "received anything" in sockreel("figure", tmp_path / "t.db").failure


def test_colours_only_help(sockreel: CommandLine, models_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = sockreel("figure", models_file).out
    monkeypatch.setenv("FORCE_COLOR", "1")
    coloured = sockreel("figure", models_file).out
    assert "\x1b[31m" in coloured
    without = "\n".join(line.rstrip() for line in re.sub(r"\x1b\[[\d;]*m", "", coloured).splitlines())
    assert without.strip() == plain.strip()
    monkeypatch.setenv("NO_COLOR", "1")
    assert sockreel("figure", models_file).out == plain


def test_data_that_came_while_a_poll_was_on_its_way_back_stands_where_its_time_puts_it(tmp_path: Path) -> None:
    with Recording(tmp_path / "t.db") as recording:
        run = recording.run("slow")
        thread, sock = run.thread(), run.socket(4)
        common: Any = {"asked": 99, "timeout_ns": 0}
        run.call(thread, "recv", sock, at_ns=1 * MS, duration_ns=3 * US, outcome="would_block", errno=11, **common)
        run.call(thread, "recv", sock, at_ns=2 * MS, duration_ns=300 * US, outcome="would_block", errno=11, **common)
        common |= {"result": 7, "ready_source": "kernel"}
        early = run.call(thread, "recv", sock, at_ns=3 * MS, duration_ns=5 * US, ready_ns=2 * MS + 100 * US, **common)
        late = run.call(thread, "recv", sock, at_ns=4 * MS, duration_ns=90 * US, ready_ns=4 * MS + 60 * US, **common)
        run.finish(9 * MS)
    with open_trace(tmp_path / "t.db") as trace:
        first, second = _figure(trace, "slow", early), _figure(trace, "slow", late)
    for figure in (first, second):
        times = [step.at_ns for step in figure.steps if step.at_ns is not None]
        assert times == sorted(times)
    assert _phases(first) == [("wait", "wait for data", 1100 * US), ("free", "lies there", 900 * US), ("copy", "copy", 5 * US)]
    assert _phases(second) == [("wait", "wait for data", 60 * US), ("copy", "copy", 30 * US)]
    assert [step.kernel.key for step in second.steps if step.kernel] == ["looks", "data ready", "copy data", "copy complete"]


def test_data_that_lay_in_the_kernel_before_the_recording_began_is_drawn_where_it_came(tmp_path: Path) -> None:
    """As of a socket that a program inherits."""
    with Recording(tmp_path / "t.db") as recording:
        run = recording.run("heir")
        thread, sock = run.thread(), run.socket(4)
        run.call(thread, "recv", sock, at_ns=1 * MS, duration_ns=3 * US, outcome="would_block", errno=11, timeout_ns=0)
        found = run.call(thread, "recv", sock, at_ns=3 * MS, duration_ns=5 * US, timeout_ns=0, result=7, ready_ns=-2 * MS,
                         ready_source="kernel")
        run.finish(9 * MS)
    with open_trace(tmp_path / "t.db") as trace:
        figure = _figure(trace, "heir", found)
    assert next(step.at_ns for step in figure.steps if step.at_ns is not None) == -2 * MS
    assert _phases(figure) == [("free", "lies there", 5 * MS), ("copy", "copy", 5 * US)]


def test_packets_tell_when_a_request_on_a_ring_had_its_data(tmp_path: Path) -> None:
    """Where the recorder wrote no ready time for it."""
    path = models(tmp_path / "t.db")
    with Recording(path, "append") as recording:
        recording.connection.execute("UPDATE calls SET ready_ns = NULL, ready_source = NULL WHERE operation_id = ?",
                                     [recording.operation("ring_recv")])
        socket, run = recording.connection.execute(
            "SELECT socket_id, run_id FROM calls WHERE operation_id = ?", [recording.operation("ring_recv")]).fetchone()
        recording.insert("packets", run_id=run, at_ns=150 * MS, source="127.0.0.1:50001", destination="127.0.0.1:8000", seq=1, ack=1,
                         flags="PA", payload_bytes=6, socket_id=socket, frame=b"")
    with open_trace(path) as trace:
        figure = _figure(trace, "asynchronous")
    assert (figure.call.ready_ns, figure.receive.ready_source) == (150 * MS, "packet")
    assert _phases(figure)[0] == ("wait", "wait for data", 50 * MS)
