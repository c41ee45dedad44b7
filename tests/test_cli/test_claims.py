"""`sockreel claims`: records, judges, and judges again."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from sockreel.replay.claims.texts import STATEMENTS
from sockreel.tests.commandline import CommandLine
from sockreel.tests.synthetic import Recording, S

PAGE = Path(__file__).resolve().parents[2] / "docs" / "claims.md"


def test_judging_and_recording_at_once_is_wrong_use(tmp_path: Path, sockreel: CommandLine) -> None:
    assert sockreel("claims", "--from", tmp_path / "a.db", "-o", tmp_path / "b.db").status == 2


def test_a_trace_without_such_runs_gets_one_line(tmp_path: Path, sockreel: CommandLine) -> None:
    with Recording(tmp_path / "t.db") as recording:
        recording.run("other").finish(S)
    assert "holds no run that claims could be judged by" in sockreel("claims", "--from", tmp_path / "t.db").failure


def test_a_trace_with_empty_runs_decides_nothing(tmp_path: Path, sockreel: CommandLine) -> None:
    with Recording(tmp_path / "t.db") as recording:
        for label in ("silence-nonblocking", "burst-nonblocking", "copying-blocking", "tutorial"):
            recording.run(label).finish(S)
    found = sockreel("claims", "--from", tmp_path / "t.db", "--json").json
    assert [(claim["statement"], claim["verdict"]) for claim in found] == [(text, "undecided") for text in STATEMENTS.values()]


def test_the_documentation_s_page_states_every_claim() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert [statement for statement in STATEMENTS.values() if f"## {statement}" not in text] == []


@pytest.mark.slow
def test_the_claims_are_measured_and_judged_here(tmp_path: Path, sockreel: CommandLine) -> None:
    trace, page = tmp_path / "c.db", tmp_path / "c.md"
    done = sockreel("claims", "-q", "-o", trace, "--page", page)
    assert done.status == 0, done.err
    found = {claim["name"]: claim["verdict"] for claim in sockreel("claims", "--from", trace, "--json").json}
    assert list(found) == list(STATEMENTS)
    # These do not depend on how busy the machine is.
    assert (found["accept"], found["rarely-used"]) == ("does not hold", "does not hold")
    assert page.read_text(encoding="utf-8") == sockreel("claims", "--from", trace).out
    with sqlite3.connect(trace) as connection:
        assert connection.execute("SELECT count(*) FROM runs").fetchone()[0] >= 20
    connection.close()
