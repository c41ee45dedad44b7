"""The page as data: what is packed, and how the file is put together. What a browser makes of it is tested in test_page_browser.py."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sockreel.replay.language import LANGUAGES, speaking
from sockreel.replay.page.calls import READY_ZERO
from sockreel.replay.page.cells import pack_view
from sockreel.replay.page.document import document, shown_runs
from sockreel.replay.page.html import write_html
from sockreel.replay.page.packing import Column, pack, unpack
from sockreel.replay.values import Window
from sockreel.tests.examples import write_lab
from sockreel.tests.synthetic import MS, US, Recording, S
from sockreel.traces import Trace, TraceError, open_trace
from sockreel.traces.excerpt import Excerpt

NUMBERS = st.integers(-(2**53), 2**53)


@given(st.lists(st.none() | NUMBERS), st.lists(NUMBERS), st.binary(max_size=300), st.dictionaries(st.text(), st.text()))
def test_a_pack_gives_back_what_was_put_into_it(plain: list[int | None], near: list[int], rest: bytes, head: dict[str, str]) -> None:
    found, columns, behind = unpack(pack({"head": head}, [Column("plain", plain), Column("near", near, True)], rest))
    assert (found["head"], columns["plain"], columns["near"], behind) == (head, plain, near, rest)


def _page(trace: Trace, *labels: str, payload: bool = True) -> str:
    out = io.BytesIO()
    write_html([Excerpt(trace, trace.find_run(label), payload=payload) for label in labels], out)
    return out.getvalue().decode()


def _packs(page: str) -> list[tuple[dict[str, Any], dict[str, list[int | None]], bytes]]:
    found = re.findall(r'<script type="application/octet-stream" class="pack">([^<]*)</script>', page)
    return [unpack(base64.b64decode(text)) for text in found]


def test_every_call_is_in_the_page_with_all_that_is_known_of_it(trace: Trace) -> None:
    run = trace.find_run("nonblocking")
    _, (head, columns, rest) = _packs(_page(trace, "nonblocking"))
    made = list(Excerpt(trace, run).calls())
    assert len(made) > 10_000
    packed = dict(zip(columns["id"], zip(columns["start"], columns["duration"], columns["shape"], columns["asked"], columns["result"],
                                         strict=True), strict=True))
    for row in made:
        start, duration, shape, asked, result = packed.pop(row["id"])
        assert (start, duration, asked, result) == (row["started_ns"], row["duration_ns"], row["asked"], row["result"])
        assert shape is not None
        thread, socket, operation, layer, outcome, _, site, errno, flags, timeout, peer, _ = head["shapes"][shape]
        assert (thread, socket or None, operation, layer, outcome) == (
            row["thread_id"], row["socket_id"], row["operation"], row["layer"], row["outcome"])
        assert (errno, flags, timeout, peer) == (row["errno"], row["flags"], row["timeout_ns"], row["peer"])
        assert (head["sites"][site][:2] if site >= 0 else [None, None]) == [row["file"], row["line"]]
    assert packed == {}
    payloads = {call: rest[at : at + size] for call, at, size in zip(
        columns["payload_call"], columns["payload_at"], columns["payload_bytes"], strict=True) if at is not None and size is not None}
    assert payloads == {row["id"]: row["payload"] for row in made if row["payload"] is not None}
    assert b"\x1b[31mred\x07" in payloads.values()


def test_fruitless_calls_share_their_details(trace: Trace) -> None:
    _, (head, columns, _) = _packs(_page(trace, "nonblocking"))
    fruitless = [number for number, shape in enumerate(head["shapes"]) if shape[5] == 1]
    assert len(fruitless) == 2  # accept and recv, whatever their number
    assert sum(shape in fruitless for shape in columns["shape"]) > 10_000


def test_when_the_kernel_was_ready_is_told_also_where_that_was_before_the_call(tmp_path: Path) -> None:
    with Recording(tmp_path / "t.db") as recording:
        run = recording.run("r")
        thread, socket = run.thread(), run.socket(4)
        run.call(thread, "recv", socket, at_ns=10 * S, duration_ns=5 * US, result=1, ready_ns=9 * S, ready_source="kernel")
        run.call(thread, "recv", socket, at_ns=11 * S, duration_ns=5 * MS, result=1, ready_ns=11 * S + MS, ready_source="kernel")
        run.finish(12 * S)
    with open_trace(tmp_path / "t.db") as trace:
        _, (_, columns, _) = _packs(_page(trace, "r"))
    assert columns["ready"] == [READY_ZERO - S, READY_ZERO + MS]


def test_the_policy_admits_the_pages_own_style_and_scripts_and_nothing_else(trace: Trace) -> None:
    page = _page(trace, "blocking", "nonblocking")
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)
    assert policy is not None
    scripts = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    styles = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)

    def hashes(texts: list[str]) -> str:
        return " ".join(f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'" for text in texts)

    assert len(scripts) > 10
    assert len(styles) == 1
    assert policy.group(1) == (f"default-src 'none'; style-src {hashes(styles)}; script-src {hashes(scripts)}; connect-src 'none'; "
                               "base-uri 'none'; form-action 'none'")
    assert not re.search(r'\s(on\w+|src|href|style)\s*=\s*["\']', page)


def test_nothing_recorded_is_in_the_page_but_in_packs(tmp_path: Path) -> None:
    hostile = "</script><script>alert(1)</script><img onerror=x>"
    with Recording(tmp_path / "t.db") as recording:
        run = recording.run(hostile, command=json.dumps([hostile]))
        run.call(run.thread(hostile), "recv", run.socket(4, peer=hostile), at_ns=1, payload=hostile.encode(),
                 site=(hostile, 1, hostile, hostile))
        run.finish(MS)
    with open_trace(tmp_path / "t.db") as trace:
        page = _page(trace, hostile)
        assert "alert(1)" not in page
        assert "onerror" not in page
        (document, _, _), (head, _, rest) = _packs(page)
        assert document["runs"][0]["name"] == hostile
        assert head["sites"] == [[hostile, 1, hostile, hostile]]
        assert rest == hostile.encode()
        assert hostile.encode() not in _packs(_page(trace, hostile, payload=False))[1][2]


def test_of_too_many_calls_the_page_has_the_long_ones_and_the_time_of_all(trace: Trace) -> None:
    run = trace.find_run("nonblocking")
    whole = Window(0, 2 * S)
    head, columns, _ = unpack(pack_view(trace, run, whole, 100, payload=True, most=1_000))
    assert not head["complete"]
    told = sum(sum(cell["ns"][1]) for cell in head["cells"] if cell["lane"] == "thread")
    assert told == sum(row["duration_ns"] for row in Excerpt(trace, run).calls() if row["outcome"] == "would_block")
    assert columns["id"] == [row["id"] for row in Excerpt(trace, run).calls() if (row["duration_ns"] or 8 * MS) >= 8 * MS]
    near, columns, _ = unpack(pack_view(trace, run, Window(1400 * MS, 1402 * MS), 100, payload=True, most=1_000))
    assert near["complete"]
    assert len(columns["id"]) >= 2


@pytest.mark.parametrize("damage", [
    "UPDATE sockets SET parent_id = x'ff00'", "UPDATE exchanges SET socket_id = x'ff00'", "UPDATE calls SET started_ns = 'long ago'",
    "UPDATE calls SET duration_ns = x'00', result = 'many', ready_ns = 'soon'", "UPDATE runs SET duration_ns = 9223372036854775807",
    "UPDATE payloads SET size = 'huge', data = 12", "UPDATE sites SET file = x'ff', line = 'x'", "DELETE FROM threads",
    "DELETE FROM sockets", "DELETE FROM operations", "UPDATE levels SET ns = -1, calls = 'few'",
])
def test_a_damaged_trace_makes_a_page_or_one_clear_line(tmp_path: Path, damage: str) -> None:
    write_lab(tmp_path / "t.db")
    with sqlite3.connect(tmp_path / "t.db") as connection:
        connection.execute("PRAGMA foreign_keys=0")
        connection.execute(damage)
    connection.close()
    with open_trace(tmp_path / "t.db") as trace:
        try:
            out = io.BytesIO()
            write_html([Excerpt(trace, run) for run in trace.runs()], out)
        except TraceError as error:
            assert "\n" not in str(error)
        else:
            assert len(_packs(out.getvalue().decode())) == 3


def test_what_is_said_of_the_runs_is_there_in_each_language_whichever_is_spoken(lecture_file: Path) -> None:
    with open_trace(lecture_file) as trace:
        told = {}
        for code in LANGUAGES:
            with speaking(code):
                told[code] = document(shown_runs([(trace, run, None) for run in trace.runs()]), served=False)
    for document_ in told.values():
        sentences = document_["comparison"]["sentences"]
        assert sentences == told["en"]["comparison"]["sentences"]
        assert len(sentences["en"]) == len(sentences["zh"]) > 3
        chinese = [any("\u4e00" <= letter <= "\u9fff" for letter in sentence) for code in ("en", "zh") for sentence in sentences[code]]
        assert chinese == [False] * len(sentences["en"]) + [True] * len(sentences["zh"])
        assert set(document_["runs"][0]["facts"]["ended"]) == set(LANGUAGES)
