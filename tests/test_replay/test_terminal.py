"""Pages in the terminal: gold files of whole pages, and what no page may ever do."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.cells import cell_len
from sockreel.errors import SockreelError
from sockreel.replay import Look, Story, Window, compare_stories, load_listing, load_story, render_compare, render_show
from sockreel.replay.axis import Axis, axis_lines
from sockreel.replay.look import STYLES
from sockreel.replay.words import brief, duration, percent, visible, visible_bytes
from sockreel.tests.synthetic import MS, US, Recording, S
from sockreel.tests.test_replay.goldfiles import assert_like_gold
from sockreel.traces import Trace, open_trace

Tell = Callable[..., Story]
EVIL = "\x1b[31mred\x1b]0;title\x07\u202eabc\x9b2J\u200b[bold]x[/bold]\n\r\t\x7f\ud800日本"


@pytest.mark.parametrize("width", [80, 140])
@pytest.mark.parametrize("label", ["blocking", "nonblocking"])
def test_show_draws_the_gold_page(trace: Trace, tell: Tell, label: str, width: int) -> None:
    """A run of 18 calls with its listing, and one of 18,000 without."""
    listing = load_listing(trace, trace.find_run(label)) if label == "blocking" else None
    assert_like_gold(f"show-{label}-{width}.txt", render_show(tell(label, resolution=width), listing, Look(width)))


def test_show_draws_the_gold_page_in_ascii(trace: Trace, tell: Tell) -> None:
    """Every state has a sign of its own without any other letters, too."""
    page = render_show(tell("blocking", resolution=80), load_listing(trace, trace.find_run("blocking")), Look(80, ascii=True))
    assert page.isascii()
    assert_like_gold("show-blocking-ascii.txt", page)


def test_a_narrow_window_draws_the_gold_page_with_its_calls(trace: Trace, tell: Tell) -> None:
    """12 ms of it: the axis counts in ms, the spins are folded, times are told to the microsecond."""
    window = Window(108 * MS, 120 * MS)
    listing = load_listing(trace, trace.find_run("nonblocking"), window)
    assert_like_gold("show-window.txt", render_show(tell("nonblocking", window=window, resolution=100), listing, Look(100)))


@pytest.mark.parametrize("width", [80, 140])
def test_compare_draws_the_gold_page(tell: Tell, width: int) -> None:
    """Both runs of the lecture above each other, the table, the sentences."""
    comparison = compare_stories([tell(label, resolution=width) for label in ("blocking", "nonblocking")])
    assert_like_gold(f"compare-{width}.txt", render_compare(comparison, Look(width)))


def test_colours_add_nothing_but_colours(tell: Tell) -> None:
    """Without its escape codes a coloured page is the plain one."""
    comparison = compare_stories([tell("blocking"), tell("nonblocking")])
    coloured, plain = (render_compare(comparison, Look(100, colour=colour)) for colour in (True, False))
    assert "\x1b[" in coloured and "\x1b" not in plain
    stripped = re.sub(r"\x1b\[[0-9;]*m", "", coloured)
    assert [line.rstrip() for line in stripped.split("\n")] == [line.rstrip() for line in plain.split("\n")]


@pytest.mark.parametrize("ascii_only", [False, True])
def test_every_state_has_its_own_glyph(ascii_only: bool) -> None:
    """So that no state is told by colour alone."""
    glyphs = Look(ascii=ascii_only).glyphs
    signs = [sign for state in STYLES if hasattr(glyphs, state) for sign in getattr(glyphs, state)]
    signs += [*glyphs.polling, glyphs.partly_blocked, glyphs.opens_and_closes]
    assert len(signs) == len(set(signs)) == 26
    assert all(cell_len(sign) == 1 for sign in signs)


def evil_page(tmp_path: Path, look: Look) -> str:
    """Return the pages of a trace in which every text and payload is hostile."""
    text = EVIL.replace("\ud800", "")
    with Recording(tmp_path / "t.db") as recording:
        for label in (text, text + "2"):
            run = recording.run(
                label, python=text, core=text, started_at=text, blind_spots='["\\u001b[2J"]', command='["\\u009b2J", "\\u202e"]')
            thread = run.thread(text)
            other = run.thread(text)
            socket = run.socket(4, "accepted", peer=text, local=text, kind=text, closed_by=text)
            run.call(thread, "recv", socket, at_ns=MS, payload=text.encode(), peer=text, site=(text, 1, text, text))
            run.call(other, "recv", socket, at_ns=2 * MS, duration_ns=20 * MS, payload=b"\x1b[2J\x9b\xff",
                     site=(f"/{text}/{text}", 1, text, text))
            run.call(thread, text, socket, at_ns=30 * MS, outcome="error", errno=999_999)
            run.exchange(text, 1, socket, connected_ns=0, sent_ns=MS, answered_ns=30 * MS, result=text)
            run.finish(40 * MS, ended_by=text)
    with open_trace(tmp_path / "t.db") as trace:
        stories = [load_story(trace, run) for run in trace.runs()]
        listing = load_listing(trace, trace.runs()[0])
    assert len(listing.entries) == 3
    return render_show(stories[0], listing, look, text) + render_compare(compare_stories(stories), look)


@pytest.mark.parametrize("look", [Look(100), Look(60), Look(200, ascii=True)])
def test_nothing_in_a_trace_reaches_the_terminal_as_a_control(tmp_path: Path, look: Look) -> None:
    """Names, peers, files, payloads, commands: every escape is written out, nothing is taken for markup."""
    page = evil_page(tmp_path, look)
    assert not {unicodedata.category(character) for character in page if character != "\n"} & {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
    assert "\\x1b[31mred" in page and "[bold]" in page
    assert max(cell_len(line) for line in page.split("\n")) <= look.width


def test_colour_codes_of_a_hostile_trace_are_only_our_own(tmp_path: Path) -> None:
    """With colours on, the only escapes are those of styles."""
    page = evil_page(tmp_path, Look(100, colour=True))
    assert re.sub(r"\x1b\[[0-9;]*m", "", page).count("\x1b") == 0
    assert set(re.findall(r"\x1b\[([0-9;]*)m", page)) <= {"0", "1", "2", "1;31", "1;32", "1;35", "31", "32", "33", "34", "35", "36"}


@pytest.mark.parametrize(("start_ns", "length_ns", "first", "last"), [
    (0, 3 * S, "0", "3 s"),
    (0, 2 * MS, "0", "2.0 ms"),
    (0, 1, "0", "1 ns"),
    (0, 10 * 60 * S, "0", "10 min"),
    (0, 3 * 365 * 86_400 * S, "0", "1000 d"),
    (3_600 * S, 100 * US, "0", "+100 µs"),
])
def test_the_axis_counts_in_sensible_units(start_ns: int, length_ns: int, first: str, last: str) -> None:
    """From nanoseconds to years, and a narrow window late in a run from its own start."""
    labels, ruler = axis_lines(Axis(Window(start_ns, start_ns + length_ns), 70), Look(80))
    assert len(ruler) == 70 and len(labels) <= 70
    assert re.split(r"  +", labels.strip())[0] == first
    assert labels.endswith(f" {last}")


def test_labels_of_an_axis_never_run_into_each_other() -> None:
    """At any length and width there are blanks between two labels."""
    for columns in range(10, 120, 7):
        for length_ns in (1, 7, 999, 10**6 + 1, 3 * 10**9 + 7, 59 * 10**9, 3 * 10**13, 10**17):
            labels, _ = axis_lines(Axis(Window(0, length_ns), columns), Look(columns))
            assert len(labels) <= columns
            assert not re.search(r"[a-zµ][+0-9]", labels)


def test_figures_are_told_in_three_digits_and_never_round_to_nothing() -> None:
    """999.96 us is a millisecond; one call of a million is not 0 %."""
    assert [duration(ns) for ns in (None, 0, 85, 1_204, 999_960, 1_400 * MS, 119 * S, 120 * S, 3 * 86_400 * S)] == [
        "-", "0 ns", "85 ns", "1.20 µs", "1.00 ms", "1.40 s", "119 s", "2.00 min", "3.00 d"]
    assert [percent(share) for share in (None, 0, 1e-6, 0.5, 0.999999, 1)] == ["-", "0 %", "<0.1 %", "50.0 %", ">99.9 %", "100 %"]


def test_marks_that_combine_do_not_pile_up() -> None:
    """A vowel with its accent stays, a thousand accents do not grow over the page."""
    assert visible("e\u0301") == "e\u0301"
    assert visible("e" + "\u0301" * 4) == "e\u0301\u0301\\u0301\\u0301"


def test_the_two_phases_are_told_where_they_are_known(tmp_path: Path) -> None:
    """A receive that waited, and one whose data had been lying there."""
    with Recording(tmp_path / "t.db") as recording:
        run = recording.run()
        thread, socket = run.thread(), run.socket(4)
        run.call(thread, "recv", socket, at_ns=MS, duration_ns=3 * MS + 40 * US, result=1, ready_ns=4 * MS, ready_source="kernel")
        run.call(thread, "recv", socket, at_ns=9 * MS, duration_ns=40 * US, result=1, ready_ns=5 * MS, ready_source="kernel")
        run.finish(20 * MS)
    with open_trace(tmp_path / "t.db") as trace:
        page = render_show(load_story(trace, trace.runs()[0]), load_listing(trace, trace.runs()[0]), Look(120))
    assert "3.04 ms (ready after 3.00 ms, 40.0 µs to wake up and copy)" in page
    assert "40.0 µs (ready 4.00 ms before, 40.0 µs to wake up and copy)" in page


def test_payloads_are_text_where_they_are_text() -> None:
    """A character cut in two is left out, bytes that are no text are escapes."""
    assert visible_bytes("привет".encode()[:3], 12) == "'п'..."
    assert visible_bytes(b"a\x00\xff", 3) == "'a\\x00\\xff'"
    assert visible_bytes(b"it's\\", 5) == "'it\\'s\\\\'"
    assert visible("\u202e") == "\\u202e"


def test_texts_of_megabytes_are_cut_before_they_are_looked_at() -> None:
    long = "a" * 10_000_000
    assert visible(long) == "a" * 100_000 + "\u2026 (9,900,000 more characters)"
    assert brief(f"first{long}last", 20) == "firstaaaa...aaaalast"
    assert brief("e\u0301\u0301" * 5_000 + "\x1b", 20).endswith("\\x1b")
    assert len(str(SockreelError(long))) == 8_001
