"""The judges read what CPython's tests leave behind, call different what differs, and find nothing in a part that fits here."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from sockreel.tests.judges import cpython
from sockreel.tests.judges.cpython import Case, differences, faults, judge, wrong
from sockreel.tests.judges.house import House, Interpreter
from sockreel.tests.judges.namespace import TIME_IS_OVER
from sockreel.tests.judges.report import page
from sockreel.tests.judges.suites import Suite, Witness, read_results, run
from sockreel.tests.test_recorder.recording import PATIENCE_S

ROOT = Path(__file__).resolve().parents[2]
XML = """<testsuites><testsuite>
<testcase name="test.a.T.test_one" status="run" result="completed" time="0.5" />
<testcase name="test.a.T.test_two" time="0.25"><skipped>resource 'walltime' is not enabled</skipped></testcase>
<testcase name="test.a.T.test_three" time="0.25"><failure type="AssertionError">1 != 2</failure></testcase>
<testcase name="test.a.T.test_four" time="0"><error type="OSError">no</error></testcase>
</testsuite></testsuites>"""
TEXT = """
======================================================================
FAIL: test_five (test.a.T) (n=1)
======================================================================
ERROR: test_six (test.a.T.test_six)
"""
needs_tests = pytest.mark.skipif(find_spec("test.regrtest") is None, reason="this Python comes without CPython's tests")
SOCKREEL = House((sys.executable, "-m", "sockreel"), ())
HERE = Interpreter(sys.executable, "here", True, True)
WHOLE = Witness(5, 0, 1, (), 0, "")


def suite(**results: str) -> Suite:
    return Suite(results, {}, 0, 1.0)


def test_results_are_read_from_the_file_and_failed_subtests_from_what_was_printed(tmp_path: Path) -> None:
    xml = tmp_path / "results.xml"
    xml.write_text(XML)
    results, reasons, seconds = read_results(xml, TEXT)
    assert results == {
        "test.a.T.test_one": "passed", "test.a.T.test_two": "skipped", "test.a.T.test_three": "failed", "test.a.T.test_four": "error",
        "test.a.T.test_five": "failed", "test.a.T.test_six": "error"}  # fmt: skip
    assert (reasons, seconds) == ({"test.a.T.test_two": "resource 'walltime' is not enabled"}, 1.0)
    assert read_results(tmp_path / "none.xml", "") == ({}, {}, 0.0)


def test_a_changed_a_lost_and_an_added_result_differ() -> None:
    assert differences(suite(a="passed", b="passed"), suite(a="passed", b="passed")) == {}
    assert differences(suite(a="passed", b="skipped", c="passed"), suite(a="failed", b="skipped", d="passed")) == {
        "a": ("passed", "failed"), "c": ("passed", "not run"), "d": ("not run", "passed")}  # fmt: skip


def test_a_trace_without_calls_is_no_evidence() -> None:
    assert faults("test_socket", suite(a="passed"), WHOLE) == []
    assert faults("test_socket", suite(a="passed"), Witness(0, 0, 1, (), 0, "")) == ["its trace holds no call"]
    assert faults("test_fork1", suite(a="passed"), Witness(0, 0, 1, (), 0, "")) == []
    assert faults("test_fork1", suite(a="passed"), Witness(0, 0, 0, (), 0, "")) == ["no process of it was recorded"]
    assert faults("test_socket", suite(), WHOLE) == ["no test told its result"]
    assert faults("test_socket", Suite({"a": "passed"}, {}, TIME_IS_OVER, 1.0), WHOLE) == ["its time of 400 s was over"]
    assert faults("test_socket", suite(a="passed"), Witness(5, 0, 1, (), 0, "cut short")) == ["sockreel check: cut short"]


@pytest.mark.parametrize(("again", "verdict"), [(["failed", "failed"], True), (["failed", "passed"], False), (["passed"], False)])
def test_different_means_different_in_three_runs_of_three(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, again: list[str], verdict: bool
) -> None:
    recorded = iter(["failed", *again])
    monkeypatch.setattr(cpython, "run", lambda *asked: suite(a="passed"))
    monkeypatch.setattr(cpython, "run_recorded", lambda *asked: (suite(a=next(recorded)), WHOLE))
    found = judge(Case(SOCKREEL, HERE, "test_socket", "c", tmp_path), suite(a="passed"))
    assert (found["different"], found["unsteady"]) == (({"a": ["passed", "failed"]}, []) if verdict else ({}, ["a"]))
    assert next(recorded, None) is None
    results = {"interpreters": {"3.11": {"modules": {"test_socket": {"cores": {"c": found}}}}}}
    assert wrong(results) == (["3.11 test_socket (c core): a: bare passed, recorded failed"] if verdict else [])


def test_what_a_command_leaves_behind_is_ended_with_it(tmp_path: Path) -> None:
    text = "import os, signal, sys; r, w = os.pipe(); pid = os.fork()\n"
    text += "if not pid: os.setsid(); os.close(r); os.write(w, b'x'); signal.pause()\n"
    text += "os.read(r, 1); print(pid)\nif sys.argv[1] == 'wait': sys.stdout.flush(); signal.pause()"
    supervisor = [sys.executable, str(Path(__file__).with_name("namespace.py"))]
    for seconds, argument, status in ((60.0, "end", 0), (0.5, "wait", TIME_IS_OVER)):
        said = ""
        while not said:  # its time may be over before it has begun
            command = [*supervisor, str(seconds), sys.executable, "-c", text, argument]
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
            assert done.returncode == status
            said, seconds = done.stdout.strip(), seconds * 2
            assert said or seconds < PATIENCE_S
        assert said.isdigit() and not Path(f"/proc/{said}").exists()


@needs_tests
def test_single_tests_can_be_run_again(tmp_path: Path) -> None:
    only = ["test.test_select.SelectTestCase.test_error_conditions"]
    assert run(tmp_path / "one", HERE, "test_select", only).results == {only[0]: "passed"}


@needs_tests
@pytest.mark.slow
@pytest.mark.parametrize("module", ["test_select", "test_poll", "test_epoll", "test_selectors", "test_socketserver"])
def test_cpythons_own_tests_end_the_same_bare_and_recorded(tmp_path: Path, module: str) -> None:
    bare = run(tmp_path / "bare", HERE, module)
    assert len(bare.results) >= 6 and "passed" in bare.results.values()
    cores = ["c", "python"] if list((ROOT / "recorder" / "agent").glob("_core.*.so")) else ["python"]
    for core in cores:
        found: dict[str, Any] = judge(Case(SOCKREEL, HERE, module, core, tmp_path / core), bare)
        assert (found["different"], found["faults"]) == ({}, [])
        assert found["calls"] > 10
        shutil.rmtree(tmp_path / core)


def test_the_page_says_what_the_judges_found() -> None:
    results = json.loads((ROOT / "docs" / "judges.json").read_text(encoding="utf-8"))
    assert (ROOT / "docs" / "judges.md").read_text(encoding="utf-8") == page(results)
    assert wrong(results) == []
