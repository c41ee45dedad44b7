"""The benchmark measures what it says, and the pages say what it measured. No time is judged here."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import pytest
from sockreel.tests.bench import page as page_bench
from sockreel.tests.bench.campaign import Plan, measure, try_out
from sockreel.tests.bench.execution import known, program, start
from sockreel.tests.bench.outputs import count_events, count_lines, read_lines
from sockreel.tests.bench.report import BEGIN, END, page, ratios, readme_section, replace_section
from sockreel.tests.bench.run import make_plan
from sockreel.tests.bench.tools import TOOLS
from sockreel.tests.browser import chromium

ROOT = Path(__file__).resolve().parents[2]
STRACE = """\
70 accept4(3, {sa_family=AF_INET, sin_port=htons(46956), sin_addr=inet_addr("127.0.0.1")}, [16], SOCK_CLOEXEC) = 4 <0.000018>
70 recvfrom(4, 0x7f12, 4096, 0, NULL, NULL) = -1 EAGAIN (Resource temporarily unavailable) <0.000011>
70 recvfrom(4,  <unfinished ...>
71 sendto(5, "x"..., 137, 0, NULL, 0) = 137 <0.000020>
70 <... recvfrom resumed>"x"..., 4096, 0, NULL, NULL) = 137 <0.000120>
70 recvfrom(4, 0x7f12, 4096, 0, NULL, NULL) = ?
70 +++ killed by SIGKILL +++
"""
PERF = """\
 0.000 ( 0.039 ms): python/70 accept4(fd: 3, upeer_sockaddr: 0x7ffd, upeer_addrlen: 0x7ffd, flags: 524288) = 4
 1.075 ( 0.023 ms): python/70 recvfrom(fd: 4, ubuf: 0x7f12, size: 4096) = -1 EAGAIN (Resource temporarily unavailable)
 1.075 (         ): python/70 recvfrom(fd: 4, ubuf: 0x7f12, size: 4096) ...
 1.100 ( 0.023 ms): python/71 sendto(fd: 5, buff: 0x7f12, len: 137) = 137
 1.200 ( 0.125 ms): python/70  ... [continued]: recvfrom()) = 137
"""
BPFTRACE = """\
Attaching 6 probes...
70 accept4(3) = 4 <31562582>
70 recvfrom(4) = -11 <9434>
71 sendto(5) = 137 <9434>
70 recvfrom(4) = 137 <9434>
"""


@pytest.fixture(scope="module")
def results() -> dict[str, Any]:
    """One round of a small load, bare and under the core that is there everywhere."""
    plan = Plan(pairs=1, costly_rounds=1, shrink=100, growth=(1000,), loads=("recv", "echo"), tools=("bare", "python"))
    return dict(json.loads(json.dumps(measure(plan, lambda line: None))))


def test_a_tiny_load_is_measured_whole(results: dict[str, Any]) -> None:
    tried = results["tools"]["python"]
    assert tried["why_not"] == ""
    assert tried["known"] == dict.fromkeys(("fd", "peer", "bytes", "errno", "line"), True)
    assert tried["killed"]["made"] >= 100_000
    assert tried["killed"]["left"] - tried["killed"]["made"] in (0, 1)
    for load, calls in (("recv", 2000), ("echo", 200)):
        for tool in ("bare", "python"):
            kept = results["loads"][load]["full"][tool]
            assert kept["calls"] == calls
            assert kept["lost"] == [0]
            assert min(kept["cpu_ns"] + kept["wall_ns"]) > 0
    assert results["loads"]["recv"]["full"]["python"]["disk_bytes"][0] > tried["empty_bytes"] > 0
    (grown,) = results["growth"]
    assert (grown["calls"], grown["lost"]) == (1000, 0)
    assert min(grown["stats_peak_bytes"], grown["show_peak_bytes"], grown["record_peak_bytes"]) > 1_000_000


def test_what_was_measured_stands_on_the_page_and_in_the_section(results: dict[str, Any]) -> None:
    for text in (page(results), readme_section(results)):
        assert "| sockreel, Python core | " in text
        assert "fd, peer, bytes, errno, line of source" in text
        assert "\n| 1,000 | " in text
        assert results["machine"]["kernel"] in text


def test_a_tool_that_does_not_work_here_is_shown_with_its_reason(results: dict[str, Any], tmp_path: Path) -> None:
    missing = try_out(replace(TOOLS["strace"], command=lambda output, program: ("no-such-tool",)), tmp_path)
    assert "no-such-tool" in missing["why_not"]
    blind = try_out(replace(TOOLS["perf"], command=lambda output, program: program), tmp_path)
    assert blind["why_not"]
    shown = page({**results, "tools": {**results["tools"], "strace": missing, "perf": blind}})
    assert f"| strace | not available: {missing['why_not']} |" in shown
    assert "| perf trace | not available: " in shown


def test_loads_and_tools_are_chosen_by_name() -> None:
    plan = make_plan(pairs=2, only="echo, recv", tools="strace,c", quick=False)
    assert (plan.loads, plan.tools, plan.growth) == (["recv", "echo"], ["bare", "c", "strace"], ())
    assert (plan.pairs, plan.costly_rounds) == (2, 2)
    assert make_plan(None, "growth", None, quick=False).growth


@pytest.mark.parametrize(
    ("only", "tools", "said"),
    [("recv,no", None, "no load is called 'no'"), (None, "c,strcae", "there are bare, c,"), (None, "strace", "one of c and python")],
)
def test_what_cannot_be_measured_is_named(only: str | None, tools: str | None, said: str) -> None:
    with pytest.raises(click.UsageError, match=said):
        make_plan(None, only, tools, quick=False)


@pytest.mark.parametrize("text", [STRACE, PERF, BPFTRACE], ids=["strace", "perf", "bpftrace"])
def test_only_calls_that_returned_are_counted(text: str, tmp_path: Path) -> None:
    output = tmp_path / "output"
    output.write_text(text)
    assert {kind: count_lines(output, kind) for kind in ("accept", "recv", "send")} == {"accept": 1, "recv": 2, "send": 1}
    truth = {"fd": 4, "port": 46956, "bytes": 137, "lines": [195, 199]}
    found = known(read_lines(output), truth)
    # Of a call that was divided, the second half names no descriptor.
    assert found == {"fd": text is BPFTRACE, "peer": False, "bytes": True, "errno": True, "line": False}


def test_viztracer_events_of_c_functions_are_counted_once(tmp_path: Path) -> None:
    events = [{"name": "socket._accept"}, {"name": "socket.accept (/lib/socket.py:287)"}, {"name": "socket.recv"}, {"name": "socket.recv"}]
    (tmp_path / "output").write_text(json.dumps({"traceEvents": events}))
    assert [count_events(tmp_path / "output", kind) for kind in ("accept", "recv", "send")] == [1, 2, 0]


def test_a_tool_is_compared_with_the_bare_run_of_its_own_round() -> None:
    full = {"bare": {"cpu_ns": [10, 40]}, "c": {"cpu_ns": [11, 42]}}
    small = {"bare": {"cpu_ns": [1]}, "strace": {"cpu_ns": [20]}}
    stored = {"loads": {"recv": {"full": full, "small": small}}}
    assert ratios(stored, "recv", "c", "cpu_ns") == [1.1, 1.05]
    assert ratios(stored, "recv", "strace", "cpu_ns") == [20.0]


def test_the_probe_names_the_lines_of_its_own_receives(tmp_path: Path) -> None:
    with start(program("probe", 1), tmp_path) as started:
        truth = started.line()
        assert started.line()["calls"] == {"recv": 2, "send": 1}
    source = (Path(__file__).parent / "programs" / "load.py").read_text(encoding="utf-8").splitlines()
    assert [source[line - 1].strip() for line in truth["lines"]] == ["ours.recv(4096)"] * 2


def test_the_pages_say_what_the_stored_results_give() -> None:
    stored = json.loads((ROOT / "docs" / "measure.json").read_text(encoding="utf-8"))
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert readme.count(BEGIN) == readme.count(END) == 1
    assert replace_section(readme, readme_section(stored)) == readme, "make bench ARGS=--pages writes it anew"
    assert (ROOT / "docs" / "measure.md").read_text(encoding="utf-8") == page(stored), "make bench ARGS=--pages writes it anew"
    assert set(stored["tools"]) == set(TOOLS)


@pytest.mark.slow
@pytest.mark.skipif(chromium() is None, reason="needs Chromium")
def test_the_page_is_measured_from_a_file_and_served() -> None:
    measured = page_bench.measure(1_000, 2_000, 2)
    assert measured["file"]["calls"] == 1_000
    assert measured["file"]["page_bytes"] > 100_000
    assert len(measured["file"]["ready_s"]) == len(measured["served"]["first_view_s"]) == 2
    widths = [width for width, _ in measured["served"]["windows"]]
    assert widths[0] == widths[-1] > widths[1] > widths[2]
    told = page_bench.report(measured)
    assert "one file of 1,000 calls" in told
    assert "2,000 calls served" in told
