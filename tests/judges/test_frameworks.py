"""Real programs run as they do without us, and their traces hold what a forwarder counted."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from sockreel.tests.judges.frameworks import TABLE, Absent, Found, Played, judge, needs, play, wrong
from sockreel.tests.judges.frameworks_report import page
from sockreel.tests.judges.proxy import Passed

ROOT = Path(__file__).resolve().parents[2]
CORES = ["c", "python"] if list((ROOT / "recorder" / "agent").glob("_core.*.so")) else ["python"]


@pytest.mark.slow
@pytest.mark.parametrize("name", TABLE)
def test_a_real_program_is_unharmed_and_its_trace_is_right(name: str, tmp_path: Path) -> None:
    program = TABLE[name]
    try:
        needs(program)
    except Absent as absent:
        pytest.skip(str(absent))
    bare = play(program, tmp_path)
    assert bare.said and (program.kind in ("server", "own") or bare.status == 0), bare
    for core in CORES:
        found, lines = judge(program, core, bare, tmp_path)
        assert lines == []
        assert found.calls > 20 and (found.accepted or found.connected)


PLAYED = Played([[200, "abc"]], 0, (Passed(10, 20),), 1)
FOUND = Found(9, 0, 1, ((10, 20),), (), 1, {"recv": 1}, {"close": 1}, (), "")


def test_a_harmed_program_and_a_wrong_trace_are_found() -> None:
    server = TABLE["http.server"]
    assert wrong(server, PLAYED, PLAYED, FOUND) == []
    assert len(wrong(server, PLAYED, replace(PLAYED, said=[]), FOUND)) == 1
    assert len(wrong(server, PLAYED, replace(PLAYED, status=1), FOUND)) == 1
    assert wrong(server, replace(PLAYED, status=-15), replace(PLAYED, status=143), FOUND) == []
    for changed in ({"accepted": ()}, {"accepted": ((10, 21),)}, {"requests": 2}, {"lost": 1}, {"flaws": "cut short"}):
        assert len(wrong(server, PLAYED, PLAYED, replace(FOUND, **changed))) == 1, changed
    client = TABLE["requests"]
    assert wrong(client, PLAYED, PLAYED, replace(FOUND, accepted=(), connected=((20, 10),))) == []
    assert len(wrong(client, PLAYED, PLAYED, FOUND)) == 1
    assert len(wrong(TABLE["aiohttp-own"], PLAYED, PLAYED, replace(FOUND, accepted=()))) == 1


def test_the_page_says_what_was_found() -> None:
    results = json.loads((ROOT / "docs" / "frameworks.json").read_text(encoding="utf-8"))
    assert (ROOT / "docs" / "frameworks.md").read_text(encoding="utf-8") == page(results)
    assert [line for kept in results.values() for found in kept.get("cores", {}).values() for line in found["wrong"]] == []
