"""A trace in Python and in Jupyter."""

from __future__ import annotations

import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
import sockreel
from sockreel.traces import TraceError
from sockreel.traces.tables import TABLES


def test_a_trace_is_its_runs_by_label_id_and_position(lab: Path) -> None:
    with sockreel.open(lab) as recording:
        assert [run.name for run in recording] == ["blocking", "nonblocking"]
        assert recording["blocking"].id == recording[1].id == 1
        assert recording[0].name == "blocking"
        assert len(recording) == 2
        assert "blocking, nonblocking" in repr(recording)
        assert recording["blocking"].info["duration_ns"] == 2_000_000_000
        with pytest.raises(KeyError, match="there are blocking, nonblocking"):
            recording["third"]
    with sockreel.open(f"{lab}#nonblocking") as one:
        assert [run.name for run in one] == ["nonblocking"]


def test_calls_are_plain_dicts_and_payloads_come_only_when_asked_for(lab: Path) -> None:
    with sockreel.open(lab) as recording:
        calls = list(recording["blocking"].calls())
        assert [call["operation"] for call in calls] == ["accept", "recv", "sendall", "recv", "close", "accept"]
        assert all(type(call) is dict and call["payload"] is None for call in calls)
        assert any(call["payload"] for call in recording["blocking"].calls(payload=True))
        assert len(list(recording["blocking"].calls(1_900_000_000, 1_910_000_000))) == 1


@pytest.mark.parametrize("name", TABLES)
def test_each_table_gives_the_rows_of_its_run(name: str, lab: Path) -> None:
    with sockreel.open(lab) as recording:
        rows = {run.name: run.table(name) for run in recording}  # type: ignore[arg-type]
    both = [*rows["blocking"], *rows["nonblocking"]]
    assert all(type(row) is dict for row in both)
    assert name in ("signals",) or both


def test_it_shows_itself_as_a_picture(lab: Path) -> None:
    with sockreel.open(lab) as recording:
        picture = recording._repr_svg_()
        assert picture is not None
        ElementTree.fromstring(picture)
        assert recording["blocking"]._repr_html_().count("<svg") == 1


def test_what_is_wrong_is_said_and_sql_is_answered(lab: Path) -> None:
    with sockreel.open(lab) as recording:
        assert recording["blocking"].explain().model is not None
        assert recording["blocking"].story().facts.calls == 6
        assert recording.sql("SELECT count(*) AS n FROM runs WHERE id = :id", id=1) == [{"n": 1}]
        with pytest.raises(TraceError):
            recording.sql("DELETE FROM runs")
        with pytest.raises(ValueError, match="no table"):
            recording["blocking"].table("nonsense")  # type: ignore[arg-type]


def test_frames_need_pandas_and_say_so(lab: Path) -> None:
    with sockreel.open(lab) as recording:
        try:
            import pandas  # noqa: F401
        except ModuleNotFoundError:
            with pytest.raises(ModuleNotFoundError):
                recording["blocking"].frame()
        else:
            assert recording["blocking"].frame()["operation"][0] == "accept"


def test_a_file_that_is_no_trace_gets_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(TraceError):
        sockreel.open(tmp_path / "nothing.db")


def test_importing_the_package_loads_nothing_of_it() -> None:
    ask = "import sys, sockreel; print([name for name in sys.modules if name.startswith('sockreel.')], sockreel.open.__name__)"
    done = subprocess.run([sys.executable, "-c", ask], check=True, capture_output=True, text=True, cwd="/")
    assert done.stdout.startswith("[] ")
